//! Open listeners, and those who accept from them.

use std::io;

use socket2::Socket;
use tokio::sync::{mpsc, watch};

/// Connections that may wait to be accepted. The kernel caps it at
/// `net.core.somaxconn`; a full queue makes nginx try the next replica.
pub(super) const BACKLOG: i32 = 4096;

/// Where the process is in its life, as connections need to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// New connections are welcome.
    Serving,
    /// What has arrived is served, then connections close.
    Closing,
}

/// A listening socket. When this is dropped, what has reached it is served, its
/// connections close, and so does the socket.
#[derive(Debug)]
pub struct Listening {
    socket: Socket,
    phase: watch::Sender<Phase>,
}

impl Listening {
    /// From now on its connections are welcome.
    pub fn new(socket: Socket) -> Self {
        Self {
            socket,
            phase: watch::Sender::new(Phase::Serving),
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.phase.send_replace(Phase::Closing);
    }
}

/// A listening socket, as one of those who accept from it gets it.
#[derive(Debug)]
pub struct Offer {
    /// The socket.
    pub socket: Socket,
    /// Says when to close.
    pub phase: watch::Receiver<Phase>,
}

/// All who accept from the same listeners: the workers, or the main thread.
#[derive(Debug, Clone)]
pub struct Acceptors(Vec<mpsc::UnboundedSender<Offer>>);

impl Acceptors {
    /// So many, each by its end of the line.
    pub fn new(number: usize) -> (Self, Vec<mpsc::UnboundedReceiver<Offer>>) {
        let (senders, receivers) = (0..number).map(|_| mpsc::unbounded_channel()).unzip();
        (Self(senders), receivers)
    }

    /// Has all of them accept from this socket until it is dropped.
    ///
    /// # Errors
    ///
    /// If there are no descriptors left; then nobody does.
    pub fn offer(&self, listening: &Listening) -> io::Result<()> {
        let offers = self.0.iter().map(|_| {
            Ok(Offer {
                socket: listening.socket.try_clone()?,
                phase: listening.phase.subscribe(),
            })
        });
        let offers = offers.collect::<io::Result<Vec<_>>>()?;
        for (acceptor, offer) in self.0.iter().zip(offers) {
            // One that has ended ends the process.
            let _ = acceptor.send(offer);
        }
        Ok(())
    }
}
