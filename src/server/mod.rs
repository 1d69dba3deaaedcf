//! Listeners, the life cycle of sockets, accepting, draining.
//!
//! One thread per worker, each with a single-threaded runtime that accepts,
//! serves, coalesces and talks to the store by itself: a visit never crosses a
//! thread. The main thread has the internal listener, the signals and the
//! store's monitor, so that these answer however busy the workers are.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

mod accept;
mod linger;
mod listener;
mod signals;
mod slots;
pub mod socket;
mod watched;
mod worker;

pub use self::listener::BindError;
use self::{
    accept::Phase,
    listener::Bound,
    signals::{Signal, Signals},
    worker::WorkerEnded,
};
use crate::{
    app::Shared,
    config::Settings,
    counting::store::{CounterStore, monitor},
    ops::{Draining, metrics::Metrics},
    store::{Store, StoreError},
};

/// The longest the store may take to close: all that counts has been acknowledged.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// How often slots are looked at that a crashed replica may have left.
const REPAIR_INTERVAL: Duration = Duration::from_secs(1);

/// Why the service could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The embedded database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refused a thread, a signal handler or a descriptor.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A worker thread ended by itself.
    #[error("worker {0} ended unexpectedly; the log above says why")]
    Worker(usize),
}

/// How the service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything in flight was served.
    Clean,
    /// `FOOTFALL_SHUTDOWN_TIMEOUT` passed, and what was in flight was cut.
    Cut,
    /// A second signal came; its number.
    Forced(i32),
}

/// Serves until a signal comes, then drains.
///
/// # Errors
///
/// If the service cannot start, or a worker ends by itself.
pub async fn serve(settings: Arc<Settings>, metrics: Arc<Metrics>) -> Result<Ending, ServeError> {
    let store = Store::open(&settings.store, metrics.clone()).await?;
    // Known before the first visit comes: a store of a newer version must not be written to.
    // That it is away is no reason not to start.
    let mut counters = CounterStore::new(store.clone(), &settings.store);
    let _ = counters.probe().await;
    // Only from here on: while the database is opened, a signal may end the process as ever.
    let mut signals = Signals::new()?;
    let draining = Draining::default();
    let shared = Arc::new(Shared::new(
        settings.clone(),
        metrics.clone(),
        draining.clone(),
    ));

    let server = &settings.server;
    let public = listener::bind_all(&server.listen, server.socket_mode)?;
    let ops = listener::bind_all(&server.ops_listen, server.socket_mode)?;
    let (phase, _) = watch::channel(Phase::Serving);
    let (ended, mut workers_ended) = mpsc::unbounded_channel();
    for index in 0..server.workers {
        worker::spawn(
            index,
            &shared,
            &store,
            &public,
            phase.subscribe(),
            ended.clone(),
        )?;
    }
    drop(ended);
    let ops_phase = watch::channel(Phase::Serving).0;
    let ops_edge = shared.ops_edge(&store);
    for bound in &ops {
        tokio::spawn(accept::run(
            bound.acceptor()?,
            ops_edge.clone(),
            server.clone(),
            ops_phase.subscribe(),
        ));
    }
    tokio::spawn(monitor(counters));
    announce(&settings, &public, &ops, &store);

    let signal = loop {
        tokio::select! {
            signal = signals.next() => break signal,
            Some(WorkerEnded(index)) = workers_ended.recv() => return Err(ServeError::Worker(index)),
            () = sleep(REPAIR_INTERVAL) => public.iter().chain(&ops).for_each(Bound::repair),
        }
    };
    let drain = Drain {
        settings: &settings,
        metrics: &metrics,
        draining: &draining,
        phase: &phase,
    };
    let ending = tokio::select! {
        ending = drain.run(signal, public, &mut workers_ended) => ending,
        signal = signals.another() => Ending::Forced(signal.number()),
    };
    if ending == Ending::Clean && timeout(CLOSE_LIMIT, store.close()).await.is_err() {
        tracing::warn!("the store took too long to close; nothing is lost");
    }
    Ok(ending)
}

fn announce(settings: &Settings, public: &[Bound], ops: &[Bound], store: &Store) {
    for (kind, listeners) in [("public", public), ("internal", ops)] {
        for bound in listeners {
            tracing::info!(address = %bound.address, kind, "listening");
        }
    }
    tracing::info!(
        version = crate::ops::VERSION,
        environment = settings.environment.name(),
        store = store.name(),
        workers = settings.server.workers,
        "started"
    );
}

/// What draining takes.
struct Drain<'a> {
    settings: &'a Settings,
    metrics: &'a Metrics,
    draining: &'a Draining,
    phase: &'a watch::Sender<Phase>,
}

impl Drain<'_> {
    /// Unready, then unpublished, then served to the end.
    async fn run(
        self,
        signal: Signal,
        public: Vec<Bound>,
        workers: &mut mpsc::UnboundedReceiver<WorkerEnded>,
    ) -> Ending {
        let server = &self.settings.server;
        tracing::info!(signal = signal.name(), delay = ?server.drain_delay, "draining");
        self.draining.start();
        self.metrics.draining.set(1);
        sleep(server.drain_delay).await;

        for bound in &public {
            bound.unpublish();
        }
        self.phase.send_replace(Phase::Closing);
        // The workers hold the last descriptors: the queue is theirs to empty.
        drop(public);
        let all_ended = async { while workers.recv().await.is_some() {} };
        match timeout(server.shutdown_timeout, all_ended).await {
            Ok(()) => {
                tracing::info!("drained");
                Ending::Clean
            }
            Err(_) => {
                let requests = self.metrics.requests_in_flight.get();
                tracing::error!(
                    requests,
                    "the shutdown timeout has passed; what is in flight is cut"
                );
                Ending::Cut
            }
        }
    }
}
