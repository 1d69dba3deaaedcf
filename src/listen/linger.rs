//! Closing a connection whose client is still sending (RFC 9112, 9.6).
//!
//! What is answered before its body has been read, a body that is too large above all,
//! ends the connection. Closed at once, with bytes unread or on their way, the kernel
//! would reset it, and a client that sends everything before it reads would see that
//! and not the answer. So the sending side is shut, and for a while whatever comes is
//! read and dropped.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// The longest it is read on, however slowly something comes. nginx takes 30 seconds; here
/// it must be well below `FOOTFALL_SHUTDOWN_TIMEOUT`, or one such client would make a clean
/// exit an unclean one. In 10 seconds 3 MB come over 3 Mbit/s.
const TOTAL: Duration = Duration::from_secs(10);

/// The longest it is waited for more. nginx takes 5 seconds; but who sends all before reading
/// sends without a pause, and who has read the answer hangs up.
const SILENCE: Duration = Duration::from_secs(2);

/// The most that is read: far more than a client sends by mistake. To read it takes some ten
/// milliseconds of a core.
const BYTES: usize = 64 << 20;

/// Read at once.
const CHUNK: usize = 16 * 1024;

/// What a connection's stream and its requests tell each other.
#[derive(Debug, Default)]
pub struct Unread {
    /// More has come than the requests read so far had in them.
    is_some: AtomicBool,
    /// The connection has ended but for this.
    lingering: AtomicBool,
}

impl Unread {
    /// Whether it is still read and dropped.
    pub fn is_lingering(&self) -> bool {
        self.lingering.load(Ordering::Relaxed)
    }

    /// Whether a request has not been read to its end.
    pub fn is_some(&self) -> bool {
        self.is_some.load(Ordering::Relaxed)
    }

    /// The request that has come is all that has.
    fn clear(&self) {
        self.is_some.store(false, Ordering::Relaxed);
    }

    /// The body of a request that has come, watched for its end.
    pub fn watch<B: HttpBody>(self: &Arc<Self>, body: B) -> Body<B> {
        let ended = body.is_end_stream();
        // Its head may have come together with the request before, and that is all it cleared.
        self.is_some.store(!ended, Ordering::Relaxed);
        Body {
            unread: (!ended).then(|| self.clone()),
            body,
        }
    }
}

/// A body that tells when it has been read to its end.
#[derive(Debug)]
pub struct Body<B> {
    body: B,
    unread: Option<Arc<Unread>>,
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Body<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let ended = frame.is_none() || matches!(frame, Some(Ok(_))) && self.body.is_end_stream();
        if let Some(unread) = self.unread.take_if(|_| ended) {
            unread.clear();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that is read on, after it was shut, if requests were left unread.
pub struct Lingering<T> {
    stream: T,
    unread: Arc<Unread>,
    state: State,
    /// Something has come since the connection was last told that nothing more does.
    has_come: bool,
}

enum State {
    Open,
    /// Being shut, and then closed at once or not.
    Shutting,
    Reading(Reading),
    Closed,
}

/// What is left of the bounds.
struct Reading {
    until: Instant,
    silence: Pin<Box<Sleep>>,
    bytes: usize,
}

impl Reading {
    fn start() -> Self {
        Self {
            until: Instant::now() + TOTAL,
            silence: Box::pin(sleep(SILENCE)),
            bytes: BYTES,
        }
    }

    /// Reads and drops; ready at the end of the stream or at the first bound.
    fn poll(&mut self, stream: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<()> {
        let mut memory = [MaybeUninit::uninit(); CHUNK];
        loop {
            let mut chunk = ReadBuf::uninit(&mut memory);
            let read = Pin::new(&mut *stream).poll_read(cx, &mut chunk);
            let length = chunk.filled().len();
            if read.is_pending() {
                return self.silence.as_mut().poll(cx);
            }
            self.bytes = self.bytes.saturating_sub(length);
            let now = Instant::now();
            let ended = length == 0 || matches!(read, Poll::Ready(Err(_)));
            if ended || self.bytes == 0 || now >= self.until {
                return Poll::Ready(());
            }
            let until = self.until.min(now + SILENCE);
            self.silence.as_mut().reset(until);
        }
    }
}

impl<T> Lingering<T> {
    /// Wraps the stream of one connection.
    pub fn new(stream: T) -> (Self, Arc<Unread>) {
        let unread = Arc::<Unread>::default();
        let lingering = Self {
            stream,
            unread: unread.clone(),
            state: State::Open,
            has_come: false,
        };
        (lingering, unread)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lingering<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.unread.is_some.store(true, Ordering::Relaxed);
            self.has_come = true;
        } else if read.is_ready() && std::mem::take(&mut self.has_come) {
            // Told of the end in one go with the last request, hyper would drop that before it
            // is looked at: who hangs up at once would be neither charged nor counted.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self {
            stream,
            unread,
            state,
            ..
        } = &mut *self;
        loop {
            *state = match state {
                State::Open => {
                    unread.lingering.store(unread.is_some(), Ordering::Relaxed);
                    State::Shutting
                }
                State::Shutting => {
                    let shut = ready!(Pin::new(&mut *stream).poll_shutdown(cx));
                    match shut.is_ok() && unread.is_lingering() {
                        true => State::Reading(Reading::start()),
                        false => State::Closed,
                    }
                }
                State::Reading(reading) => {
                    ready!(reading.poll(stream, cx));
                    State::Closed
                }
                State::Closed => {
                    unread.lingering.store(false, Ordering::Relaxed);
                    return Poll::Ready(Ok(()));
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// A connection on which a request has come and was not read to its end.
    async fn unread() -> (DuplexStream, Lingering<DuplexStream>) {
        let (mut client, stream) = duplex(CHUNK);
        let (mut lingering, _) = Lingering::new(stream);
        client.write_all(b"POST").await.unwrap();
        lingering.read_exact(&mut [0; 4]).await.unwrap();
        (client, lingering)
    }

    /// How long it is read on while a client sends pieces of this size at this pace.
    async fn lingers(piece: usize, pace: Duration) -> Duration {
        let (mut client, mut lingering) = unread().await;
        let sending = tokio::spawn(async move {
            while client.write_all(&vec![0; piece]).await.is_ok() {
                sleep(pace).await;
            }
        });
        let started = Instant::now();
        lingering.shutdown().await.unwrap();
        let lingered = started.elapsed();
        drop(lingering);
        sending.await.unwrap();
        lingered
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_bounded() {
        let pace = SILENCE / 2;
        assert!(lingers(1, pace).await.abs_diff(TOTAL) <= pace);
        assert_eq!(lingers(1, SILENCE * 2).await, SILENCE);
        let some_time = Duration::from_millis(1);
        let pieces = u32::try_from(BYTES / CHUNK).unwrap();
        let all = lingers(CHUNK, some_time).await;
        assert!(
            some_time * (pieces - 2) <= all && all < TOTAL,
            "{all:?} until {BYTES} have come"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_client_ends_it() {
        let (mut client, mut lingering) = unread().await;
        let unread = lingering.unread.clone();
        let reading = tokio::spawn(async move {
            client.write_all(&[0; 3 * CHUNK]).await.unwrap();
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            answer
        });
        lingering.write_all(b"413").await.unwrap();
        let started = Instant::now();
        lingering.shutdown().await.unwrap();
        assert_eq!(reading.await.unwrap(), b"413");
        assert!(started.elapsed() < SILENCE);
        assert!(!unread.is_lingering());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_is_closed_at_once() {
        let (_client, mut lingering) = unread().await;
        let body = lingering.unread.watch(axum::body::Body::empty());
        let started = Instant::now();
        lingering.shutdown().await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
        drop(body);
    }

    #[tokio::test]
    async fn a_body_is_watched_to_its_end() {
        let (_client, lingering) = unread().await;
        let mut body = lingering.unread.watch(axum::body::Body::from("body"));
        assert!(lingering.unread.is_some());
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        assert!(frame.await.unwrap().is_ok());
        assert!(!lingering.unread.is_some());
    }
}
