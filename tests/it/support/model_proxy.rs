//! Stands between the service and Redis, and cuts and delays as it is told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// Where a connection is cut that carries a count.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// Before Redis sees the command.
    Command,
    /// Once Redis has executed it, before any of its reply.
    Reply,
    /// So many bytes into its reply.
    InsideReply(usize),
}

#[derive(Debug)]
struct State {
    redis: u16,
    cut: Mutex<Option<Cut>>,
    held_until: Mutex<Instant>,
}

#[derive(Debug)]
pub struct ModelProxy {
    pub port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

impl ModelProxy {
    /// In front of the Redis at this port.
    pub async fn start(redis: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            redis,
            cut: Mutex::new(None),
            held_until: Mutex::new(Instant::now()),
        });
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(relay(client, shared.clone()));
            }
        });
        Self {
            port,
            state,
            accepting,
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Cuts the connection of the next count; `None` takes that back.
    pub fn cut_next(&self, cut: Option<Cut>) {
        *self.state.cut.lock().unwrap() = cut;
    }

    /// Commands wait here for so long, whether or not anybody still waits for them.
    pub fn hold(&self, pause: Duration) {
        *self.state.held_until.lock().unwrap() = Instant::now() + pause;
    }
}

impl Drop for ModelProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Whether it is a visit that is counted: the replicas try each second whether they could.
fn is_count(command: &[u8]) -> bool {
    let says = |what: &[u8]| {
        let mut words = command.windows(what.len());
        words.any(|word| word.eq_ignore_ascii_case(what))
    };
    says(b"evalsha") && !says(b"{.probe-")
}

/// Whoever hangs up, both sides are closed.
async fn relay(mut client: TcpStream, state: Arc<State>) {
    let Ok(mut redis) = TcpStream::connect(("127.0.0.1", state.redis)).await else {
        return;
    };
    let (mut command, mut reply) = (vec![0; 65536], vec![0; 65536]);
    let mut cut = None;
    loop {
        let written = tokio::select! {
            Ok(length @ 1..) = client.read(&mut command) => {
                let held_until = *state.held_until.lock().unwrap();
                sleep_until(held_until).await;
                let command = &command[..length];
                if is_count(command) {
                    cut = state.cut.lock().unwrap().take();
                }
                if matches!(cut, Some(Cut::Command)) {
                    return;
                }
                redis.write_all(command).await
            }
            Ok(length @ 1..) = redis.read(&mut reply) => match cut {
                None => client.write_all(&reply[..length]).await,
                Some(Cut::InsideReply(bytes)) if length > 1 => {
                    let _ = client.write_all(&reply[..1 + bytes % (length - 1)]).await;
                    return;
                }
                Some(_) => return,
            },
            else => return,
        };
        if written.is_err() {
            return;
        }
    }
}
