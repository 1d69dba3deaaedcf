//! Binding the addresses of the settings.

use std::{io, net::ToSocketAddrs, path::PathBuf};

use socket2::{Domain, Protocol, Socket, Type};

use super::{
    accept::Acceptor,
    socket::{self, PublishedSocket, SocketError},
};
use crate::config::values::ListenAddress;

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

/// A listening socket. The path of a Unix socket is withdrawn when this is dropped.
pub struct Bound {
    /// Where it really listens: the port the kernel chose, the path of the slot.
    pub address: String,
    // Before the listener, since fields are dropped in this order: while the
    // listener is open no other file can have its inode.
    published: Option<PublishedSocket>,
    socket: Socket,
    is_unix: bool,
}

impl Bound {
    /// Accepts from this socket on the current runtime.
    pub fn acceptor(&self) -> io::Result<Acceptor> {
        let socket = self.socket.try_clone()?;
        if self.is_unix {
            Ok(Acceptor::Unix(tokio::net::UnixListener::from_std(
                socket.into(),
            )?))
        } else {
            Ok(Acceptor::Tcp(tokio::net::TcpListener::from_std(
                socket.into(),
            )?))
        }
    }

    /// Puts the slots beside a Unix socket in order that a crashed replica has left.
    pub fn repair(&self) {
        if let Some(published) = &self.published {
            published.repair();
        }
    }

    /// Withdraws the path of a Unix socket: nobody new finds it.
    pub fn unpublish(&self) {
        if let Some(published) = &self.published {
            published.withdraw();
        }
    }
}

/// Binds all addresses, or none.
pub fn bind_all(addresses: &[ListenAddress], socket_mode: u32) -> Result<Vec<Bound>, BindError> {
    addresses
        .iter()
        .map(|address| match address {
            ListenAddress::Tcp { host, port } => {
                bind_tcp(host, *port).map_err(|source| BindError::Tcp {
                    address: address.to_string(),
                    source,
                })
            }
            ListenAddress::Unix(template) => {
                let (socket, published) = socket::publish(template, socket_mode)
                    .map_err(|(path, source)| BindError::Unix { path, source })?;
                let address = format!("unix:{}", published.path().display());
                Ok(Bound {
                    address,
                    published: Some(published),
                    socket,
                    is_unix: true,
                })
            }
        })
        .collect()
}

fn bind_tcp(host: &str, port: u16) -> io::Result<Bound> {
    let mut last_error = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        let bind = || -> io::Result<Socket> {
            let socket = Socket::new(
                Domain::for_address(address),
                Type::STREAM,
                Some(Protocol::TCP),
            )?;
            // Else a restart would wait for connections in TIME_WAIT.
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        match bind() {
            Ok(socket) => {
                let local = socket
                    .local_addr()?
                    .as_socket()
                    .map_or_else(String::new, |address| address.to_string());
                return Ok(Bound {
                    address: format!("tcp:{local}"),
                    published: None,
                    socket,
                    is_unix: false,
                });
            }
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}
