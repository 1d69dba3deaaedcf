//! Accepting connections, and closing listeners well.

use std::{
    io,
    net::SocketAddr,
    panic::resume_unwind,
    time::{Duration, Instant},
};

use socket2::Socket;
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{mpsc, watch},
    task::JoinSet,
    time::sleep,
};

use super::{
    connection::{Connections, Service},
    offer::{Offer, Phase},
};
use crate::supervision::Part;

/// After the path is withdrawn, connects that had found it before still arrive.
const LAST_CONNECTS: Duration = Duration::from_millis(100);

/// Pause after an `accept` that failed for want of descriptors or memory:
/// trying on without one would spin.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// As long as this lasts, or if it comes back, it is said again after this time.
const SAID_AGAIN: Duration = Duration::from_secs(60);

/// A listener on a runtime.
enum Acceptor {
    /// TCP.
    Tcp(TcpListener),
    /// Unix.
    Unix(UnixListener),
}

enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Accepted {
    fn serve(self, connections: &Connections) {
        match self {
            Self::Tcp(stream, address) => {
                // Responses are written in one piece: Nagle's algorithm would only delay them.
                let _ = stream.set_nodelay(true);
                connections.serve(stream, Some(address));
            }
            Self::Unix(stream) => connections.serve(stream, None),
        }
    }
}

impl Acceptor {
    /// Accepts from the socket on the current runtime.
    fn new(socket: Socket) -> io::Result<Self> {
        Ok(if socket.local_addr()?.is_unix() {
            Self::Unix(UnixListener::from_std(socket.into())?)
        } else {
            Self::Tcp(TcpListener::from_std(socket.into())?)
        })
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => listener
                .accept()
                .await
                .map(|(stream, peer)| Accepted::Tcp(stream, peer)),
            Self::Unix(listener) => listener
                .accept()
                .await
                .map(|(stream, _)| Accepted::Unix(stream)),
        }
    }

    /// Takes a connection the kernel has queued. The runtime is not asked: it
    /// may not have heard of the connection yet.
    fn accept_queued(&self) -> io::Result<Accepted> {
        use std::os::fd::AsFd;
        let queued = match self {
            Self::Tcp(listener) => socket2::SockRef::from(&listener.as_fd()).accept(),
            Self::Unix(listener) => socket2::SockRef::from(&listener.as_fd()).accept(),
        };
        let (socket, peer) = queued?;
        socket.set_nonblocking(true)?;
        match peer.as_socket() {
            Some(peer) => Ok(Accepted::Tcp(TcpStream::from_std(socket.into())?, peer)),
            None => Ok(Accepted::Unix(UnixStream::from_std(socket.into())?)),
        }
    }
}

/// Serves every listener that is offered, until no more can be and the last
/// connection has closed.
///
/// # Panics
///
/// If serving one of them does.
pub async fn run_all(mut offers: mpsc::UnboundedReceiver<Offer>, service: Service) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            offer = offers.recv() => {
                let Some(offer) = offer else { break };
                match Acceptor::new(offer.socket) {
                    Ok(acceptor) => {
                        let accepting = run(acceptor, service.clone(), offer.phase);
                        Part::Accepting.join_in(&mut running, accepting);
                    }
                    // The others accept from it. A path on which nobody does is tried again.
                    Err(error) => {
                        tracing::error!(%error, "a thread cannot accept from one of the listeners");
                    }
                }
            }
            Some(ended) = running.join_next() => {
                if let Err(panicked) = ended {
                    // Not a panic of its own: the log has it.
                    resume_unwind(panicked.into_panic());
                }
            }
        }
    }
    running.join_all().await;
}

/// Accepts and serves until the phase is [`Phase::Closing`], then serves what
/// is queued and in flight, and returns when the last connection has closed.
async fn run(acceptor: Acceptor, service: Service, mut phase: watch::Receiver<Phase>) {
    let connections = Connections::new(service, phase.clone());
    let closing = async {
        // An error means the sender is gone, and with it the listener.
        let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
        sleep(LAST_CONNECTS).await;
    };
    tokio::select! {
        () = accept_forever(&acceptor, &connections) => {}
        () = closing => {}
    }
    // Connections still queued when a listener closes are reset.
    loop {
        match acceptor.accept_queued() {
            Ok(accepted) => accepted.serve(&connections),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => break,
        }
    }
    drop(acceptor);
    connections.ended().await;
}

async fn accept_forever(acceptor: &Acceptor, connections: &Connections) {
    let mut said: Option<Instant> = None;
    loop {
        match acceptor.accept().await {
            Ok(accepted) => accepted.serve(connections),
            // The client was gone before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Not again for each connection that finds room when another one goes.
                if said.is_none_or(|said| said.elapsed() > SAID_AGAIN) {
                    said = Some(Instant::now());
                    tracing::error!(%error, "connections cannot be accepted; raise the limit of open files (ulimit -n)");
                }
                sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}
