//! The kernel's queue of connections that nobody has accepted yet.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
};

use rustix::process::Signal;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::support::{Footfall, client::pings, directories::both, process::allow_descriptors};

/// More than any queue holds here (`net.core.somaxconn`), and fewer than a process may open.
const TOO_MANY: usize = 4500;

const PING: &[u8] = b"GET /api/ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// A service that is held up accepts what has queued, however full the queue was.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_served_to_its_end() {
    allow_descriptors(10_000);
    for directory in both() {
        let path = directory.path().join("f.sock");
        let footfall = Footfall::builder().socket(&path).start();
        footfall.process.signal(Signal::STOP);
        let address = SockAddr::unix(&path).unwrap();
        let mut queued: Vec<UnixStream> = Vec::new();
        let refusal = loop {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            match socket.connect(&address) {
                Ok(()) => queued.push(socket.into()),
                Err(error) => break error,
            }
            assert!(queued.len() < TOO_MANY, "the queue has no end");
        };
        // Not refused: a proxy is to try another replica, and nobody to take the path.
        assert_eq!(refusal.kind(), ErrorKind::WouldBlock);
        assert!(queued.len() > 100, "{}", queued.len());
        for stream in &mut queued {
            stream.write_all(PING).unwrap();
        }
        footfall.process.signal(Signal::CONT);
        for mut stream in queued {
            stream.set_nonblocking(false).unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).unwrap();
            assert!(reply.starts_with("HTTP/1.1 200 "), "{reply:?}");
        }
        assert!(pings(&path).await);
    }
}
