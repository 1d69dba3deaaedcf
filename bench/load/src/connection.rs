//! One connection: it sends a request, reads the answer, and sends the next when that is due.

use std::{fmt, io, pin::Pin, str::FromStr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

use crate::{
    clock::{Alarm, Moment, now},
    requests::Stream,
    tally::Tally,
};

/// More fields than any contestant's answer has.
const MAX_FIELDS: usize = 32;

/// Larger than any answer, also to a thousand visits; one that does not fit in is a failure. Of this
/// only what is read takes memory.
const BUFFER_BYTES: usize = 256 * 1024;

/// Between two tries to connect to a service whose queue is full.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(1);

/// Where the service is.
#[derive(Debug, Clone)]
pub enum Address {
    /// `HOST:PORT`
    Tcp(String),
    /// The path of a socket.
    Unix(String),
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("tcp", address)) => Ok(Self::Tcp(address.to_owned())),
            Some(("unix", path)) => Ok(Self::Unix(path.to_owned())),
            _ => Err("not tcp:HOST:PORT or unix:PATH"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// When requests are sent.
#[derive(Debug, Clone, Copy)]
pub enum Schedule {
    /// As soon as the last answer is there.
    AtOnce {
        /// From then …
        start: Moment,
        /// … until then.
        end: Moment,
    },
    /// At fixed moments; one whose moment has passed before the connection was free goes at once,
    /// and its latency counts from its moment.
    Paced {
        /// The first one.
        first: Moment,
        /// The time to the next.
        every: Duration,
        /// None is due any more.
        end: Moment,
    },
}

trait Socket: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Socket for S {}

/// A connection to the service.
pub struct Connection {
    socket: Pin<Box<dyn Socket>>,
    requests: Stream,
    buffer: Vec<u8>,
    tally: Tally,
}

impl Connection {
    /// Opens one.
    pub async fn open(address: &Address, requests: Stream) -> io::Result<Self> {
        let socket: Pin<Box<dyn Socket>> = match address {
            Address::Unix(path) => Box::pin(connect(path).await?),
            Address::Tcp(address) => {
                let socket = TcpStream::connect(address).await?;
                socket.set_nodelay(true)?;
                Box::pin(socket)
            }
        };
        Ok(Self {
            socket,
            requests,
            buffer: vec![0; BUFFER_BYTES],
            tally: Tally::default(),
        })
    }

    /// Sends what is scheduled. A broken connection is a failure, and its end.
    pub async fn run(mut self, schedule: Schedule) -> Tally {
        let result = match schedule {
            Schedule::AtOnce { start, end } => self.at_once(start, end).await,
            Schedule::Paced { first, every, end } => self.paced(first, every, end).await,
        };
        if let Err(error) = result {
            self.tally.failure(error.to_string());
        }
        self.tally
    }

    async fn at_once(&mut self, start: Moment, end: Moment) -> io::Result<()> {
        let alarm = Alarm::new()?;
        alarm.set(start, Duration::ZERO)?;
        alarm.rung().await?;
        let mut due = now();
        while due < end {
            due = self.exchange(due).await?;
        }
        Ok(())
    }

    async fn paced(&mut self, first: Moment, every: Duration, end: Moment) -> io::Result<()> {
        let alarm = Alarm::new()?;
        alarm.set(first, every)?;
        let (mut due, mut free_since) = (first, Moment::ZERO);
        while due < end {
            for _ in 0..alarm.rung().await? {
                if due >= end {
                    break;
                }
                if free_since < due {
                    self.tally.late(now().saturating_sub(due));
                }
                free_since = self.exchange(due).await?;
                due += every;
            }
        }
        Ok(())
    }

    /// One request and its answer; returns when that was there.
    async fn exchange(&mut self, due: Moment) -> io::Result<Moment> {
        self.socket.write_all(self.requests.next()).await?;
        let mut length = 0;
        loop {
            let room = &mut self.buffer[length..];
            if room.is_empty() {
                return Err(io::Error::other("the answer is too large"));
            }
            match self.socket.read(room).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => length += read,
            }
            if let Some(status) = complete(&self.buffer[..length])? {
                let answered = now();
                self.tally.answer(status, answered.saturating_sub(due));
                return Ok(answered);
            }
        }
    }
}

/// Connects to a Unix socket. One whose queue is full refuses at once, where TCP tries again by itself.
async fn connect(path: &str) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(FULL_QUEUE_PAUSE).await;
            }
            connected => return connected,
        }
    }
}

/// The status of an answer, once it is there to its end.
fn complete(bytes: &[u8]) -> io::Result<Option<u16>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    let parsed = answer.parse(bytes).map_err(io::Error::other)?;
    let httparse::Status::Complete(head) = parsed else {
        return Ok(None);
    };
    let length = answer
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("content-length"))
        .and_then(|field| str::from_utf8(field.value).ok()?.parse::<usize>().ok())
        .ok_or_else(|| io::Error::other("an answer without Content-Length"))?;
    Ok((bytes.len() >= head + length).then_some(answer.code.unwrap_or_default()))
}
