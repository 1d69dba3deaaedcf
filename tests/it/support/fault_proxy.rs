//! A proxy in front of Redis that does to replies what networks and dying servers do.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// What becomes of replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mischief {
    /// They arrive.
    Nothing,
    /// They arrive this much later.
    Delay(Duration),
    /// Redis has run a script, and the connection ends before a byte of the reply arrives.
    CutAfterExecution,
    /// The connection ends in the middle of the reply to a script.
    CutInReply,
}

/// Listens on a port of its own until it is dropped.
pub struct FaultProxy {
    pub port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    redis: u16,
    mischief: Mutex<Mischief>,
    cuts: AtomicUsize,
    calls: Arc<Calls>,
}

/// Calls of scripts, and `WAIT`s, of all connections.
#[derive(Default)]
struct Calls {
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    waits: AtomicUsize,
    stray_waits: AtomicUsize,
}

/// A call of a script until its reply was passed on, or its connection has ended.
struct Call(Arc<Calls>);

impl Call {
    fn begin(calls: &Arc<Calls>) -> Self {
        let under_way = calls.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        calls.most_under_way.fetch_max(under_way, Ordering::Relaxed);
        Self(calls.clone())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl FaultProxy {
    /// Passes everything on to the Redis at this port.
    pub async fn start(redis: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            redis,
            mischief: Mutex::new(Mischief::Nothing),
            cuts: AtomicUsize::new(0),
            calls: Arc::default(),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self {
            port,
            shared,
            accepting,
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, mischief: Mischief) {
        *self.shared.mischief.lock().unwrap() = mischief;
    }

    /// Connections cut so far.
    pub fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::Relaxed)
    }

    /// The most calls of scripts that were under way at once since this was asked last.
    pub fn most_under_way(&self) -> usize {
        self.shared.calls.most_under_way.swap(0, Ordering::Relaxed)
    }

    /// `WAIT`s so far, and those on a connection over which no script was called since the one before.
    pub fn waits(&self) -> (usize, usize) {
        let calls = &self.shared.calls;
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (of(&calls.waits), of(&calls.stray_waits))
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            // Either side may go away at any moment; then so does the other.
            let _ = relay(client, shared).await;
        });
    }
}

/// What the writer is told.
enum Order {
    Deliver(Instant, Vec<u8>, Option<Call>),
    Cut,
}

async fn relay(client: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let redis = TcpStream::connect(("127.0.0.1", shared.redis)).await?;
    client.set_nodelay(true)?;
    redis.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_redis, to_redis) = redis.into_split();
    let (asked, questions) = mpsc::unbounded_channel();
    let (order, orders) = mpsc::unbounded_channel();
    // Whichever ends first ends the others, and with them both connections.
    tokio::select! {
        result = pass_commands(from_client, to_redis, asked, &shared.calls) => result,
        result = pass_replies(from_redis, questions, order, &shared) => result,
        result = write(to_client, orders) => result,
    }
}

async fn pass_commands(
    client: tcp::OwnedReadHalf,
    mut redis: tcp::OwnedWriteHalf,
    asked: mpsc::UnboundedSender<Option<Call>>,
    calls: &Arc<Calls>,
) -> io::Result<()> {
    let mut frames = Frames::of(client);
    let mut has_called = false;
    while let Some(command) = frames.next().await? {
        let call = is_script(&command).then(|| Call::begin(calls));
        if is(&command, b"WAIT") {
            calls.waits.fetch_add(1, Ordering::Relaxed);
            let stray = usize::from(!has_called);
            calls.stray_waits.fetch_add(stray, Ordering::Relaxed);
            has_called = false;
        }
        has_called |= call.is_some();
        let _ = asked.send(call);
        redis.write_all(&command).await?;
    }
    Ok(())
}

async fn pass_replies(
    redis: tcp::OwnedReadHalf,
    mut questions: mpsc::UnboundedReceiver<Option<Call>>,
    order: mpsc::UnboundedSender<Order>,
    shared: &Shared,
) -> io::Result<()> {
    let mut frames = Frames::of(redis);
    while let Some(reply) = frames.next().await? {
        let call = questions.recv().await.flatten();
        // Numbers: an error would mean that nothing was executed.
        let executed = call.is_some() && reply.starts_with(b"*");
        let mischief = *shared.mischief.lock().unwrap();
        let kept = match mischief {
            Mischief::CutAfterExecution if executed => 0,
            Mischief::CutInReply if executed => reply.len() / 2,
            Mischief::Delay(delay) => {
                let _ = order.send(Order::Deliver(Instant::now() + delay, reply, call));
                continue;
            }
            _ => reply.len(),
        };
        let cut = kept < reply.len();
        let _ = order.send(Order::Deliver(Instant::now(), reply[..kept].to_vec(), call));
        if cut {
            shared.cuts.fetch_add(1, Ordering::Relaxed);
            let _ = order.send(Order::Cut);
        }
    }
    Ok(())
}

async fn write(
    mut client: tcp::OwnedWriteHalf,
    mut orders: mpsc::UnboundedReceiver<Order>,
) -> io::Result<()> {
    while let Some(Order::Deliver(due, bytes, call)) = orders.recv().await {
        sleep_until(due).await;
        // Who has the reply may send the next call at once.
        drop(call);
        client.write_all(&bytes).await?;
    }
    Ok(())
}

/// Whole commands or replies from a connection (RESP 2).
struct Frames {
    stream: tcp::OwnedReadHalf,
    buffer: Vec<u8>,
}

impl Frames {
    fn of(stream: tcp::OwnedReadHalf) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(length) = frame_length(&self.buffer) {
                return Ok(Some(self.buffer.drain(..length).collect()));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// Bytes of the first frame, if it is there as a whole.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|two| two == b"\r\n")? + 2;
    let number = || -> Option<i64> {
        let digits = std::str::from_utf8(&bytes[1..line - 2]).ok()?;
        digits.parse().ok()
    };
    let length = match bytes[0] {
        b'$' => match number()? {
            0.. => line + number()? as usize + 2,
            _ => line,
        },
        b'*' => {
            let mut end = line;
            for _ in 0..number()? {
                end += frame_length(bytes.get(end..)?)?;
            }
            end
        }
        _ => line,
    };
    (length <= bytes.len()).then_some(length)
}

fn is_script(command: &[u8]) -> bool {
    is(command, b"EVALSHA") || is(command, b"EVAL")
}

/// Whether a command is this one: its first word, which is the third line.
fn is(command: &[u8], name: &[u8]) -> bool {
    let mut lines = command.split(|byte| *byte == b'\n');
    let word = lines.nth(2).unwrap_or_default().trim_ascii();
    word.eq_ignore_ascii_case(name)
}
