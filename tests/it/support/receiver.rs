//! Who receives errors: a server of Sentry's protocol that keeps every byte it is sent.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::Value;

use super::{certificates::Certificate, process::eventually};

/// What Sentry answers.
pub const TAKEN: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Received(pub Vec<u8>);

/// Listens until the test process ends.
pub struct Receiver {
    pub port: u16,
    connections: Arc<Mutex<usize>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Answers every request with this text; with an empty one, never.
    pub fn answering(answer: &'static str) -> Self {
        Self::start(answer, None)
    }

    /// Over TLS.
    pub fn with_certificate(certificate: &Certificate) -> Self {
        let chain = CertificateDer::from_pem_file(&certificate.certificate).unwrap();
        let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        Self::start(TAKEN, Some(Arc::new(config)))
    }

    fn start(answer: &'static str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            received: Arc::default(),
        };
        let (connections, received) = (receiver.connections.clone(), receiver.received.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                *connections.lock().unwrap() += 1;
                let (received, tls) = (received.clone(), tls.clone());
                thread::spawn(move || match tls {
                    None => serve(stream, answer, &received),
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).unwrap();
                        serve(StreamOwned::new(connection, stream), answer, &received);
                    }
                });
            }
        });
        receiver
    }

    /// A DSN that leads here.
    pub fn dsn(&self) -> String {
        format!("http://publickey@127.0.0.1:{}/7", self.port)
    }

    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits for an error with this message.
    pub fn error(&self, message: &str) -> Value {
        eventually(message, || {
            let events = self.received().into_iter().map(|received| received.event());
            let mut matching = events.filter(|event| event["logentry"]["formatted"] == message);
            matching.next()
        })
    }
}

/// Reads one request, answers, and waits until the client goes.
fn serve(mut stream: impl Read + Write, answer: &str, received: &Mutex<Vec<Received>>) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    while !is_whole(&bytes) {
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => bytes.extend(&buffer[..length]),
            Ok(0) | Err(_) => return,
        }
    }
    received.lock().unwrap().push(Received(bytes));
    let _ = stream.write_all(answer.as_bytes());
    let _ = stream.flush();
    while let Ok(1..) = stream.read(&mut buffer) {}
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let mut lengths = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.parse::<usize>().unwrap())
    });
    lengths.next() == Some(body.len())
}

impl Received {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.clone()).unwrap()
    }

    /// The one event of the envelope, which is checked on the way.
    #[track_caller]
    pub fn event(&self) -> Value {
        let text = self.text();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("POST /api/7/envelope/ HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.contains("content-type: application/x-sentry-envelope"),
            "{head}"
        );
        let authorization = head
            .lines()
            .find_map(|line| line.strip_prefix("x-sentry-auth: "));
        let authorization = authorization.unwrap();
        assert!(
            authorization.starts_with("Sentry sentry_version=7, "),
            "{head}"
        );
        assert!(authorization.ends_with("sentry_key=publickey"), "{head}");

        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let (header, rest) = body.split_once('\n').unwrap();
        let (item, payload) = rest.split_once('\n').unwrap();
        let (header, item) = (json(header), json(item));
        assert_eq!(item["type"], "event");
        let length = item["length"].as_u64().unwrap() as usize;
        assert_eq!(&payload[length..], "\n", "one item and no more");
        let event = json(&payload[..length]);
        assert_eq!(event["event_id"], header["event_id"]);
        let id = event["event_id"].as_str().unwrap();
        assert!(
            id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{id}"
        );
        event
    }
}
