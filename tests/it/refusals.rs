//! What the store refuses is certain not to be counted, is said with its reason, and is over when
//! the store no longer refuses it.

mod alone;
mod commits;
mod doctor;
mod everything;
mod in_part;
mod looking;
mod parts;

use std::time::{Duration, Instant};

use crate::support::{Footfall, Redis, client::Target, footfall::AWAY, footfall::Builder, until};

/// The time in which it is known that the store refuses all: a second, and what a busy machine
/// adds to it.
const NOTICED: Duration = Duration::from_secs(3);

/// The time in which counting goes on once it no longer does: two seconds, likewise.
const RECOVERED: Duration = Duration::from_secs(5);

/// A Redis with a user whose permissions change while a service runs.
struct Clerk {
    redis: Redis,
}

impl Clerk {
    fn new() -> Self {
        let clerk = Self {
            redis: Redis::start(),
        };
        clerk.may("on >hidden ~* +@all");
        clerk
    }

    /// `ACL SETUSER`
    fn may(&self, rules: &str) {
        self.redis.told(&format!("ACL SETUSER clerk {rules}"));
    }

    /// All that there is.
    fn may_do_all(&self) {
        self.may("on resetpass >hidden resetkeys ~* +@all");
    }

    fn url(&self) -> String {
        self.redis
            .url()
            .replace("redis://", "redis://clerk:hidden@")
    }

    fn service(&self) -> Builder {
        Footfall::builder().env("REDIS_URL", self.url())
    }
}

fn target(footfall: &Footfall) -> Target {
    Target::Tcp(footfall.public())
}

/// What `/readyz` says of the store: `None` if it is up.
async fn reason(footfall: &Footfall) -> Option<String> {
    let ready = footfall.ops_client().get("/readyz").await;
    let store = &ready.json()["dependencies"]["store"];
    assert_eq!(ready.status == 200, store["state"] == "up", "{ready:?}");
    Some(store["reason"].as_str()?.to_owned())
}

/// Waits until `/readyz` gives a reason for the store's absence.
async fn noticed(footfall: &Footfall) -> String {
    let started = Instant::now();
    let reason = until("it is noticed", async || reason(footfall).await).await;
    assert!(started.elapsed() < NOTICED, "{:?}", footfall.log());
    reason
}

/// Waits until `/readyz` is 200.
async fn recovered(footfall: &Footfall) {
    let started = Instant::now();
    until("it is ready again", async || {
        reason(footfall).await.is_none().then_some(())
    })
    .await;
    assert!(
        started.elapsed() < RECOVERED,
        "after {:?}",
        started.elapsed()
    );
}

/// The log lines that say that the store is away.
fn outages(footfall: &Footfall) -> Vec<String> {
    lines(footfall, AWAY)
}

fn lines(footfall: &Footfall, containing: &str) -> Vec<String> {
    let mut log = footfall.log();
    log.retain(|line| line.contains(containing));
    log
}

/// The value of a series; it must be there.
async fn metric(footfall: &Footfall, series: &str) -> f64 {
    let value = footfall.metric(series).await;
    value.unwrap_or_else(|| panic!("no {series}"))
}
