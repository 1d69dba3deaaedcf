//! Listening on TCP, and why an address cannot be listened on.

use std::{io, net::ToSocketAddrs, path::PathBuf};

use socket2::{Domain, Protocol, Socket, Type};

use super::{
    offer::{BACKLOG, Listening},
    socket::SocketError,
};

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
