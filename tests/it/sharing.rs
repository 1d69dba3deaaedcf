//! Counters that are visited at the same moment share a call to Redis, and nothing else.

use futures_util::future::join_all;
use hyper::Method;
use redis::{Client, Script, Value, aio::MultiplexedConnection, from_redis_value};

use crate::support::{Footfall, Redis, client::Reply, cluster::Cluster, process::until};

/// What the first visit is on, which goes alone: the others wait meanwhile.
const OPENER: &str = "opener";

/// More than a test has.
const MOST_COMMANDS: u32 = 100_000;

/// As it is loaded.
const SHARED: &str = concat!(
    "local function count(KEYS, ARGV)\n",
    include_str!("../../src/counting/counts/redis/count.lua"),
    "\nend\n",
    include_str!("../../src/counting/counts/redis/share.lua")
);

struct Stage {
    redis: Redis,
    footfall: Footfall,
    token: String,
}

impl Stage {
    async fn new() -> Self {
        let redis = Redis::start();
        let url = redis.url();
        Self::on(redis, &url).await
    }

    async fn on(redis: Redis, url: &str) -> Self {
        // All commands are kept, however fast they were.
        redis.told("CONFIG SET slowlog-log-slower-than 0");
        redis.told(&format!("CONFIG SET slowlog-max-len {MOST_COMMANDS}"));
        let footfall = Footfall::builder()
            .env("REDIS_URL", url)
            .env("FOOTFALL_WORKERS", 1)
            .env("FOOTFALL_DEDUP_LIMIT", 2)
            .env("FOOTFALL_STORE_TIMEOUT", "30s")
            .env("FOOTFALL_REQUEST_TIMEOUT", "60s")
            .start();
        footfall.ready().await;
        let token = footfall.token().await;
        Self {
            redis,
            footfall,
            token,
        }
    }

    /// Visits counters, some of them with a key, so that all but the first wait for one call.
    async fn together(&self, visits: &[(&str, Option<&str>)]) -> Vec<Reply> {
        let (opened, replies) = self.together_after("PING", visits).await;
        assert_eq!(opened.status, 200, "{opened:?}");
        replies
    }

    /// The same, on a server that is told something first; and what became of the first visit.
    async fn together_after(
        &self,
        command: &str,
        visits: &[(&str, Option<&str>)],
    ) -> (Reply, Vec<Reply>) {
        self.redis.told("CLIENT PAUSE 30000 WRITE");
        let waiting = async {
            let under_way = "footfall_visits_unanswered";
            self.footfall.metric_becomes(under_way, 1.0).await;
            let all = visits
                .iter()
                .map(|(counter, key)| self.visit(counter, *key));
            let release = async {
                let depth = "footfall_count_queue_depth";
                let waiting = visits.len() as f64;
                self.footfall.metric_becomes(depth, waiting).await;
                self.redis.command(command);
                self.redis.told("CLIENT UNPAUSE");
            };
            futures_util::join!(join_all(all), release).0
        };
        futures_util::join!(self.visit(OPENER, None), waiting)
    }

    async fn visit(&self, counter: &str, key: Option<&str>) -> Reply {
        let mut client = self.footfall.client().with_token(&self.token);
        let headers: Vec<_> = key
            .map(|key| ("idempotency-key", key))
            .into_iter()
            .collect();
        let path = format!("/api/counters/{counter}");
        client.send(Method::POST, &path, &headers, "").await
    }

    async fn visits(&self, counter: &str) -> u64 {
        let mut client = self.footfall.client().with_token(&self.token);
        let path = format!("/api/counters/{counter}");
        client.get(&path).await.visits()
    }

    /// How often scripts were called for counters; those that try whether visits can be counted, once a
    /// second, have names of their own.
    async fn calls(&self) -> usize {
        type Entry = (u64, u64, u64, Vec<Vec<u8>>, String, String);
        let mut connection = connection(&self.redis).await;
        let mut log = redis::cmd("SLOWLOG");
        log.arg("GET").arg(MOST_COMMANDS);
        let entries: Vec<Entry> = log.query_async(&mut connection).await.unwrap();
        let is_probe = |argument: &Vec<u8>| argument.starts_with(b"footfall:{.probe-");
        let calls = entries.iter().filter(|(_, _, _, arguments, ..)| {
            arguments[0] == b"EVALSHA" && !arguments.iter().any(is_probe)
        });
        calls.count()
    }
}

async fn connection(redis: &Redis) -> MultiplexedConnection {
    let client = Client::open(redis.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_one_counter_is_its_own() {
    let stage = Stage::new().await;
    for counter in [OPENER, "a", "b", "full", "wrong", "text"] {
        assert_eq!(stage.visit(counter, None).await.visits(), 1);
    }
    for key in ["one", "two"] {
        stage.visit("full", Some(key)).await;
    }
    // One of the scripts is known by now, and this makes the other known.
    stage.together(&[("a", None), ("b", None)]).await;
    stage.redis.command("DEL footfall:{wrong}:count");
    stage.redis.command("HSET footfall:{wrong}:count a b");
    stage.redis.told("SET footfall:{text}:count text");
    let before = stage.calls().await;
    let replies = stage
        .together(&[
            ("a", None),
            ("b", Some("key")),
            ("b", None),
            ("full", Some("one")),
            ("full", Some("three")),
            ("full", None),
            ("wrong", None),
            ("text", Some("key")),
        ])
        .await;
    assert_eq!(stage.calls().await - before, 2);
    assert_eq!(replies[0].visits(), 3);
    let mut both = [replies[1].visits(), replies[2].visits()];
    both.sort_unstable();
    assert_eq!(both, [3, 4]);
    assert!(replies[3].replayed(), "{:?}", replies[3]);
    assert_eq!(replies[3].visits(), 2);
    assert_eq!(replies[4].problem(), "identities_full");
    assert_eq!(replies[5].visits(), 4);
    assert_eq!(replies[6].problem(), "store_unavailable");
    assert_eq!(replies[7].problem(), "store_unavailable");
    for (counter, visits) in [("a", 3), ("b", 4), ("full", 4)] {
        assert_eq!(stage.visits(counter).await, visits, "{counter}");
    }
    let again = stage.visit("b", Some("key")).await;
    assert!(again.replayed(), "{again:?}");
    assert_eq!(again.visits(), replies[1].visits());
}

#[tokio::test(flavor = "multi_thread")]
async fn new_counters_are_listed_each() {
    let stage = Stage::new().await;
    stage.visit(OPENER, None).await;
    stage.visit("old", None).await;
    let replies = stage
        .together(&[("old", None), ("new", None), ("newer", Some("key"))])
        .await;
    let numbers: Vec<_> = replies.iter().map(Reply::visits).collect();
    assert_eq!(numbers, [2, 1, 1]);
    let mut client = stage.footfall.client().with_token(&stage.token);
    let listed = client.get("/api/counters").await.json();
    let listed = listed["counters"].as_array().unwrap().len();
    assert_eq!(listed, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_counts_for_none() {
    let stage = Stage::new().await;
    let counters = ["a", "b", "c"];
    for counter in [OPENER].into_iter().chain(counters) {
        stage.visit(counter, None).await;
    }
    stage.together(&[("a", None), ("b", None)]).await;
    let visits = [("a", None), ("b", Some("key")), ("c", None)];
    let full = "CONFIG SET maxmemory 1";
    let (opened, replies) = stage.together_after(full, &visits).await;
    for reply in [&[opened][..], &replies].concat() {
        assert_eq!(reply.problem(), "store_unavailable", "{reply:?}");
    }
    stage.redis.told("CONFIG SET maxmemory 0");
    stage.footfall.ready().await;
    for (counter, visits) in [("a", 2), ("b", 2), ("c", 1)] {
        assert_eq!(stage.visits(counter).await, visits, "{counter}");
    }
}

/// As where something in between knows one key a call, or a user may not have all of them.
#[tokio::test(flavor = "multi_thread")]
async fn where_calls_are_not_shared_each_counter_has_its_own() {
    let stage = Stage::new().await;
    for counter in [OPENER, "a", "b", "c"] {
        stage.visit(counter, None).await;
    }
    // Makes the script of such calls known.
    stage.together(&[("a", None), ("b", None)]).await;
    stage
        .redis
        .told("ACL SETUSER default resetkeys ~footfall:{a}:* ~footfall:{b}:* ~footfall:{opener}:* ~footfall:{.probe-* ~footfall:counters ~footfall:schema ~footfall:layout");
    let replies = stage
        .together(&[("a", None), ("b", None), ("c", None)])
        .await;
    let ended: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(ended, [200, 200, 503]);
    stage.redis.told("ACL SETUSER default allkeys");
    for (counter, visits) in [("a", 3), ("b", 3), ("c", 1)] {
        assert_eq!(stage.visits(counter).await, visits, "{counter}");
    }
    // Whoever connects again may find a server that takes them.
    stage.redis.command("CLIENT KILL TYPE normal SKIPME yes");
    until("a visit is counted over a new connection", async || {
        (stage.visit(OPENER, None).await.status == 200).then_some(())
    })
    .await;
    stage.footfall.ready().await;
    let before = stage.calls().await;
    let replies = stage
        .together(&[("a", None), ("b", None), ("c", None)])
        .await;
    let numbers: Vec<_> = replies.iter().map(Reply::visits).collect();
    assert_eq!(numbers, [4, 4, 2]);
    assert_eq!(stage.calls().await - before, 2);
}

/// It has keys of several counters in no call, not even in one that is refused and made again.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_asked_for_each_counter() {
    let mut cluster = Cluster::of_one();
    let url = cluster.url();
    let stage = Stage::on(cluster.nodes.remove(0), &url).await;
    let counters = [OPENER, "a", "b", "c"];
    for counter in counters {
        stage.visit(counter, None).await;
    }
    let before = stage.calls().await;
    let visits = [("a", None), ("b", Some("key")), ("c", None)];
    let replies = stage.together(&visits).await;
    let numbers: Vec<_> = replies.iter().map(Reply::visits).collect();
    assert_eq!(numbers, [2, 2, 2]);
    assert_eq!(stage.calls().await - before, 4);
    let errors = stage.redis.command("INFO errorstats");
    assert!(!errors.contains("CROSSSLOT"), "{errors}");
}

/// A call for counters without identities, on which nothing is recorded yet.
async fn call(redis: &Redis, epoch: Option<&str>, visits: &[(&str, u64)]) -> Value {
    let script = Script::new(SHARED);
    let mut call = script.prepare_invoke();
    for (counter, _) in visits {
        call.key(format!("footfall:{{{counter}}}:count"));
    }
    if epoch.is_some() {
        call.key("epoch");
    }
    call.arg(visits.len()).arg("1").arg("0").arg("0");
    call.arg("1000").arg("1000000").arg("0");
    call.arg(epoch.unwrap_or("*"));
    for argument in ["60000", "100", "60000", "100"] {
        call.arg(argument);
    }
    for (_, visits) in visits {
        call.arg(*visits);
    }
    call.invoke_async(&mut connection(redis).await)
        .await
        .unwrap()
}

#[tokio::test]
async fn where_more_was_revoked_than_is_known_none_is_counted() {
    let redis = Redis::start();
    redis.told("SET epoch new");
    for counter in ["a", "b"] {
        redis.told(&format!("SET footfall:{{{counter}}}:count 0"));
    }
    let visits = [("a", 1), ("b", 3)];
    assert_eq!(call(&redis, Some("old"), &visits).await, Value::Int(-2));
    assert!(
        redis
            .command("GET footfall:{a}:count")
            .contains("\r\n0\r\n")
    );
    let numbers = |value: Value| from_redis_value::<Vec<u64>>(value).unwrap();
    assert_eq!(numbers(call(&redis, Some("new"), &visits).await), [1, 1]);
    assert_eq!(numbers(call(&redis, None, &visits).await), [2, 4]);
    assert_eq!(numbers(call(&redis, Some("new"), &visits).await), [3, 7]);
}

/// Others may record where this replica does not.
#[tokio::test]
async fn a_counter_that_is_recorded_is_so_in_a_call_with_others() {
    let redis = Redis::start();
    for (counter, visits) in [("a", 4), ("b", 0)] {
        redis.told(&format!("SET footfall:{{{counter}}}:count {visits}"));
    }
    let fields = "on 1 mode 1 top 0 at 0 bytes 0 through 0 drained 0 gap off version 0";
    redis.command(&format!("HSET footfall:{{b}}:record {fields}"));
    call(&redis, None, &[("a", 1), ("b", 3)]).await;
    assert_eq!(redis.command("XLEN footfall:{b}:visits"), ":1\r\n");
    assert_eq!(redis.command("XLEN footfall:{a}:visits"), ":0\r\n");
    assert!(
        redis
            .command("GET footfall:{a}:count")
            .contains("\r\n5\r\n")
    );
    assert!(
        redis
            .command("GET footfall:{b}:count")
            .contains("\r\n3\r\n")
    );
}
