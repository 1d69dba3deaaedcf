//! Replicas and their store, and all that may happen to them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use footfall::{
    auth::revocation::{Knowledge, Revocations, metrics::RevocationMetrics},
    config::{StoreLocation, StoreSettings},
    counting::metrics::CountingMetrics,
    counting::{
        Company, CountError, CounterId, Counting, Identity, Visit,
        counts::{CounterStore, monitor},
        identity::IdentityKind,
    },
    storage::metrics::StoreMetrics,
    storage::{Store, StoreError},
    supervision::Supervisor,
};
use hyper::Method;
use rustix::process::Signal;
use sqlx::Connection;
use tokio::{
    runtime::{Builder, Runtime},
    time::{sleep, timeout},
};

use super::possibilities::{Key, Outcome};
use crate::support::{
    Client, Footfall, Redis, eventually,
    model_proxy::{Cut, ModelProxy},
    process::PATIENCE,
};

/// Replicas that share a store.
pub const REPLICAS: usize = 2;

/// `FOOTFALL_STORE_TIMEOUT`, where schedules are followed.
pub const TIMEOUT: Duration = Duration::from_millis(250);

/// Something that goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum Mishap {
    /// Redis is stopped for so many milliseconds.
    Hang(u64),
    /// Commands are on their way for so many milliseconds.
    Delay(u64),
    /// The connection of the next count is cut.
    Cut(Cut),
    /// Redis closes all connections.
    Disconnect,
    /// `kill -9` of Redis, which then starts again.
    RestartStore,
    /// Redis forgets its scripts.
    ForgetScripts,
    /// Another process locks the database for so many milliseconds.
    Lock(u64),
    /// `kill -9` of a replica; another takes its place.
    Kill(usize),
}

enum Kept {
    Redis { redis: Redis, proxy: ModelProxy },
    Sqlite(tempfile::TempDir),
}

/// A replica: processes over HTTP, or the library on a runtime of its own.
enum Replica {
    Process {
        footfall: Box<Footfall>,
        socket: PathBuf,
        token: String,
    },
    Library {
        counters: Box<Counting>,
        runtime: Option<Runtime>,
    },
}

pub struct World {
    kept: Kept,
    processes: bool,
    /// `FOOTFALL_STORE_TIMEOUT`
    timeout: Duration,
    replicas: Vec<Replica>,
    sockets: tempfile::TempDir,
}

impl World {
    pub async fn redis(processes: bool) -> Self {
        let redis = Redis::start();
        let proxy = ModelProxy::start(redis.port).await;
        Self::start(Kept::Redis { redis, proxy }, processes, TIMEOUT).await
    }

    /// With libraries that wait for as long as a slow machine may take.
    pub async fn patient_redis() -> Self {
        let redis = Redis::start();
        let proxy = ModelProxy::start(redis.port).await;
        Self::start(Kept::Redis { redis, proxy }, false, PATIENCE).await
    }

    pub async fn sqlite(processes: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::start(Kept::Sqlite(directory), processes, TIMEOUT).await
    }

    async fn start(kept: Kept, processes: bool, timeout: Duration) -> Self {
        let mut world = Self {
            kept,
            processes,
            timeout,
            replicas: Vec::new(),
            sockets: tempfile::tempdir().unwrap(),
        };
        for index in 0..REPLICAS {
            let replica = world.replica(index).await;
            world.replicas.push(replica);
        }
        world
    }

    async fn replica(&self, index: usize) -> Replica {
        if self.processes {
            self.process(index).await
        } else {
            self.library().await
        }
    }

    async fn process(&self, index: usize) -> Replica {
        let socket = self.sockets.path().join(format!("{index}.sock"));
        let settings = || {
            let builder = Footfall::builder()
                .env(
                    "FOOTFALL_STORE_TIMEOUT",
                    format!("{}ms", self.timeout.as_millis()),
                )
                .env("FOOTFALL_DEDUP_WINDOW", "1h")
                .socket(&socket);
            match &self.kept {
                Kept::Redis { proxy, .. } => builder.env("REDIS_URL", proxy.url()),
                Kept::Sqlite(directory) => builder.directory(directory.path()),
            }
        };
        // Opening a file has its time limit, too: a service manager would try again.
        let started = eventually("a replica starts", || settings().try_start());
        let footfall = Box::new(started);
        let token = footfall.token().await;
        Replica::Process {
            footfall,
            socket,
            token,
        }
    }

    async fn library(&self) -> Replica {
        let settings = StoreSettings {
            location: match &self.kept {
                Kept::Redis { proxy, .. } => {
                    StoreLocation::Redis(Box::new(proxy.url().parse().expect("a URL")))
                }
                Kept::Sqlite(directory) => StoreLocation::Sqlite(database(directory.path())),
            },
            timeout: self.timeout,
            dedup_window: Duration::from_hours(1),
            dedup_limit: 1_000_000,
            counter_limit: 1_000_000,
            record_backlog: 1_000_000,
            wait_replicas: 0,
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let started = runtime.spawn(async move {
            let metrics = Arc::new(StoreMetrics::detached().unwrap());
            let counting = Arc::new(CountingMetrics::detached().unwrap());
            let store = loop {
                // As a service manager would, see `process`.
                if let Ok(store) = Store::open(&settings, metrics.clone()).await {
                    break CounterStore::new(store, &settings);
                }
            };
            tokio::spawn(monitor(store.clone()));
            let revoked = Knowledge::new(Arc::new(RevocationMetrics::detached().unwrap()));
            let revocations = Revocations::none(Arc::new(revoked));
            Counting::start(store, revocations, counting, &Supervisor::new().0)
        });
        Replica::Library {
            counters: Box::new(timeout(PATIENCE, started).await.unwrap().unwrap()),
            runtime: Some(runtime),
        }
    }

    /// One visit, by a replica as it is now.
    pub fn visit(
        &self,
        replica: usize,
        counter: &str,
        key: Option<Key>,
    ) -> impl Future<Output = Outcome> + Send + 'static {
        let (counter, call) = (counter.to_owned(), self.replicas[replica].call());
        async move {
            match call {
                Call::Library(counters) => call_library(&counters, &counter, key).await,
                Call::Process(client) => call_process(client, &counter, key).await,
            }
        }
    }

    /// What is to be in place before the visits come.
    pub fn prepare(&self, mishap: Option<Mishap>) {
        if let Kept::Redis { proxy, .. } = &self.kept {
            proxy.cut_next(match mishap {
                Some(Mishap::Cut(cut)) => Some(cut),
                _ => None,
            });
        }
    }

    /// Lets it happen, and waits until it is over.
    pub async fn suffer(&mut self, mishap: Mishap) {
        match (mishap, &mut self.kept) {
            (Mishap::Kill(replica), _) => self.restart(replica).await,
            (Mishap::Lock(millis), Kept::Sqlite(directory)) => {
                let mut other = connect(directory.path()).await;
                sqlx::raw_sql("BEGIN IMMEDIATE")
                    .execute(&mut other)
                    .await
                    .unwrap();
                sleep(Duration::from_millis(millis)).await;
                sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
            }
            (Mishap::Hang(millis), Kept::Redis { redis, .. }) => {
                redis.signal(Signal::STOP);
                sleep(Duration::from_millis(millis)).await;
                redis.signal(Signal::CONT);
            }
            (Mishap::Delay(millis), Kept::Redis { proxy, .. }) => {
                proxy.hold(Duration::from_millis(millis));
                sleep(Duration::from_millis(millis)).await;
            }
            (Mishap::Disconnect, Kept::Redis { redis, .. }) => {
                redis.command("CLIENT KILL TYPE normal");
            }
            (Mishap::ForgetScripts, Kept::Redis { redis, .. }) => {
                redis.command("SCRIPT FLUSH");
            }
            (Mishap::RestartStore, Kept::Redis { redis, .. }) => redis.restart(),
            (Mishap::Cut(_), _) => {}
            (mishap, _) => panic!("this store knows no {mishap:?}"),
        }
    }

    async fn restart(&mut self, index: usize) {
        match &mut self.replicas[index] {
            Replica::Process { footfall, .. } => footfall.process.kill(),
            Replica::Library { runtime, .. } => {
                runtime.take().unwrap().shutdown_background();
            }
        }
        self.replicas[index] = self.replica(index).await;
    }

    /// What the store itself says.
    pub async fn total(&self, counter: &str) -> u64 {
        match &self.kept {
            Kept::Redis { redis, .. } => {
                let reply = redis.command(&format!("GET footfall:{{{counter}}}:count"));
                let value = reply.lines().nth(1).unwrap_or("0");
                value
                    .parse()
                    .unwrap_or_else(|error| panic!("{error}: {reply}"))
            }
            Kept::Sqlite(directory) => {
                let mut db = connect(directory.path()).await;
                let query = sqlx::query_scalar("SELECT visits FROM counters WHERE name = ?");
                let visits: Option<i64> =
                    query.bind(counter).fetch_optional(&mut db).await.unwrap();
                visits.unwrap_or(0).unsigned_abs()
            }
        }
    }
}

fn database(directory: &Path) -> PathBuf {
    directory.join("data/footfall.db")
}

async fn connect(directory: &Path) -> sqlx::SqliteConnection {
    let url = format!("sqlite:{}", database(directory).display());
    sqlx::SqliteConnection::connect(&url).await.unwrap()
}

/// A way to one replica that outlives it.
enum Call {
    Library(Box<Counting>),
    Process(Box<dyn Fn(bool) -> Client + Send>),
}

impl Replica {
    fn call(&self) -> Call {
        match self {
            Self::Library { counters, .. } => Call::Library(counters.clone()),
            Self::Process {
                footfall,
                socket,
                token,
            } => {
                let (address, socket, token) = (footfall.public(), socket.clone(), token.clone());
                // Only a proxy's request ids identify, and that is who comes through the socket.
                Call::Process(Box::new(move |proxied| {
                    let client = match proxied {
                        true => Client::unix(&socket),
                        false => Client::tcp(&address),
                    };
                    client.with_token(&token)
                }))
            }
        }
    }
}

impl Drop for Replica {
    /// A runtime must not be dropped where others wait.
    fn drop(&mut self) {
        if let Self::Library { runtime, .. } = self
            && let Some(runtime) = runtime.take()
        {
            runtime.shutdown_background();
        }
    }
}

async fn call_library(counting: &Counting, counter: &str, key: Option<Key>) -> Outcome {
    let counter = CounterId {
        company: Company::Default,
        name: counter.parse().unwrap(),
    };
    let identity = key.map(|(key, number)| match key {
        true => Identity::new(IdentityKind::Key, "admin", &[number]),
        false => Identity::new(IdentityKind::Request, "admin", &[number]),
    });
    match counting
        .visit(
            counter,
            Visit {
                identity,
                ..Visit::default()
            },
        )
        .await
    {
        Ok(counted) => Outcome::Counted {
            number: counted.number,
            replayed: counted.replayed,
        },
        Err(CountError::Store(
            StoreError::Timeout | StoreError::ConnectionLost(_) | StoreError::Failed(_),
        )) => Outcome::Unknown,
        Err(_) => Outcome::NotCounted,
    }
}

async fn call_process(
    client: Box<dyn Fn(bool) -> Client + Send>,
    counter: &str,
    key: Option<Key>,
) -> Outcome {
    let value = key.map_or(String::new(), |(_, number)| format!("identity-{number}"));
    let (mut client, headers) = match key {
        None => (client(false), Vec::new()),
        Some((true, _)) => (client(false), vec![("idempotency-key", value.as_str())]),
        Some((false, _)) => (client(true), vec![("x-request-id", value.as_str())]),
    };
    let path = format!("/api/counters/{counter}");
    match client.try_send(Method::POST, &path, &headers, "").await {
        Ok(reply) if reply.status == 200 => Outcome::Counted {
            number: reply.visits(),
            replayed: reply.replayed(),
        },
        Ok(reply) => match reply.problem().as_str() {
            "outcome_unknown" => Outcome::Unknown,
            "store_unavailable" | "overloaded" => Outcome::NotCounted,
            code => panic!("{code}: {reply:?}"),
        },
        Err(error) if error.starts_with("connect: ") => Outcome::NotCounted,
        Err(_) => Outcome::Unknown,
    }
}
