//! The real application in the process of the test: what a client sends goes in at the edge, and
//! what it would get comes out.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use footfall::{
    auth::{
        revocation::{Pass, Revocation, Revocations},
        role::Role,
        token::Tokens,
    },
    counting::counts::monitor,
    edge::{Edge, Peer},
    storage::{StoreError, sql::Database},
    supervision::{Ends, Part},
};
use ipnet::IpNet;

use super::{
    assembly::Assembly,
    client::{Client, Target},
    footfall::SECRET_KEY,
};

/// Settings of an application under test.
pub struct Builder {
    environment: BTreeMap<String, String>,
    directory: Option<PathBuf>,
}

impl Builder {
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        let value = value.to_string();
        self.environment.insert(name.to_owned(), value);
        self
    }

    /// Has its embedded store in this folder instead of one of its own.
    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Starts all that a worker runs, and the monitor of the store, on the runtime of the test.
    pub async fn start(self) -> TestApp {
        let own_directory = tempfile::tempdir().unwrap();
        let directory = self.directory.as_deref();
        let directory = directory.unwrap_or(own_directory.path());
        let parts = Assembly::new(&self.environment, directory).await;
        let (application, store) = (&parts.application, &parts.store);
        let monitoring = monitor(application.watched(store.clone()));
        parts.supervisor.spawn(Part::Monitor, monitoring);
        let started = application.start_background(store, &parts.supervisor);
        started.expect("each metric once");
        let worker = store.for_another_thread();
        TestApp {
            public: application.public_edge(worker, &parts.supervisor),
            internal: application.ops_edge(store),
            revocations: application.revocations(store.for_another_thread()),
            database: parts.database.clone(),
            tokens: Tokens::new(&parts.settings.auth),
            proxies: Arc::from(parts.settings.server.trusted_proxies.as_slice()),
            ends: parts.ends,
            _own_directory: own_directory,
        }
    }
}

/// One worker of the application, with an internal listener, a store and a registry of its own.
pub struct TestApp {
    public: Edge,
    internal: Edge,
    /// What was revoked, as its routes use it.
    pub revocations: Revocations,
    pub database: Option<Database>,
    tokens: Tokens,
    proxies: Arc<[IpNet]>,
    ends: Ends,
    _own_directory: tempfile::TempDir,
}

impl TestApp {
    pub fn builder() -> Builder {
        Builder {
            environment: BTreeMap::new(),
            directory: None,
        }
        .env("FOOTFALL_ENV", "testing")
        .env("SECRET_KEY", SECRET_KEY)
        // As for processes: machines that test are slow at times.
        .env("FOOTFALL_STORE_TIMEOUT", "8s")
    }

    /// On the embedded store, in a folder of its own.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A client on this machine.
    pub fn client(&self) -> Client {
        self.client_at("127.0.0.1")
    }

    /// A client with this address, which is a proxy if the settings say so.
    pub fn client_at(&self, address: &str) -> Client {
        let address: IpAddr = address.parse().unwrap();
        let peer = Peer::tcp((address, 50_000).into(), self.proxies.clone());
        Client::new(Target::InProcess(self.public.clone(), peer))
    }

    /// The proxy, as it comes over a Unix socket.
    pub fn proxy(&self) -> Client {
        let peer = Peer::unix(self.proxies.clone());
        Client::new(Target::InProcess(self.public.clone(), peer))
    }

    /// A client of the internal listener.
    pub fn ops_client(&self) -> Client {
        let peer = Peer::unix(Arc::from([]));
        Client::new(Target::InProcess(self.internal.clone(), peer))
    }

    /// A token of the one account.
    pub async fn token(&self) -> String {
        self.client().token().await
    }

    /// A token of a member that was issued on this.
    pub fn token_on(&self, pass: &Pass) -> String {
        let subject = pass.user.to_string();
        let token = self.tokens.issue(&subject, Role::Member, Some(pass));
        token.unwrap()
    }

    /// Notes revocations in a transaction of their own, and publishes them.
    pub async fn revoke(&self, all: &[Revocation]) -> Result<(), StoreError> {
        let (revocations, all) = (self.revocations.clone(), all.to_vec());
        let database = self.database.as_ref().expect("there is a database");
        let noted = database.write("revoke", move |connection| {
            Box::pin(async move { revocations.note(connection, &all).await })
        });
        self.revocations.publish(noted.await.unwrap()).await
    }

    /// Waits until the application is ready.
    pub async fn ready(&self) {
        self.ops_client().ready().await;
    }

    /// One metric's value, by its name and labels as they stand in the exposition.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        self.ops_client().metric(series).await
    }

    /// Waits until a metric has this value.
    pub async fn metric_becomes(&self, series: &str, value: f64) {
        self.ops_client().metric_becomes(series, value).await;
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Ok(ended) = self.ends.try_recv()
            && !std::thread::panicking()
        {
            panic!("it has ended in the background: {ended:?}");
        }
    }
}
