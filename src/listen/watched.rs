//! A stream that knows whether bytes wait to be sent, and for how long.
//!
//! hyper has no limit for the time a client may take to read a response, and
//! does not tell whether one has been written to its end. Both show here: it
//! writes until all is sent or the stream is full.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// The stream of one connection.
pub struct Watched<T> {
    stream: T,
    unsent: Arc<AtomicBool>,
    /// Runs while the stream is full.
    stalled: Option<Pin<Box<Sleep>>>,
    limit: Duration,
}

impl<T> Watched<T> {
    /// Watches a stream: a write may make no progress for `limit`. The flag is
    /// set while bytes wait to be sent.
    pub fn new(stream: T, limit: Duration) -> (Self, Arc<AtomicBool>) {
        let unsent = Arc::new(AtomicBool::new(false));
        let watched = Self {
            stream,
            unsent: unsent.clone(),
            stalled: None,
            limit,
        };
        (watched, unsent)
    }

    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        write: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if write.is_ready() {
            // Only after a full stream is there anything to reset.
            if self.stalled.take().is_some() {
                self.unsent.store(false, Ordering::Relaxed);
            }
            return write;
        }
        self.unsent.store(true, Ordering::Relaxed);
        let limit = self.limit;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read its response",
        )))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, buffer);
        self.watch(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.watch(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
