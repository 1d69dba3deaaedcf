use std::{convert::Infallible, path::Path};

use axum::{Router, response::IntoResponse, routing::get};
use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::UnixStream,
};
use tokio_util::task::TaskTracker;

use super::*;
use crate::{
    config::Settings,
    edge::Routes,
    listen::Fitness,
    listen::{
        accept::run_all,
        offer::{Acceptors, Listening},
    },
    storage::{Store, metrics::StoreMetrics},
    supervision::Vitals,
};

/// A chunk each 100 ms: for longer than an idle connection, or one without a
/// request, is left when its listener closes.
const CHUNKS: usize = 32;

fn slow_body() -> Body {
    let chunks = stream::iter(0..CHUNKS).then(|_| async {
        sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>("chunk")
    });
    Body::from_stream(chunks)
}

/// One event, and then none for ever.
fn events() -> impl IntoResponse {
    let first = stream::iter([Ok::<_, Infallible>("data: 1\n\n")]);
    let kind = [(header::CONTENT_TYPE, "Text/Event-Stream; charset=utf-8")];
    (kind, Body::from_stream(first.chain(stream::pending())))
}

/// One event after the other, as fast as they are taken.
fn flood() -> impl IntoResponse {
    let events = stream::repeat_with(|| Ok::<_, Infallible>("data: 1\n\n"));
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    (kind, Body::from_stream(events))
}

/// More than a client that does not read it has room for.
fn large() -> impl IntoResponse {
    vec![b'x'; LARGE]
}

/// Bytes.
const LARGE: usize = 1 << 20;

struct Fixture {
    vitals: Vitals,
    store: Store,
    listening: Option<Listening>,
    running: tokio::task::JoinHandle<()>,
    _acceptors: Acceptors,
    folder: tempfile::TempDir,
}

/// A service of such routes.
async fn service(folder: &Path) -> (Service, Vitals, Store) {
    let data_dir = folder.to_str().unwrap();
    let settings = Settings::of(&[("FOOTFALL_DATA_DIR", data_dir)]);
    let metrics = Arc::new(StoreMetrics::detached().unwrap());
    let store = Store::open(&settings.store, metrics).await.unwrap();
    let vitals = Vitals::default();
    let router = Router::new()
        .route("/slow", get(async || slow_body()))
        .route("/events", get(async || events()))
        .route("/flood", get(async || flood()))
        .route("/large", get(async || large()));
    let service = Service {
        edge: Edge::new(
            router,
            Arc::new(Routes::new([], None)),
            vitals.clone(),
            &settings.server,
            TaskTracker::new(),
        ),
        settings: settings.server,
        fitness: Fitness {
            vitals: vitals.clone(),
            store: store.health.clone(),
        },
    };
    (service, vitals, store)
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let (service, vitals, store) = service(folder.path()).await;
    let (acceptors, mut offers) = Acceptors::new(1);
    let running = tokio::spawn(run_all(offers.remove(0), service));
    let listener = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listening = Listening::new(listener.into());
    acceptors.offer(&listening).unwrap();
    Fixture {
        vitals,
        store,
        listening: Some(listening),
        running,
        _acceptors: acceptors,
        folder,
    }
}

/// The rest of a response, which is to end.
async fn rest(mut stream: UnixStream) -> String {
    let mut response = String::new();
    let reading = stream.read_to_string(&mut response);
    let ended = tokio::time::timeout(Duration::from_secs(30), reading).await;
    ended.expect("it ends").unwrap();
    response
}

async fn send(folder: &Path, head: &str) -> UnixStream {
    let mut stream = UnixStream::connect(folder.join("s")).await.unwrap();
    let request = format!("{head} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_body_that_comes_bit_by_bit_is_in_flight_to_its_end() {
    let mut fixture = fixture().await;
    let mut stream = send(fixture.folder.path(), "GET /slow").await;
    stream.read_exact(&mut [0; 15]).await.unwrap();
    drop(fixture.listening.take());
    let text = rest(stream).await;
    assert_eq!(text.matches("chunk\r").count(), CHUNKS, "{text}");
    assert!(text.ends_with("0\r\n\r\n"), "{text}");
}

/// Nothing that its handler does, or forgets, holds a drain up.
#[tokio::test]
async fn a_stream_of_events_ends_when_its_listener_closes() {
    for path in ["/events", "/flood"] {
        let mut fixture = fixture().await;
        let mut stream = send(fixture.folder.path(), &format!("GET {path}")).await;
        let mut head = [0; 15];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        if path == "/events" {
            let mut early = vec![0; 1024];
            let reading = async { while stream.read(&mut early).await.unwrap() > 0 {} };
            let ended = tokio::time::timeout(Duration::from_millis(200), reading).await;
            assert!(ended.is_err(), "it goes on until then");
        }
        let closed = tokio::time::Instant::now();
        drop(fixture.listening.take());
        let text = rest(stream).await;
        assert!(
            text.ends_with("\r\n0\r\n\r\n") || text == "0\r\n\r\n",
            "{path}"
        );
        let took = closed.elapsed();
        assert!(took < HEAD_GRACE, "{path} was left for {took:?}");
    }
}

/// What a sibling asks, and what it is told.
#[tokio::test]
async fn siblings_are_told_whether_visits_can_be_counted() {
    let fixture = fixture().await;
    let status = async || {
        let mut stream = UnixStream::connect(fixture.folder.path().join("s"))
            .await
            .unwrap();
        let question = b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\nfootfall-sibling: fit?\r\n\r\n";
        stream.write_all(question).await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        String::from_utf8(start.to_vec()).unwrap()
    };
    assert_eq!(
        status().await,
        "HTTP/1.1 503",
        "nobody has asked the store yet"
    );
    fixture.store.health.mark_up();
    assert_eq!(status().await, "HTTP/1.1 204");
    fixture
        .store
        .health
        .mark_away(&crate::storage::StoreError::Timeout);
    assert_eq!(status().await, "HTTP/1.1 503");
    fixture.store.health.mark_up();
    fixture.vitals.start_draining();
    assert_eq!(status().await, "HTTP/1.1 503");
    assert!(!fixture.running.is_finished());
}

/// A connection in memory, whose time passes as fast as nothing happens.
struct Held {
    client: DuplexStream,
    opened: Instant,
    _phase: watch::Sender<Phase>,
    _folder: tempfile::TempDir,
}

impl Held {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (service, ..) = service(folder.path()).await;
        // Not before the store is open, which waits for a thread.
        tokio::time::pause();
        let (phase, phases) = watch::channel(Phase::Serving);
        let (client, stream) = duplex(64 * 1024);
        Connections::new(service, phases).serve(stream, None);
        Self {
            client,
            opened: Instant::now(),
            _phase: phase,
            _folder: folder,
        }
    }

    async fn send(&mut self, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        self.client.write_all(request.as_bytes()).await.unwrap();
    }

    /// What comes until it is closed, and when that is.
    async fn closed(mut self) -> (String, Duration) {
        let mut all = String::new();
        self.client.read_to_string(&mut all).await.unwrap();
        let took = self.opened.elapsed();
        tokio::time::resume();
        (all, took)
    }
}

/// Whether it took as long as `FOOTFALL_HEADER_TIMEOUT`. Each timer before it may have been a millisecond late.
fn is_after_header_timeout(took: Duration) -> bool {
    let limit = Duration::from_secs(30);
    (limit..limit + Duration::from_secs(1)).contains(&took)
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    for start in ["", "GET / HTTP/1.1\r\nx-slow: "] {
        let mut held = Held::open().await;
        held.client.write_all(start.as_bytes()).await.unwrap();
        let (all, took) = held.closed().await;
        assert!(
            all.is_empty() && is_after_header_timeout(took),
            "{took:?}: {all}"
        );
    }
}

/// It is a time for each head: neither for all of a connection's, nor anew for each of their bytes.
#[tokio::test]
async fn the_time_for_a_head_begins_anew_with_each_request() {
    let mut held = Held::open().await;
    for _ in 0..3 {
        sleep(Duration::from_secs(20)).await;
        held.send("/none").await;
    }
    sleep(Duration::from_secs(20)).await;
    held.client
        .write_all(b"GET / HTTP/1.1\r\nx-slow: ")
        .await
        .unwrap();
    let (all, took) = held.closed().await;
    assert_eq!(all.matches("HTTP/1.1 404 ").count(), 3, "{all}");
    assert!(
        is_after_header_timeout(took - Duration::from_secs(60)),
        "{took:?}"
    );
}

/// What takes longer than a head may is not cut: neither a response, nor a client that reads it slowly.
#[tokio::test]
async fn the_time_for_a_head_begins_when_a_response_has_been_sent() {
    let mut held = Held::open().await;
    let pauses = 12;
    for _ in 0..pauses {
        held.send("/slow").await;
    }
    let slow = Duration::from_millis(100) * u32::try_from(pauses * CHUNKS).unwrap();
    let (all, took) = held.closed().await;
    assert_eq!(all.matches("chunk\r").count(), pauses * CHUNKS);
    assert!(
        slow > Duration::from_secs(35) && is_after_header_timeout(took - slow),
        "{took:?}"
    );

    let mut held = Held::open().await;
    held.send("/large").await;
    let mut piece = vec![0; LARGE / 8];
    for _ in 0..7 {
        sleep(Duration::from_secs(5)).await;
        held.client.read_exact(&mut piece).await.unwrap();
    }
    let (rest, took) = held.closed().await;
    assert!(rest.ends_with("xxx"));
    assert!(
        is_after_header_timeout(took - Duration::from_secs(35)),
        "{took:?}"
    );
}
