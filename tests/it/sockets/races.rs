//! Sockets that come and go at once, thousands of times, by the very code that a start and a
//! stop run. Threads stand for processes: the lock is one on an open file, and so keeps threads
//! apart as well.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
};

use footfall::{
    config::values::SocketTemplate,
    listen::socket::{Paths, PublishedSocket, SocketError, bind, listens},
};
use socket2::Socket;

use crate::support::directories::both;

const THREADS: u64 = 4;

/// How a process gives its path up.
#[derive(Debug, Clone, Copy)]
enum End {
    /// It withdraws the path and closes the socket.
    Clean,
    /// It withdraws the path, and closes the socket when others are there already.
    Drained,
    /// It is killed.
    Killed,
}

const ENDS: [End; 3] = [End::Clean, End::Drained, End::Killed];

/// Binds and publishes a socket, as a start does.
fn publish(template: &SocketTemplate) -> Result<(Socket, PublishedSocket), (PathBuf, SocketError)> {
    let paths = Paths::of(template);
    let (socket, hidden) =
        bind(&paths, 0o660).map_err(|error| (paths.first().to_owned(), error))?;
    Ok((socket, hidden.publish()?))
}

/// A socket whose path is ours. While it is there the socket is to be open.
struct Running(PublishedSocket, Socket);

impl Running {
    /// Whether who connects to the path reaches this socket, and not another one.
    fn is_reached(&self, word: u64) -> bool {
        let mut client = UnixStream::connect(self.0.path()).unwrap();
        client.write_all(&word.to_be_bytes()).unwrap();
        drop(client);
        // Others look whether somebody is here, and say nothing.
        while let Ok((mut accepted, _)) = self.1.accept() {
            let mut heard = Vec::new();
            accepted.set_nonblocking(false).unwrap();
            accepted.read_to_end(&mut heard).unwrap();
            if heard == word.to_be_bytes() {
                return true;
            }
        }
        false
    }

    /// What is left is a process that drains.
    fn end(self, how: End) -> Option<Self> {
        match how {
            End::Clean => self.0.withdraw(),
            End::Drained => {
                self.0.withdraw();
                return Some(self);
            }
            End::Killed => std::mem::forget(self.0),
        }
        None
    }
}

/// So many starts and stops, at one path or at slots.
fn race(directory: &Path, name: &str, rounds: u64) {
    let listen = format!("{}/{name}", directory.display());
    let (starts, live) = (AtomicU64::new(0), AtomicUsize::new(0));
    let contend = || {
        let template: SocketTemplate = listen.parse().unwrap();
        let mut draining = None;
        while starts.load(Ordering::Relaxed) < rounds {
            let running = match publish(&template) {
                Ok((socket, published)) => Running(published, socket),
                Err((_, SocketError::Live)) if !template.has_slot() => {
                    thread::yield_now();
                    continue;
                }
                // On a busy machine the others may hold the lock for longer than a start waits.
                Err((_, SocketError::Locked(_))) => continue,
                Err((path, error)) => panic!("{}: {error}", path.display()),
            };
            let number = starts.fetch_add(1, Ordering::Relaxed);
            let others = live.fetch_add(1, Ordering::SeqCst);
            assert!(template.has_slot() || others == 0, "two at one path");
            assert!(running.is_reached(number), "another one has the path");
            // The predecessor is done; it must not take the path with it.
            drop(draining.take());
            // Another one that has the lock puts them in order.
            match running.0.repair(&listens) {
                Ok(()) | Err(SocketError::Locked(_)) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(running.is_reached(number), "the path was taken away");
            live.fetch_sub(1, Ordering::SeqCst);
            draining = running.end(ENDS[number as usize % ENDS.len()]);
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(contend);
        }
    });
    // Whatever is left, the next one starts, and leaves nothing behind.
    let (socket, published) = publish(&listen.parse().unwrap()).unwrap();
    let last = Running(published, socket);
    assert!(last.is_reached(u64::MAX));
    drop(last);
    let left: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, [".footfall.lock"]);
}

#[test]
fn two_thousand_starts_and_stops_at_one_path() {
    for directory in both() {
        race(directory.path(), "f.sock", 2000);
    }
}

#[test]
fn hundreds_of_starts_and_stops_at_slots() {
    for directory in both() {
        race(directory.path(), "{slot}.sock", 300);
    }
}
