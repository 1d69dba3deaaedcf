use std::{convert::Infallible, path::Path};

use axum::{Router, response::IntoResponse, routing::get};
use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
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

struct Fixture {
    vitals: Vitals,
    store: Store,
    listening: Option<Listening>,
    running: tokio::task::JoinHandle<()>,
    _acceptors: Acceptors,
    folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_str().unwrap();
    let settings = Settings::of(&[("FOOTFALL_DATA_DIR", data_dir)]);
    let metrics = Arc::new(StoreMetrics::detached().unwrap());
    let store = Store::open(&settings.store, metrics).await.unwrap();
    let vitals = Vitals::default();
    let router = Router::new()
        .route("/slow", get(async || slow_body()))
        .route("/events", get(async || events()))
        .route("/flood", get(async || flood()));
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
