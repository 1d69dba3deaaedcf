//! The store refuses a part of what Footfall does, and the rest goes on.

use super::{
    Clerk,
    alone::{ALONE, NO_LONGER},
    lines, outages, reason, recovered, target,
};
use crate::support::{Client, Footfall, eventually, load::Insistent};

/// Counts on a counter that is there, all the while.
struct Counting {
    clerk: Clerk,
    footfall: Footfall,
    client: Client,
    load: Insistent,
}

impl Counting {
    async fn start() -> Self {
        let clerk = Clerk::new();
        let footfall = clerk.service().start();
        let token = footfall.token().await;
        let load = Insistent::start(&[target(&footfall)], &token, 4, &["a".to_owned()]);
        load.count(20).await;
        Self {
            client: footfall.client().with_token(&token),
            clerk,
            footfall,
            load,
        }
    }

    /// Nobody who counted has seen any of it.
    async fn ends(self) {
        self.load.count(20).await;
        assert!(self.load.refused().is_empty(), "{:?}", self.load.refused());
        assert_eq!(reason(&self.footfall).await, None);
        assert!(
            outages(&self.footfall).is_empty(),
            "{:?}",
            self.footfall.log()
        );
        self.load.stop().await;
    }

    fn said(&self, what: &str) -> String {
        eventually(what, || lines(&self.footfall, what).pop())
    }
}

/// Whose script is loaded needs not load it.
#[tokio::test(flavor = "multi_thread")]
async fn loading_the_script() {
    let mut counting = Counting::start().await;
    counting
        .client
        .post("/api/counters/poisoned")
        .await
        .visits();
    counting.clerk.may("-script|load");
    counting.load.count(100).await;
    // That one counter is refused makes the service look closer.
    let poison = "SET footfall:{poisoned}:count many";
    counting.clerk.redis.told(poison);
    let refused = counting.client.post("/api/counters/poisoned").await;
    assert_eq!(refused.problem(), "store_unavailable");
    counting.said(ALONE);
    counting.ends().await;
}

/// … but once Redis has forgotten it, it does.
#[tokio::test(flavor = "multi_thread")]
async fn loading_a_script_that_is_forgotten() {
    let clerk = Clerk::new();
    let footfall = clerk.service().start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    clerk.may("-script|load");
    clerk.redis.told("SCRIPT FLUSH");
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    let said = super::noticed(&footfall).await;
    assert!(said.contains("'script|load' command"), "{said}");
    clerk.may_do_all();
    recovered(&footfall).await;
    assert_eq!(client.get("/api/count").await.visits(), 2);
}

/// The index of counters: only those that are new need it.
#[tokio::test(flavor = "multi_thread")]
async fn new_counters() {
    let mut counting = Counting::start().await;
    for (before, rules) in ["-eval", "-zadd", "-zscore -zcard", "resetkeys ~footfall:{*"]
        .iter()
        .enumerate()
    {
        counting.clerk.may(rules);
        for name in ["new", "newer"] {
            let path = format!("/api/counters/{name}-{before}");
            let refused = counting.client.post(&path).await;
            assert_eq!(refused.problem(), "store_unavailable", "{rules}");
        }
        let said = eventually("that is said", || {
            let said = lines(&counting.footfall, ALONE);
            (said.len() == before + 1).then(|| said[before].clone())
        });
        assert!(said.contains("new counters"), "{said}");
        counting.clerk.may_do_all();
        let path = format!("/api/counters/new-{before}");
        assert_eq!(
            counting.client.post(&path).await.visits(),
            1,
            "it was not counted before"
        );
        eventually("that is over", || {
            let said = lines(&counting.footfall, NO_LONGER);
            (said.len() == before + 1).then_some(())
        });
    }
    assert_eq!(
        lines(&counting.footfall, ALONE).len(),
        4,
        "{:?}",
        counting.footfall.log()
    );
    counting.ends().await;
}

/// What another replica has listed a moment ago stays listed when it cannot be listed again.
#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_is_listed_already() {
    let clerk = Clerk::new();
    let footfall = clerk.service().start();
    let mut client = footfall.client().logged_in().await;
    clerk.redis.command("ZADD footfall:counters 0 early");
    clerk.may("-zadd");
    let refused = client.post("/api/counters/early").await;
    assert_eq!(refused.problem(), "store_unavailable");
    let listed = || clerk.redis.command("ZSCORE footfall:counters early");
    assert_eq!(listed(), "$1\r\n0\r\n");
    clerk.may_do_all();
    assert_eq!(client.post("/api/counters/early").await.visits(), 1);
    assert_eq!(listed(), "$1\r\n0\r\n");
}

/// Reading is answered 503, and counting goes on.
#[tokio::test(flavor = "multi_thread")]
async fn reading() {
    let mut counting = Counting::start().await;
    counting.clerk.may("-get");
    for path in ["/api/counters/a", "/api/counters"] {
        let refused = counting.client.get(path).await;
        assert_eq!(refused.problem(), "store_unavailable", "{path}");
    }
    let said = counting.said(ALONE);
    assert!(
        said.contains("reading counters") && said.contains("'get' command"),
        "{said}"
    );
    counting.load.count(100).await;
    counting.clerk.may_do_all();
    counting.said(NO_LONGER);
    assert!(counting.client.get("/api/counters/a").await.visits() >= 120);

    counting.clerk.may("-zrangebylex");
    let refused = counting.client.get("/api/counters").await;
    assert_eq!(refused.problem(), "store_unavailable");
    assert!(counting.client.get("/api/counters/a").await.visits() >= 120);
    counting.clerk.may_do_all();
    assert_eq!(counting.client.get("/api/counters").await.status, 200);
    counting.ends().await;
}

/// A counter that holds no number is named, and not taken for one that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn reading_a_counter_that_is_spoilt() {
    let mut counting = Counting::start().await;
    counting.client.post("/api/counters/spoilt").await.visits();
    for value in ["many", "-5", "1.5"] {
        counting
            .clerk
            .redis
            .told(&format!("SET footfall:{{spoilt}}:count {value}"));
        for path in ["/api/counters/spoilt", "/api/counters"] {
            let refused = counting.client.get(path).await;
            assert_eq!(refused.problem(), "store_unavailable", "{value} {path}");
        }
    }
    counting.ends().await;
}

/// The first visit of a counter is taken back, and then there is no counter.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_visit_of_a_counter() {
    let clerk = Clerk::new();
    let footfall = clerk.service().start();
    let client = footfall.client().logged_in().await;
    let mut client = client.with("idempotency-key", "first");
    for (counter, rules) in [("a", "-hset"), ("b", "-pexpire")] {
        let path = format!("/api/counters/{counter}");
        clerk.may(rules);
        assert_eq!(client.post(&path).await.problem(), "store_unavailable");
        assert_eq!(client.get(&path).await.problem(), "counter_not_found");
        let list = client.get("/api/counters").await.text();
        assert!(!list.contains(&format!("\"{counter}\"")), "{list}");
        let identities = format!("EXISTS footfall:{{{counter}}}:keys");
        assert!(
            clerk.redis.command(&identities).starts_with(":0"),
            "{rules}"
        );
        clerk.may_do_all();
        recovered(&footfall).await;
        let reply = client.post(&path).await;
        assert_eq!((reply.visits(), reply.replayed()), (1, false));
    }
}
