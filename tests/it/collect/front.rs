//! What stands between a browser and the service: it serves pages, and loses what it is told to lose.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What becomes of a visit that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is passed on.
    Passes,
    /// Its connection is closed before the service has it.
    IsLost,
    /// The service has it, and its answer is lost.
    IsUnanswered,
    /// Nobody passes it on, and nobody answers.
    Hangs,
}

/// A port that passes requests on to the service.
pub struct Front {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    service: String,
    /// Of the visits that come next; all after these pass.
    fates: Mutex<Vec<Fate>>,
    /// Visits that were sent here.
    sent: AtomicUsize,
}

impl Front {
    pub async fn of(service: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            service,
            fates: Mutex::default(),
            sent: AtomicUsize::new(0),
        });
        let accepting = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = accepting.clone();
                tokio::spawn(async move { state.serve(stream).await });
            }
        });
        Self { port, state }
    }

    /// Has the next visit end like this.
    pub fn next(&self, fate: Fate) {
        self.state.fates.lock().unwrap().push(fate);
    }

    /// Visits that were sent so far.
    pub fn sent(&self) -> usize {
        self.state.sent.load(Ordering::SeqCst)
    }
}

impl State {
    /// One request of a connection.
    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let request = read_request(&mut stream).await?;
        let is_visit = ["POST /collect ", "GET /collect.gif"]
            .iter()
            .any(|start| request.starts_with(start.as_bytes()));
        let mut fate = Fate::Passes;
        if is_visit {
            fate = self.fates.lock().unwrap().pop().unwrap_or(fate);
            self.sent.fetch_add(1, Ordering::SeqCst);
        }
        match fate {
            Fate::IsLost => return None,
            Fate::Hangs => {
                // Until the browser gives up.
                while stream.read(&mut [0; 1024]).await.ok()? > 0 {}
                return None;
            }
            Fate::Passes | Fate::IsUnanswered => {}
        }
        let mut service = TcpStream::connect(&self.service).await.ok()?;
        service.write_all(&request).await.ok()?;
        let mut answer = Vec::new();
        service.read_to_end(&mut answer).await.ok()?;
        if fate == Fate::Passes {
            stream.write_all(&answer).await.ok()?;
        }
        Some(())
    }
}

/// A whole request, which asks for the connection to be closed after its answer.
async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lines = head
                .lines()
                .filter(|line| !starts_with(line, "connection:"));
            let length = head
                .lines()
                .find(|line| starts_with(line, "content-length:"))
                .and_then(|line| line.split(':').nth(1)?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let head: Vec<_> = lines.collect();
                let request = format!("{}\r\nconnection: close\r\n\r\n{body}", head.join("\r\n"));
                return Some(request.into_bytes());
            }
        }
        match stream.read(&mut part).await.ok()? {
            0 => return None,
            read => bytes.extend_from_slice(&part[..read]),
        }
    }
}

fn starts_with(line: &str, name: &str) -> bool {
    line.get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// Serves this page under all paths, whatever it is at the time; the port.
pub async fn pages(html: Arc<Mutex<String>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let html = html.lock().unwrap().clone();
            tokio::spawn(async move {
                if read_request(&mut stream).await.is_some() {
                    let length = html.len();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                    );
                    let _ = stream.write_all((head + &html).as_bytes()).await;
                }
            });
        }
    });
    port
}
