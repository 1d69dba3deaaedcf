//! Clients that count without a pause and write down what they were told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::Method;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::scenario::BOUND;
use crate::support::{Client, Footfall, Reply, process::PATIENCE};

/// Clients whose visits have an identity, and which repeat a visit until it is acknowledged.
const IDENTIFIED: usize = 12;

/// Clients whose visits have none, and are never repeated.
const ANONYMOUS: usize = 4;

/// After a refusal a client waits so long: it would wait a second if it heeded `Retry-After`.
const PAUSE: Duration = Duration::from_millis(10);

/// What one client was told.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Acknowledged visits with an identity.
    pub identified: Vec<Visit>,
    /// The numbers of acknowledged visits without.
    pub anonymous: Vec<u64>,
    /// Visits without identity that may have been counted.
    pub unknown: usize,
}

/// A visit with an identity.
#[derive(Debug)]
pub struct Visit {
    key: String,
    pub number: u64,
    /// It was refused before.
    pub repeated: bool,
}

impl Visit {
    pub async fn send(&self, client: &mut Client) -> Reply {
        send(client, &self.key).await
    }
}

async fn send(client: &mut Client, key: &str) -> Reply {
    let headers = [("idempotency-key", key)];
    client.send(Method::GET, "/api/count", &headers, "").await
}

/// The longest that an identity is remembered, in seconds.
const DAYS: u64 = 2 * 24 * 60 * 60;

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    tally: Arc<Tally>,
    clients: Vec<JoinHandle<Ledger>>,
}

#[derive(Default)]
struct Tally {
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    slowest_answer_us: AtomicU64,
}

impl Load {
    pub fn start(footfall: &Footfall, token: &str) -> Self {
        let (stop, tally) = (Arc::new(AtomicBool::new(false)), Arc::<Tally>::default());
        let clients = (0..IDENTIFIED + ANONYMOUS).map(|index| {
            let worker = Worker {
                client: footfall.client().with_token(token),
                stop: stop.clone(),
                tally: tally.clone(),
                ledger: Ledger::default(),
            };
            tokio::spawn(async move {
                match index {
                    0..IDENTIFIED => worker.identified(index).await,
                    _ => worker.anonymous().await,
                }
            })
        });
        Self {
            clients: clients.collect(),
            stop,
            tally,
        }
    }

    pub fn acknowledged(&self) -> usize {
        self.tally.acknowledged.load(Ordering::Relaxed)
    }

    pub fn refused(&self) -> usize {
        self.tally.refused.load(Ordering::Relaxed)
    }

    /// The longest that an answer took.
    pub fn slowest_answer(&self) -> Duration {
        Duration::from_micros(self.tally.slowest_answer_us.load(Ordering::Relaxed))
    }

    /// Waits until so many more visits are acknowledged.
    pub async fn more_acknowledged(&self, visits: usize) {
        self.more(&self.tally.acknowledged, visits).await;
    }

    /// Waits until so many more visits are refused.
    pub async fn more_refused(&self, visits: usize) {
        self.more(&self.tally.refused, visits).await;
    }

    async fn more(&self, counter: &AtomicUsize, visits: usize) {
        let goal = counter.load(Ordering::Relaxed) + visits;
        let waiting = async {
            while counter.load(Ordering::Relaxed) < goal {
                assert!(
                    !self.clients.iter().any(JoinHandle::is_finished),
                    "a client has failed; its message is above"
                );
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| {
            let (acknowledged, refused) = (self.acknowledged(), self.refused());
            panic!("{acknowledged} visits acknowledged, {refused} refused, and no more of them")
        });
    }

    pub async fn stop(self) -> Vec<Ledger> {
        self.stop.store(true, Ordering::Relaxed);
        let mut ledgers = Vec::new();
        for client in self.clients {
            let ledger = timeout(PATIENCE, client).await;
            ledgers.push(ledger.expect("the client ends").unwrap());
        }
        ledgers
    }
}

struct Worker {
    client: Client,
    stop: Arc<AtomicBool>,
    tally: Arc<Tally>,
    ledger: Ledger,
}

impl Worker {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    async fn identified(mut self, index: usize) -> Ledger {
        let mut visit = 0;
        while self.goes_on() {
            let key = format!("client-{index}-visit-{visit}");
            let mut repeated = false;
            let number = loop {
                let started = Instant::now();
                let reply = send(&mut self.client, &key).await;
                if self.acknowledged(&reply, started).await {
                    break reply.visits();
                }
                repeated = true;
            };
            self.ledger.identified.push(Visit {
                key,
                number,
                repeated,
            });
            visit += 1;
        }
        self.ledger
    }

    async fn anonymous(mut self) -> Ledger {
        while self.goes_on() {
            let started = Instant::now();
            let reply = self.client.post("/api/counters/anonymous").await;
            if self.acknowledged(&reply, started).await {
                assert!(!reply.replayed());
                self.ledger.anonymous.push(reply.visits());
            } else if reply.problem() == "outcome_unknown" {
                self.ledger.unknown += 1;
            }
        }
        self.ledger
    }

    /// A number, or a clear refusal; either in time.
    async fn acknowledged(&self, reply: &Reply, started: Instant) -> bool {
        let took = started.elapsed();
        assert!(took < BOUND, "{took:?}");
        self.tally
            .slowest_answer_us
            .fetch_max(took.as_micros() as u64, Ordering::Relaxed);
        if reply.status == 200 {
            self.tally.acknowledged.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        assert_eq!(reply.status, 503, "{reply:?}");
        let code = reply.problem();
        assert!(
            [
                "store_unavailable",
                "outcome_unknown",
                "overloaded",
                "identities_full"
            ]
            .contains(&code.as_str()),
            "{code}"
        );
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        // A disk that fills up has no room for identities first, and that may last.
        let limit = if code == "identities_full" { DAYS } else { 60 };
        assert!((1..=limit).contains(&wait), "{wait}");
        self.tally.refused.fetch_add(1, Ordering::Relaxed);
        sleep(PAUSE).await;
        false
    }
}
