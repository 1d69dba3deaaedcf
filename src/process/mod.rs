//! The process: its threads, signals, draining.
//!
//! One thread per worker, each with a single-threaded runtime that accepts,
//! serves, coalesces and talks to the store by itself: a visit never crosses a
//! thread. The main thread has the internal listener, the signals and the
//! store's monitor, so that these answer however busy the workers are. A thread
//! more keeps the paths of the Unix sockets.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use futures_util::future;
use prometheus::IntGauge;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

mod metrics;
mod signals;
mod worker;

use self::{
    metrics::ProcessMetrics,
    signals::{Signal, Signals},
};
use crate::{
    app::{Application, Metrics},
    config::{ServerSettings, Settings, values::ListenAddress},
    counting::counts::{CounterStore, monitor},
    listen::{
        BindError, accept,
        connection::Service,
        keeper::{Keeper, Published},
        listener,
        offer::{Acceptors, Listening},
        place::Place,
    },
    mail::Mailer,
    storage::{Store, StoreError, sql::Database},
    supervision::{Ended, Ends, Part, Supervisor, Vitals, main_thread},
    telemetry::metrics::Registry,
};

/// The longest the store may take to close: all that counts has been acknowledged.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

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
    /// A metric has the name of another one.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// Something without which the process is of no use has ended.
    #[error("{0}")]
    Ended(Ended),
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
/// If the service cannot start, or a part of it ends.
pub async fn serve(settings: Arc<Settings>, registry: Arc<Registry>) -> Result<Ending, ServeError> {
    let ending = match main_thread(run(settings, registry)).await {
        Ok(ending) => ending,
        Err(ended) => Err(ServeError::Ended(ended)),
    };
    if let Err(ServeError::Ended(ended)) = &ending {
        tracing::error!(part = %ended.what, panicked = ended.panicked, "a part of the process has ended; so all of it ends");
    }
    ending
}

async fn run(settings: Arc<Settings>, registry: Arc<Registry>) -> Result<Ending, ServeError> {
    let process_metrics = ProcessMetrics::register(&registry)?;
    let metrics = Arc::new(Metrics::register(registry)?);
    let store = Store::open(&settings.store, metrics.store.clone()).await?;
    // Known before the first visit comes: a store of a newer version must not be written to.
    // That it is away is no reason not to start.
    let mut counters = CounterStore::new(store.clone(), &settings.store);
    let _ = counters.probe().await;
    let database = Database::open(&settings.database, &store, &metrics.registry)?;
    // Only from here on: while the database is opened, a signal may end the process as ever.
    let mut signals = Signals::new()?;
    let vitals = Vitals::default();
    let application = Arc::new(Application::new(
        settings.clone(),
        metrics.clone(),
        vitals.clone(),
        database.clone(),
    ));

    let mut running = Running::start(&settings.server, &application, &store, &vitals)?;
    let watched = application.watched(store.clone());
    running.supervisor.spawn(Part::Monitor, monitor(watched));
    application.start_background(&store, &running.supervisor)?;
    let signal = tokio::select! {
        signal = signals.next() => signal,
        never = running.serve(&settings, &store) => match never? {},
    };
    let drain = Drain {
        settings: &settings,
        metrics: &process_metrics,
        in_flight: &metrics.http.requests_in_flight,
        vitals: &vitals,
        mailer: application.mailer(),
    };
    let ending = tokio::select! {
        ending = drain.run(signal, &mut running) => ending?,
        signal = signals.another() => Ending::Forced(signal.number()),
    };
    if !matches!(ending, Ending::Forced(_)) && !application.audit().flush(CLOSE_LIMIT).await {
        tracing::warn!(
            "the last entries of the audit trail could not be written: failed logins and denied accesses of the last minute"
        );
    }
    if ending == Ending::Clean {
        close(&store, database.as_ref()).await;
    }
    Ok(ending)
}

async fn close(store: &Store, database: Option<&Database>) {
    if timeout(CLOSE_LIMIT, store.close()).await.is_err() {
        tracing::warn!("the store took too long to close; nothing is lost");
    }
    if let Some(database) = database
        && timeout(CLOSE_LIMIT, database.close()).await.is_err()
    {
        tracing::warn!("the database took too long to close; nothing is lost");
    }
}

/// What runs from the start to the end. Dropped, it withdraws the paths of sockets.
struct Running {
    keeper: Keeper,
    published: oneshot::Receiver<Published>,
    /// The TCP listeners with their addresses.
    public: Vec<(Listening, String)>,
    ops: Vec<(Listening, String)>,
    /// Held, since who accepts ends when nobody can offer it anything any more.
    _to_main: Acceptors,
    supervisor: Supervisor,
    background: Ends,
    workers: Ends,
}

impl Running {
    /// Starts everything. Public paths come last: whoever cannot start must not
    /// have taken a slot on the way.
    fn start(
        server: &ServerSettings,
        application: &Arc<Application>,
        store: &Store,
        vitals: &Vitals,
    ) -> Result<Self, ServeError> {
        let public = bind_tcp(&server.listen)?;
        let ops = bind_tcp(&server.ops_listen)?;
        let (supervisor, background) = Supervisor::new();
        supervisor.heartbeat("main", vitals.heartbeat("main"));

        let (to_main, offers) = Acceptors::new(1);
        let service = Service {
            edge: application.ops_edge(store),
            settings: server.clone(),
            fitness: application.fitness(store),
        };
        for offers in offers {
            let accepting = accept::run_all(offers, service.clone());
            supervisor.spawn(Part::InternalListener, accepting);
        }
        let (to_workers, offers) = Acceptors::new(server.workers);
        let (of_workers, workers) = Supervisor::new();
        for (index, offers) in offers.into_iter().enumerate() {
            worker::spawn(index, application, store, vitals, offers, &of_workers)?;
        }
        for (listening, _) in &ops {
            to_main.offer(listening)?;
        }
        for (listening, _) in &public {
            to_workers.offer(listening)?;
        }
        let places = places(&server.ops_listen, server, false, &to_main)
            .chain(places(&server.listen, server, true, &to_workers))
            .collect();
        let (keeper, published) = Keeper::start(places, application.fitness(store), &supervisor)?;
        Ok(Self {
            keeper,
            published,
            public,
            ops,
            _to_main: to_main,
            supervisor,
            background,
            workers,
        })
    }

    /// Serves for as long as nothing ends.
    async fn serve(
        &mut self,
        settings: &Settings,
        store: &Store,
    ) -> Result<Infallible, ServeError> {
        // Else the keeper has ended, which is noticed below.
        if let Ok(published) = (&mut self.published).await {
            self.announce(&published?, settings, store);
        }
        Err(ServeError::Ended(self.ended().await))
    }

    /// What has ended that should not have.
    async fn ended(&mut self) -> Ended {
        tokio::select! {
            Some(ended) = self.background.recv() => ended,
            Some(ended) = self.workers.recv() => ended,
            else => std::future::pending().await,
        }
    }

    /// Waits until all workers have served to the end.
    async fn drained(&mut self) -> Result<(), ServeError> {
        tokio::select! {
            biased;
            // What the main thread and the keeper do is not over before the process is.
            Some(ended) = self.background.recv() => Err(ServeError::Ended(ended)),
            ended = all_ended(&mut self.workers) => ended,
        }
    }

    fn announce(&self, published: &[(String, bool)], settings: &Settings, store: &Store) {
        let public = self.public.iter().map(|(_, address)| (address, true));
        let ops = self.ops.iter().map(|(_, address)| (address, false));
        let published = published.iter().map(|(address, public)| (address, *public));
        for (address, public) in public.chain(ops).chain(published) {
            let kind = if public { "public" } else { "internal" };
            tracing::info!(address, kind, "listening");
        }
        tracing::info!(
            version = crate::release::VERSION,
            environment = settings.environment.name(),
            store = store.name(),
            workers = settings.server.workers,
            "started"
        );
    }
}

fn bind_tcp(addresses: &[ListenAddress]) -> Result<Vec<(Listening, String)>, BindError> {
    let mut bound = Vec::new();
    for address in addresses {
        if let ListenAddress::Tcp { host, port } = address {
            let listening = listener::bind_tcp(host, *port);
            bound.push(listening.map_err(|source| BindError::Tcp {
                address: address.to_string(),
                source,
            })?);
        }
    }
    Ok(bound)
}

fn places(
    addresses: &[ListenAddress],
    server: &ServerSettings,
    public: bool,
    acceptors: &Acceptors,
) -> impl Iterator<Item = Place> {
    addresses.iter().filter_map(move |address| match address {
        ListenAddress::Tcp { .. } => None,
        ListenAddress::Unix(template) => Some(Place::new(
            template,
            server.socket_mode,
            public,
            acceptors.clone(),
        )),
    })
}

/// What draining takes.
struct Drain<'a> {
    settings: &'a Settings,
    metrics: &'a ProcessMetrics,
    in_flight: &'a IntGauge,
    vitals: &'a Vitals,
    /// Where there is a sender of mails.
    mailer: Option<&'a Mailer>,
}

impl Drain<'_> {
    /// Unready, then unpublished, then served to the end.
    async fn run(self, signal: Signal, running: &mut Running) -> Result<Ending, ServeError> {
        let server = &self.settings.server;
        tracing::info!(signal = signal.name(), delay = ?server.drain_delay, "draining");
        self.vitals.start_draining();
        self.metrics.draining.set(1);
        tokio::select! {
            () = sleep(server.drain_delay) => {}
            ended = running.ended() => return Err(ServeError::Ended(ended)),
        }
        running.keeper.withdraw_public().await;
        // The workers hold the last descriptors: the queue is theirs to empty.
        running.public.clear();
        let mail_is_sent = async {
            if let Some(mailer) = self.mailer {
                mailer.stop(server.shutdown_timeout).await;
            }
            Ok(())
        };
        let all = future::try_join(running.drained(), mail_is_sent);
        match timeout(server.shutdown_timeout, all).await {
            Ok(ended) => {
                ended?;
                tracing::info!("drained");
                Ok(Ending::Clean)
            }
            Err(_) => {
                let requests = self.in_flight.get();
                tracing::error!(
                    requests,
                    "the shutdown timeout has passed; what is in flight is cut"
                );
                Ok(Ending::Cut)
            }
        }
    }
}

/// Waits for the end of all workers; one that panics on the way has not served to the end.
async fn all_ended(workers: &mut Ends) -> Result<(), ServeError> {
    while let Some(ended) = workers.recv().await {
        if ended.panicked {
            return Err(ServeError::Ended(ended));
        }
    }
    Ok(())
}
