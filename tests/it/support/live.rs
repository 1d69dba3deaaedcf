//! A page whose numbers move, as far as its stream goes: what a browser's `EventSource` does
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>), and the script of the console where that gives up.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle, time::sleep};

use super::reader::Reader;

/// After which the script asks again, the first time.
const AGAIN: Duration = Duration::from_millis(500);

/// What browsers do before they are told otherwise.
const RETRY: Duration = Duration::from_secs(3);

/// A page that follows one counter.
pub struct LivePage {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

/// What became of it.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Each number, as it came.
    pub numbers: Vec<(Instant, u64)>,
    /// Streams that were opened.
    pub streams: usize,
    /// Answers that were none: browsers give up on these.
    pub refused: Vec<u16>,
}

impl LivePage {
    /// Behind this address, with the cookies of a browser.
    pub fn open(address: &str, reader: &Reader, counter: &str) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let cookies = reader.cookies.iter();
        let cookies: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let source = Source {
            address: address.to_owned(),
            cookies: cookies.join("; "),
            counter: counter.to_owned(),
            last_id: String::new(),
            retry: RETRY,
            again: AGAIN,
            seen: seen.clone(),
        };
        Self {
            seen,
            task: tokio::spawn(source.follow()),
        }
    }

    /// What became of it until now.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// The number that it shows.
    pub fn number(&self) -> Option<u64> {
        let seen = self.seen.lock().unwrap();
        seen.numbers.last().map(|(_, number)| *number)
    }
}

impl Drop for LivePage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Source {
    address: String,
    cookies: String,
    counter: String,
    last_id: String,
    retry: Duration,
    again: Duration,
    seen: Arc<Mutex<Seen>>,
}

impl Source {
    async fn follow(mut self) {
        loop {
            match self.ask().await {
                Some(response) if is_stream(&response) => {
                    self.note(|seen| seen.streams += 1);
                    self.read(response.into_body()).await;
                    sleep(self.retry).await;
                }
                Some(response) => {
                    self.note(|seen| seen.refused.push(response.status().as_u16()));
                    sleep(self.again).await;
                    self.again *= 2;
                }
                None => sleep(self.retry).await,
            }
        }
    }

    /// `None` if there is no answer.
    async fn ask(&self) -> Option<Response<Incoming>> {
        let stream = TcpStream::connect(&self.address).await.ok()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        let request = Request::get(format!("/console/live?counters={}", self.counter))
            .header("host", "localhost")
            .header("accept", "text/event-stream")
            .header("cache-control", "no-store")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", &self.cookies);
        let request = match self.last_id.is_empty() {
            true => request,
            false => request.header("last-event-id", &self.last_id),
        };
        sender
            .send_request(request.body(Empty::<Bytes>::new()).unwrap())
            .await
            .ok()
    }

    /// Reads a stream until it ends, however it does.
    async fn read(&mut self, mut body: Incoming) {
        let (mut bytes, mut event) = (Vec::new(), Event::default());
        while let Some(Ok(frame)) = body.frame().await {
            bytes.extend_from_slice(frame.data_ref().map_or(&[], Bytes::as_ref));
            while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<_> = bytes.drain(..=end).collect();
                let line = std::str::from_utf8(&line).unwrap().trim_end();
                self.line(line, &mut event);
            }
        }
    }

    fn line(&mut self, line: &str, event: &mut Event) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" if line.is_empty() => self.came(std::mem::take(event)),
            "event" => value.clone_into(&mut event.name),
            "data" => event.data.push_str(value),
            "id" => value.clone_into(&mut self.last_id),
            "retry" => self.retry = Duration::from_millis(value.parse().unwrap()),
            _ => {}
        }
    }

    fn came(&mut self, event: Event) {
        if event.name != "visits" {
            return;
        }
        self.again = AGAIN;
        let counts: BTreeMap<String, String> = serde_json::from_str(&event.data).unwrap();
        if let Some(count) = counts.get(&self.counter) {
            let number = (Instant::now(), count.parse().unwrap());
            self.note(|seen| seen.numbers.push(number));
        }
    }

    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap());
    }
}

#[derive(Default)]
struct Event {
    name: String,
    data: String,
}

fn is_stream(response: &Response<Incoming>) -> bool {
    let kind = response.headers().get("content-type");
    response.status() == 200 && kind.is_some_and(|kind| kind == "text/event-stream")
}
