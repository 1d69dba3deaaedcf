//! Many clients at once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::Method;

use super::{
    client::{Client, Reply, Target},
    process::PATIENCE,
};

/// Sends `total` counting requests over `connections` connections spread over
/// the targets, and gives the numbers they got. Any failure fails the test.
pub async fn count_visits(
    targets: &[Target],
    token: &str,
    connections: usize,
    total: usize,
) -> Vec<u64> {
    let left = Arc::new(AtomicUsize::new(total));
    let tasks: Vec<_> = (0..connections)
        .map(|index| {
            let mut client = Client::new(targets[index % targets.len()].clone()).with_token(token);
            let left = left.clone();
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                        left.checked_sub(1)
                    })
                    .is_ok()
                {
                    numbers.push(client.get("/api/count").await.visits());
                }
                numbers
            })
        })
        .collect();
    let mut numbers = Vec::with_capacity(total);
    for task in tasks {
        numbers.extend(task.await.unwrap());
    }
    numbers
}

/// Asks again for as long as the answer is 503.
pub async fn get_insistently(client: &mut Client, path: &str) -> Reply {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reply = client.get(path).await;
        if reply.status != 503 {
            return reply;
        }
        assert!(Instant::now() < deadline, "still {reply:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How often visits were refused, by the code of the problem.
type Refused = Arc<Mutex<BTreeMap<String, usize>>>;

/// Clients that want every visit counted: each goes on with the next when it
/// has the number of the one before, and repeats what fails with its identity.
pub struct Insistent {
    stop: Arc<AtomicBool>,
    counted: Arc<AtomicUsize>,
    refused: Refused,
    tasks: Vec<tokio::task::JoinHandle<Vec<(String, u64)>>>,
}

impl Insistent {
    /// Counts on these counters in turn, without a pause.
    pub fn start(targets: &[Target], token: &str, connections: usize, counters: &[String]) -> Self {
        Self::resting(Duration::ZERO, targets, token, connections, counters)
    }

    /// Each client rests for 10 ms after each visit. For tests that wait long for something else:
    /// hundreds of visits a second are in the way of whatever happens, and leave the machine some
    /// time for it.
    pub fn paced(targets: &[Target], token: &str, connections: usize, counters: &[String]) -> Self {
        let rest = Duration::from_millis(10);
        Self::resting(rest, targets, token, connections, counters)
    }

    fn resting(
        rest: Duration,
        targets: &[Target],
        token: &str,
        connections: usize,
        counters: &[String],
    ) -> Self {
        let (stop, counted) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let refused = Refused::default();
        let tasks = (0..connections)
            .map(|index| {
                let target = targets[index % targets.len()].clone();
                let client = Client::new(target).with_token(token);
                let client = InsistentClient {
                    client,
                    index,
                    rest,
                    counters: counters.to_vec(),
                    stop: stop.clone(),
                    counted: Arc::clone(&counted),
                    refused: refused.clone(),
                };
                tokio::spawn(client.insist())
            })
            .collect();
        Self {
            stop,
            counted,
            refused,
            tasks,
        }
    }

    /// Waits until so many more visits are counted.
    pub async fn count(&self, more: usize) {
        let wanted = self.counted.load(Ordering::Relaxed) + more;
        let waiting = async {
            while self.counted.load(Ordering::Relaxed) < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("counting goes on");
    }

    /// How often visits were refused so far, by the code of the problem.
    pub fn refused(&self) -> BTreeMap<String, usize> {
        self.refused.lock().unwrap().clone()
    }

    /// Ends when every visit begun is counted, and gives each counter its numbers.
    pub async fn stop(self) -> HashMap<String, Vec<u64>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut numbers: HashMap<String, Vec<u64>> = HashMap::new();
        for task in self.tasks {
            for (counter, number) in task.await.unwrap() {
                numbers.entry(counter).or_default().push(number);
            }
        }
        numbers
    }
}

struct InsistentClient {
    client: Client,
    index: usize,
    rest: Duration,
    counters: Vec<String>,
    stop: Arc<AtomicBool>,
    counted: Arc<AtomicUsize>,
    refused: Refused,
}

impl InsistentClient {
    /// The counter and the number of each visit.
    async fn insist(mut self) -> Vec<(String, u64)> {
        let mut numbers = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let visit = numbers.len();
            let counter = self.counters[(self.index + visit) % self.counters.len()].clone();
            let number = self
                .visit(&counter, &format!("{}-{visit}", self.index))
                .await;
            numbers.push((counter, number));
            self.counted.fetch_add(1, Ordering::Relaxed);
            if !self.rest.is_zero() {
                tokio::time::sleep(self.rest).await;
            }
        }
        numbers
    }

    /// Repeats a visit until it is counted.
    async fn visit(&mut self, counter: &str, key: &str) -> u64 {
        let path = format!("/api/counters/{counter}");
        let headers = [("idempotency-key", key)];
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.client.send(Method::POST, &path, &headers, "").await;
            if reply.status == 200 {
                return reply.visits();
            }
            // 504 is nginx', on a machine that is too busy for any replica to answer in time.
            assert!(matches!(reply.status.as_u16(), 503 | 504), "{reply:?}");
            assert!(reply.header("retry-after").is_some(), "{reply:?}");
            let code = reply.problem();
            *self.refused.lock().unwrap().entry(code).or_default() += 1;
            assert!(Instant::now() < deadline, "never counted: {reply:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Checks that the numbers are exactly 1, 2, 3, … up to their count.
#[track_caller]
pub fn assert_exact(numbers: &[u64]) {
    let mut distinct = HashSet::new();
    let twice: Vec<_> = numbers
        .iter()
        .filter(|number| !distinct.insert(**number))
        .collect();
    assert!(twice.is_empty(), "given twice: {twice:?}");
    assert_eq!(numbers.iter().min(), Some(&1));
    assert_eq!(
        numbers.iter().max(),
        Some(&(numbers.len() as u64)),
        "a number was skipped"
    );
}
