//! A proxy that passes on what a server says later than it was said.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

/// Listens on a port of its own until it is dropped.
pub struct SlowProxy {
    pub port: u16,
    milliseconds: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl SlowProxy {
    /// In front of this port, at first without delay.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let milliseconds = Arc::new(AtomicU64::new(0));
        let delay = milliseconds.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Either side may go away at any moment; then so does the other.
                tokio::spawn(relay(client, server, delay.clone()));
            }
        });
        Self {
            port,
            milliseconds,
            accepting,
        }
    }

    /// Each thing that the server says from now on is this much late.
    pub fn delay(&self, delay: Duration) {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap();
        self.milliseconds.store(milliseconds, Ordering::Relaxed);
    }
}

impl Drop for SlowProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn relay(client: TcpStream, server: u16, delay: Arc<AtomicU64>) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", server)).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async {
        let mut buffer = [0; 16384];
        loop {
            let length = from_server.read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            sleep(Duration::from_millis(delay.load(Ordering::Relaxed))).await;
            to_client.write_all(&buffer[..length]).await?;
        }
    };
    tokio::select! {
        asked = tokio::io::copy(&mut from_client, &mut to_server) => asked.map(drop),
        answered = answers => answered,
    }
}
