//! Clients that count visits of all kinds, and repeat what fails under the same key until they are told
//! a number.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{Client, client::Target, process::PATIENCE};

/// The counters they count on; the first one is that of `GET /api/count`.
pub const COUNTERS: [&str; 2] = ["visits", "pages"];

/// Lines of a request with many.
const LINES: u64 = 25;

/// After a refusal: it would be a second if `Retry-After` were heeded.
const PAUSE: Duration = Duration::from_millis(10);

/// What was sent under the numbers of a counter: its path, if it was no plain visit.
pub type Told = BTreeMap<u64, Option<String>>;

/// A counter, a number, and the path that was sent under it.
type Acknowledged = (&'static str, u64, Option<String>);

/// Clients at work.
pub struct Clients {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<Vec<Acknowledged>>>,
}

impl Clients {
    /// So many of each kind, that each use all of these targets.
    pub fn start(targets: &[Target], token: &str, of_each: usize) -> Self {
        let (stop, acknowledged) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let tasks = (0..3 * of_each).map(|index| {
            let one = One {
                index,
                targets: targets.to_vec(),
                target: index,
                token: token.to_owned(),
                client: Client::new(targets[index % targets.len()].clone()).with_token(token),
                acknowledged: acknowledged.clone(),
                told: Vec::new(),
            };
            tokio::spawn(one.run(stop.clone()))
        });
        Self {
            tasks: tasks.collect(),
            stop,
            acknowledged,
        }
    }

    /// How many visits have been acknowledged so far.
    pub fn acknowledged(&self) -> Arc<AtomicU64> {
        self.acknowledged.clone()
    }

    /// Waits for so many more.
    pub async fn count(&self, more: u64) {
        let goal = self.acknowledged.load(Ordering::Relaxed) + more;
        let waiting = async {
            while self.acknowledged.load(Ordering::Relaxed) < goal {
                let ended = self.tasks.iter().any(JoinHandle::is_finished);
                assert!(!ended, "a client has failed; its message is above");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let counted = tokio::time::timeout(PATIENCE, waiting).await;
        counted.expect("counting goes on");
    }

    /// Ends when all that was begun has been acknowledged, and gives what was told of each counter.
    pub async fn stop(self) -> BTreeMap<&'static str, Told> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all: BTreeMap<_, Told> = BTreeMap::new();
        for task in self.tasks {
            for (counter, number, path) in task.await.unwrap() {
                let twice = all.entry(counter).or_default().insert(number, path);
                assert_eq!(twice, None, "{counter} gave {number} twice");
            }
        }
        all
    }
}

struct One {
    index: usize,
    targets: Vec<Target>,
    /// Which of them it uses.
    target: usize,
    token: String,
    client: Client,
    acknowledged: Arc<AtomicU64>,
    told: Vec<Acknowledged>,
}

impl One {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Vec<Acknowledged> {
        let mut visit = 0;
        while !stop.load(Ordering::Relaxed) {
            visit += 1;
            let name = format!("{}-{visit}", self.index);
            let counter = COUNTERS[visit as usize % COUNTERS.len()];
            match self.index % 3 {
                0 => self.plain(&name).await,
                1 => self.carrying(&name, counter).await,
                _ => self.lines(&name, counter).await,
            }
        }
        self.told
    }

    fn tell(&mut self, counter: &'static str, number: u64, path: Option<String>) {
        self.told.push((counter, number, path));
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    async fn plain(&mut self, name: &str) {
        let headers = [("idempotency-key", name)];
        let body = self.insist(Method::GET, "/api/count", &headers, "").await;
        self.tell(COUNTERS[0], number(&body), None);
    }

    async fn carrying(&mut self, name: &str, counter: &'static str) {
        let headers = [
            ("idempotency-key", name),
            ("content-type", "application/json"),
        ];
        let (path, sent) = (format!("/api/counters/{counter}"), carried(name));
        let sent = sent.to_string();
        let body = self.insist(Method::POST, &path, &headers, &sent).await;
        self.tell(counter, number(&body), Some(name.to_owned()));
    }

    /// Lines that are refused are sent again, without the others.
    async fn lines(&mut self, name: &str, counter: &'static str) {
        let headers = [("content-type", "application/x-ndjson")];
        let mut left: Vec<_> = (0..LINES).map(|line| format!("{name}-{line}")).collect();
        while !left.is_empty() {
            let lines = left.iter().map(|name| {
                let mut line = carried(name);
                line["counter"] = counter.into();
                line["key"] = name.as_str().into();
                format!("{line}\n")
            });
            let sent: String = lines.collect();
            let body = self.insist(Method::POST, "/api/visits", &headers, &sent);
            let body = body.await;
            let answers = body.lines().map(|line| serde_json::from_str(line).unwrap());
            let answers: Vec<Value> = answers.collect();
            assert_eq!(answers.len(), left.len(), "{body}");
            let mut again = Vec::new();
            for (name, answer) in left.into_iter().zip(answers) {
                match answer["visits"].as_u64() {
                    Some(number) => self.tell(counter, number, Some(name)),
                    None => {
                        assert_eq!(answer["status"], 503, "{answer}");
                        again.push(name);
                    }
                }
            }
            left = again;
        }
    }

    /// Sends it until it is answered; after each failure to another replica.
    async fn insist(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> String {
        let insisting = async {
            loop {
                let sent = self.client.try_send(method.clone(), path, headers, body);
                match sent.await {
                    Ok(reply) if reply.status == 200 => return reply.text(),
                    Ok(reply) => assert_eq!(reply.status, 503, "{reply:?}"),
                    Err(_) => {
                        self.target += 1;
                        let target = self.targets[self.target % self.targets.len()].clone();
                        self.client = Client::new(target).with_token(&self.token);
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let answered = tokio::time::timeout(2 * PATIENCE, insisting).await;
        answered.expect("a visit is counted at last")
    }
}

fn number(body: &str) -> u64 {
    let body: Value = serde_json::from_str(body).unwrap();
    body["visits"].as_u64().unwrap()
}

/// What tells a visit from all others, in two places.
fn carried(name: &str) -> Value {
    json!({ "path": name, "properties": { "name": name } })
}
