//! One connection: its requests, and when it closes.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderValue, Request, Response, StatusCode, header},
};
use futures_util::task::AtomicWaker;
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use mime::Mime;
use prometheus::IntGauge;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::unconstrained,
    time::{Instant, sleep},
};
use tokio_util::task::TaskTracker;

use super::{
    Fitness,
    linger::{Lingering, Unread},
    offer::Phase,
    siblings,
    watched::Watched,
};
use crate::{
    config::ServerSettings,
    edge::{Edge, Peer},
    supervision::Piece,
};

/// Largest head the parser takes in. The edge refuses smaller ones already,
/// with a problem document; only beyond this is the answer a bare status.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What is left of a body of this size, which nobody reads, has mostly come already.
const SMALL_BODY_BYTES: u64 = 16 * 1024;

/// An idle connection is left this long to be used once more, and is told to
/// close by `Connection: close`: closing it at once would race with a request
/// that is on its way, which the client would see fail.
const IDLE_GRACE: Duration = Duration::from_millis(500);

/// Then the first request of a new connection gets this long to arrive.
const HEAD_GRACE: Duration = Duration::from_secs(2);

/// What is served on a listener, and how.
#[derive(Clone)]
pub struct Service {
    /// The routes.
    pub edge: Edge,
    /// Limits.
    pub settings: ServerSettings,
    /// Whether this replica is fit to be sent visits: what it tells its siblings.
    pub fitness: Fitness,
}

/// The connections of one listener on one thread.
#[derive(Clone)]
pub struct Connections {
    service: Service,
    proxies: Arc<[IpNet]>,
    phase: watch::Receiver<Phase>,
    tracker: TaskTracker,
}

impl Connections {
    /// None yet. They close when the phase says so.
    pub fn new(service: Service, phase: watch::Receiver<Phase>) -> Self {
        Self {
            proxies: service.settings.trusted_proxies.clone().into(),
            service,
            phase,
            tracker: TaskTracker::new(),
        }
    }

    /// Returns when the last one has closed; there are to be no more.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Serves one, from a TCP peer's address or from a Unix socket.
    pub fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: Option<SocketAddr>,
    ) {
        let proxies = self.proxies.clone();
        let peer = match address {
            Some(address) => Peer::tcp(address, proxies),
            None => Peer::unix(proxies),
        };
        let settings = &self.service.settings;
        let (stream, unsent) = Watched::new(stream, settings.request_timeout);
        let (stream, unread) = Lingering::new(stream);
        let served = Arc::new(Served {
            edge: self.service.edge.clone(),
            peer,
            fitness: self.service.fitness.clone(),
            has_come: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            closing: AtomicBool::new(*self.phase.borrow() == Phase::Closing),
            closes: AtomicWaker::new(),
            unsent,
            unread,
            _open: self.service.edge.connections_open().map(Open::start),
        });
        let serving = served.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let served = serving.clone();
            async move { Ok::<_, std::convert::Infallible>(served.serve(request).await) }
        });
        let connection = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let (phase, head_limit) = (self.phase.clone(), settings.header_timeout);
        let driven = until_closed(connection, phase, served, head_limit);
        Piece::Connection.track(&self.tracker, driven);
    }
}

/// One connection. Its requests share this and nothing else of other
/// connections: what all threads count references to, they would contend for.
struct Served {
    edge: Edge,
    peer: Peer,
    fitness: Fitness,
    /// The head of a request, since the wait for one was last timed.
    has_come: AtomicBool,
    /// A request is in service, or its response is not at its end.
    busy: AtomicBool,
    /// Responses ask the client to close.
    closing: AtomicBool,
    /// Woken when they begin to.
    closes: AtomicWaker,
    /// Bytes wait to be sent.
    unsent: Arc<AtomicBool>,
    /// What has come and was not read.
    unread: Arc<Unread>,
    _open: Option<Open>,
}

/// Counts a connection for as long as it lives.
struct Open(IntGauge);

impl Open {
    fn start(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Served {
    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        self.has_come.store(true, Ordering::Relaxed);
        if self.peer.address.is_none() && siblings::is_look(&request) {
            return self.look();
        }
        let busy = Busy::start(self);
        let served = &busy.0;
        let most = request.body().size_hint().upper();
        let request = request.map(|body| served.unread.watch(body));
        let mut response = served.edge.serve(served.peer.clone(), request).await;
        let gives_up = served.unread.is_some() && gives_up(response.status(), most);
        if served.closing.load(Ordering::Relaxed) || gives_up {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        // What is complete in memory needs no more than the stream, which knows what is unsent.
        if response.body().size_hint().exact().is_none() {
            let endless = is_event_stream(&response);
            response = response.map(|body| {
                Body::new(InFlight {
                    body,
                    endless,
                    busy,
                })
            });
        }
        response
    }

    /// What a sibling is told: 204 if this replica is fit to be sent visits, else
    /// 503. It is no request of anybody's, and so neither counted nor logged.
    fn look(&self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = match self.fitness.is_fit() {
            true => StatusCode::NO_CONTENT,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        response
    }

    /// Returns when no head has come for this long while nothing was in service. hyper can do the same, with a
    /// timer that it makes and drops for each request.
    async fn head_is_late(&self, limit: Duration) {
        let mut timer = pin!(sleep(limit));
        poll_fn(|cx| {
            // What ends it is done by the connection, and this is asked whenever that has had its turn.
            if self.in_use() {
                return Poll::Pending;
            }
            if self.has_come.swap(false, Ordering::Relaxed) {
                timer.as_mut().reset(Instant::now() + limit);
            }
            timer.as_mut().poll(cx)
        })
        .await;
    }

    fn in_use(&self) -> bool {
        let busy = [&self.busy, &self.unsent].map(|flag| flag.load(Ordering::Relaxed));
        busy.contains(&true) || self.unread.is_lingering()
    }
}

/// Whether a body that was not read, of this many bytes at most, is not waited for either. What is
/// left of a small one has mostly come, and the connection goes on. So has one in chunks of a
/// request that was right: a client that streams all it sends, and nothing here.
fn gives_up(status: StatusCode, most: Option<u64>) -> bool {
    let is_small = most.map_or(status.is_success(), |most| most <= SMALL_BODY_BYTES);
    status == StatusCode::REQUEST_TIMEOUT || !is_small
}

/// Whether this is a stream of events
/// (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
fn is_event_stream<B>(response: &Response<B>) -> bool {
    let value = response.headers().get(header::CONTENT_TYPE);
    let parsed = value.and_then(|value| value.to_str().ok()?.parse::<Mime>().ok());
    parsed.is_some_and(|parsed| parsed.essence_str() == mime::TEXT_EVENT_STREAM.essence_str())
}

/// Marks a connection as having a request in service, also if it is dropped.
struct Busy(Arc<Served>);

impl Busy {
    fn start(served: Arc<Served>) -> Self {
        served.busy.store(true, Ordering::Relaxed);
        Self(served)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Relaxed);
    }
}

/// A body that comes bit by bit: its request is in service until it ends.
struct InFlight {
    body: Body,
    /// It would not end by itself, and so does when the connection is to close: its client comes
    /// again, to another replica.
    endless: bool,
    busy: Busy,
}

impl InFlight {
    fn is_over(&self, cx: &Context<'_>) -> bool {
        let served = &self.busy.0;
        self.endless && {
            // Before the look, or what comes in between would wake nobody.
            served.closes.register(cx.waker());
            served.closing.load(Ordering::Relaxed)
        }
    }
}

impl HttpBody for InFlight {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.is_over(cx) {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Drives a connection to its end. Its errors are the client's doing: rubbish,
/// timeouts, disconnects.
async fn until_closed<S, T>(
    connection: http1::Connection<T, S>,
    mut phase: watch::Receiver<Phase>,
    served: Arc<Served>,
    head_limit: Duration,
) where
    http1::Connection<T, S>: Future<Output = hyper::Result<()>>,
    S: hyper::service::HttpService<Incoming>,
    S::Error: Into<axum::BoxError>,
    T: hyper::rt::Read + hyper::rt::Write + Unpin,
    S::ResBody: hyper::body::Body + 'static,
    <S::ResBody as hyper::body::Body>::Error: Into<axum::BoxError>,
{
    let mut connection = pin!(connection);
    let closing = async {
        let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
        served.closing.store(true, Ordering::Relaxed);
        served.closes.wake();
        sleep(IDLE_GRACE).await;
    };
    // A stream that is always ready uses up what one turn of a task may do, and this would have none.
    let closing = unconstrained(closing);
    tokio::select! {
        biased;
        result = connection.as_mut() => return log_end(result),
        () = closing => {}
        // After the connection, which tells whether one has come.
        () = served.head_is_late(head_limit) => {
            tracing::debug!("connection ended: the head of a request did not come in time");
            return;
        }
    }
    // Closes the connection if it is idle; else it closes after its request.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        biased;
        result = connection.as_mut() => return log_end(result),
        () = sleep(HEAD_GRACE) => {}
    }
    if served.in_use() {
        log_end(connection.await);
    }
}

fn log_end(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended");
    }
}

#[cfg(test)]
mod tests;
