//! Open listeners, and those who accept from them.

use std::{io, net::ToSocketAddrs, path::PathBuf};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{mpsc, watch};

use super::{
    accept::{Acceptor, Phase},
    socket::SocketError,
};

/// Connections that may wait to be accepted. The kernel caps it at
/// `net.core.somaxconn`; a full queue makes nginx try the next replica.
pub(super) const BACKLOG: i32 = 4096;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A TCP address.
    #[error("cannot listen on {address}: {source}{}", hint(.source))]
    Tcp {
        /// As in the settings.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A Unix socket.
    #[error("cannot listen on unix:{}: {source}", .path.display())]
    Unix {
        /// The path, as far as it is known.
        path: PathBuf,
        /// What is wrong.
        source: SocketError,
    },
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another process has this port, so stop that one or choose another port"
        }
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
        io::ErrorKind::AddrNotAvailable => "; no interface of this machine has this address",
        _ => "",
    }
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
    socket: Socket,
    /// Says when to close.
    phase: watch::Receiver<Phase>,
}

impl Offer {
    /// Accepts from the socket on the current runtime, and says when to close.
    ///
    /// # Errors
    ///
    /// If the runtime cannot watch one more socket.
    pub fn acceptor(self) -> io::Result<(Acceptor, watch::Receiver<Phase>)> {
        let acceptor = if self.socket.local_addr()?.is_unix() {
            Acceptor::Unix(tokio::net::UnixListener::from_std(self.socket.into())?)
        } else {
            Acceptor::Tcp(tokio::net::TcpListener::from_std(self.socket.into())?)
        };
        Ok((acceptor, self.phase))
    }
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

/// Listens on a TCP address; also tells where exactly.
///
/// # Errors
///
/// If none of the name's addresses can be listened on.
pub fn bind_tcp(host: &str, port: u16) -> io::Result<(Listening, String)> {
    let mut last_error = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match listen(address) {
            Ok(socket) => {
                let local = socket.local_addr()?.as_socket();
                let local = local.map_or_else(String::new, |address| format!("tcp:{address}"));
                return Ok((Listening::new(socket), local));
            }
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

fn listen(address: std::net::SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // Else a restart would wait for connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
