//! Strict clients that go on until they are told to stop.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::task::JoinHandle;

use super::{client::Client, eventually};

/// Clients that count visits, each on a connection of its own. A connection
/// error or anything but a 200 is a failure.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Vec<u64>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    done: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// `connections` clients of the service at this address.
    pub fn start(address: &str, token: &str, connections: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let clients = (0..connections)
            .map(|_| {
                let client = Client::tcp(address).with_token(token);
                tokio::spawn(count(client, shared.clone()))
            })
            .collect();
        Self { shared, clients }
    }

    /// Waits until a thousand more visits are counted: what was changed before is
    /// in use now.
    #[track_caller]
    pub fn goes_on(&self) {
        let goal = self.done() + 1000;
        eventually("visits are counted", || {
            self.assert_no_failure();
            (self.done() >= goal).then_some(())
        });
    }

    /// Visits counted until now.
    pub fn done(&self) -> usize {
        self.shared.done.load(Ordering::Relaxed)
    }

    #[track_caller]
    fn assert_no_failure(&self) {
        let failures = self.shared.failures.lock().unwrap();
        assert!(
            failures.is_empty(),
            "{} of {} requests failed, first: {}",
            failures.len(),
            self.done(),
            failures[0]
        );
    }

    /// Ends the load and gives the numbers of all visits.
    #[track_caller]
    pub fn stop(self) -> impl Future<Output = Vec<u64>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        async move {
            let mut numbers = Vec::new();
            for client in std::mem::take(&mut { self.clients }) {
                numbers.extend(client.await.unwrap());
            }
            let failures = self.shared.failures.lock().unwrap();
            assert!(failures.is_empty(), "{failures:?}");
            numbers
        }
    }
}

async fn count(mut client: Client, shared: Arc<Shared>) -> Vec<u64> {
    let mut numbers = Vec::new();
    while !shared.stop.load(Ordering::Relaxed) {
        let reply = client
            .try_send(hyper::Method::GET, "/api/count", &[], "")
            .await;
        match reply {
            Ok(reply) if reply.status == 200 => numbers.push(reply.visits()),
            Ok(reply) => shared.failed(format!("{} {}", reply.status, reply.text())),
            Err(error) => shared.failed(error),
        }
        shared.done.fetch_add(1, Ordering::Relaxed);
    }
    numbers
}

impl Shared {
    fn failed(&self, what: String) {
        let mut failures = self.failures.lock().unwrap();
        failures.push(format!("{:?} {what}", std::time::SystemTime::now()));
        // The test has failed; there is no use in going on.
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Checks that the numbers are exactly those after `before`, each once.
#[track_caller]
pub fn assert_exact(numbers: &[u64], before: u64) {
    let distinct: HashSet<_> = numbers.iter().collect();
    assert_eq!(distinct.len(), numbers.len(), "a number was given twice");
    assert_eq!(numbers.iter().min(), Some(&(before + 1)));
    assert_eq!(
        numbers.iter().max(),
        Some(&(before + numbers.len() as u64)),
        "a number was skipped"
    );
}
