//! The whole service without its sockets: what a client sends goes in at the
//! edge, and what it would get comes out.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode},
};
use footfall::{
    counting::{Batch, Company, CounterId, Visit, counts::CounterStore},
    edge::{Edge, Peer},
    storage::StoreError,
    supervision::Ends,
};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

#[path = "../../tests/it/support/assembly.rs"]
mod assembly;

use self::assembly::Assembly;

/// Signs [`TOKEN`], and nothing else anywhere.
const SECRET_KEY: &str = "a-key-for-the-fuzz-targets-that-signs-nothing-else";

/// Valid until the year 2100. It stands here, and not only in memory, so that
/// seeds can hold it and a fuzzer can change it.
pub const TOKEN: &str = concat!(
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6ImY3YjI2MTg5OGE4MTc5NzQifQ.",
    "eyJpc3MiOiJmb290ZmFsbCIsInN1YiI6ImFkbWluIiwiaWF0IjoxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAs",
    "Imp0aSI6IjEiLCJyb2xlIjoiYWRtaW4ifQ.",
    "0y1GDyXs3OopljoTZ2BJ69ajI8VzNxS3wwqZAPki_Nk",
);

/// `password`, hashed with the least work there is: thousands are tried.
const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$j7ReNldD2qVAaGHQLgldzA$lxGdmalPMZ5T35WaetE50biBiGo8xBDXAgUJPrdNkcA";

/// The counters there are, in the order of their names, each with one visit.
pub const COUNTERS: [&str; 5] = ["0", "a", "a.b", "page-2", "visits"];

/// What a client got.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(HeaderValue::as_bytes)
    }

    /// The code of a problem document; nothing but a proper one will do.
    pub fn code(&self) -> String {
        let document = self.json();
        assert_eq!(
            self.header("content-type"),
            Some(&b"application/problem+json"[..])
        );
        assert_eq!(document["status"], self.status.as_u16());
        assert_eq!(
            document["request_id"].as_str().map(str::as_bytes),
            self.header("x-request-id")
        );
        document["code"].as_str().expect("a code").to_owned()
    }
}

/// A request: what a test says of it, and `GET` without headers else.
pub struct Question<'a> {
    pub peer: Peer,
    pub method: Method,
    pub target: &'a str,
    pub headers: &'a [(&'a str, &'a [u8])],
    pub body: &'a [u8],
}

impl<'a> Question<'a> {
    /// From the proxy.
    pub fn get(target: &'a str, headers: &'a [(&'a str, &'a [u8])]) -> Self {
        Self {
            peer: Peer::unix(Arc::from([])),
            method: Method::GET,
            target,
            headers,
            body: b"",
        }
    }

    /// `None` if no HTTP parser would let this through.
    fn request(&self) -> Option<Request<Body>> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(self.target)
            .header("host", "localhost");
        for (name, value) in self.headers {
            request = request.header(*name, HeaderValue::from_bytes(value).ok()?);
        }
        request.body(Body::from(self.body.to_vec())).ok()
    }
}

/// One worker, on an embedded store that takes no more visits: an identity that is
/// accepted costs no transaction then, only a 503.
pub struct Service {
    runtime: Runtime,
    edge: Edge,
    /// What has ended in the background.
    ends: Ends,
    _folder: tempfile::TempDir,
}

impl Service {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = [
            ("FOOTFALL_ENV", "testing"),
            ("SECRET_KEY", SECRET_KEY),
            ("FOOTFALL_ADMIN_PASSWORD_HASH", PASSWORD_HASH),
            ("FOOTFALL_PROXY_REQUEST_ID", "on"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (edge, ends) = runtime.block_on(async {
            let parts = Assembly::new(&environment, folder.path()).await;
            let store = parts.store;
            let batches = COUNTERS.map(|name| Batch {
                counter: CounterId {
                    company: Company::Default,
                    name: name.parse().expect("a name"),
                },
                visits: vec![Visit::default()],
                known: None,
            });
            let counted = CounterStore::new(store.clone(), &parts.settings.store)
                .count(&batches)
                .await;
            assert!(counted.iter().all(Result::is_ok), "{counted:?}");
            store.health.mark_away(&StoreError::Timeout);
            let edge = parts.application.public_edge(store, &parts.supervisor);
            (edge, parts.ends)
        });
        Self {
            runtime,
            edge,
            ends,
            _folder: folder,
        }
    }

    /// What a client gets; `None` if no HTTP parser would let the request through.
    pub fn answer(&mut self, question: &Question<'_>) -> Option<Answer> {
        let request = question.request()?;
        let answer = self.runtime.block_on(async {
            let response = self.edge.serve(question.peer.clone(), request).await;
            let (head, body) = response.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            Answer {
                status: head.status,
                headers: head.headers,
                body,
            }
        });
        let ended = self.ends.try_recv();
        assert!(ended.is_err(), "{ended:?}");
        Some(answer)
    }
}
