//! Requests at a steady rate, whatever becomes of those before them: as many
//! clients as it takes, each with a connection of its own.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinHandle, time::interval};

use super::{
    client::{Client, Reply, Target},
    process::PATIENCE,
};

/// A request and its answer.
pub struct Exchange {
    /// When it was sent.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
    /// What came back.
    pub reply: Reply,
}

/// Visits on the default counter. A request without an answer fails the test.
pub struct SteadyLoad {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    sending: JoinHandle<Vec<JoinHandle<Exchange>>>,
}

impl SteadyLoad {
    /// So many requests a second.
    pub fn start(target: &Target, token: &str, rate: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let (stopped, done) = (stop.clone(), Arc::clone(&answered));
        let (target, token) = (target.clone(), token.to_owned());
        let sending = tokio::spawn(async move {
            let idle = Arc::new(Mutex::new(Vec::new()));
            let mut pace = interval(Duration::from_secs(1) / rate);
            let mut sent = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                pace.tick().await;
                let client = idle.lock().unwrap().pop();
                let mut client: Client =
                    client.unwrap_or_else(|| Client::new(target.clone()).with_token(&token));
                let (idle, done) = (idle.clone(), done.clone());
                sent.push(tokio::spawn(async move {
                    let at = Instant::now();
                    let reply = client.get("/api/count").await;
                    let took = at.elapsed();
                    idle.lock().unwrap().push(client);
                    done.fetch_add(1, Ordering::Relaxed);
                    Exchange { at, took, reply }
                }));
            }
            sent
        });
        Self {
            stop,
            answered,
            sending,
        }
    }

    /// Waits until so many more are answered.
    pub async fn answer(&self, more: usize) {
        let wanted = self.answered.load(Ordering::Relaxed) + more;
        let waiting = async {
            while self.answered.load(Ordering::Relaxed) < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("requests are answered");
    }

    /// Ends, and gives everything that was sent, in its order.
    pub async fn stop(self) -> Vec<Exchange> {
        self.stop.store(true, Ordering::Relaxed);
        let mut exchanges = Vec::new();
        for sent in self.sending.await.unwrap() {
            exchanges.push(sent.await.unwrap());
        }
        exchanges
    }
}

/// The slowest answer to the requests of each second after this moment, in milliseconds.
pub fn slowest_by_second(exchanges: &[Exchange], after: Instant) -> Vec<u128> {
    let mut slowest = Vec::new();
    for exchange in exchanges {
        let Some(since) = exchange.at.checked_duration_since(after) else {
            continue;
        };
        let second = since.as_secs() as usize;
        slowest.resize(slowest.len().max(second + 1), 0);
        slowest[second] = slowest[second].max(exchange.took.as_millis());
    }
    slowest
}

/// The time within which 99 of 100 were answered.
pub fn p99<'a>(exchanges: impl Iterator<Item = &'a Exchange>) -> Duration {
    let mut times: Vec<_> = exchanges.map(|exchange| exchange.took).collect();
    times.sort_unstable();
    times[times.len() * 99 / 100]
}
