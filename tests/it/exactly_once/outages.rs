//! PostgreSQL hangs, is slow, is full, is not yet migrated; a Redis Cluster changes: visits are counted
//! all the while, and recorded as they were acknowledged.

use std::time::Duration;

use rustix::process::Signal;

use super::{
    check,
    clients::{COUNTERS, Clients},
};
use crate::support::{
    Client, Footfall, Redis,
    client::Target,
    cluster::Cluster,
    footfall::footfall_command,
    postgres::{Database, Postgres},
    process::{PATIENCE, run},
    slow_proxy::SlowProxy,
};

/// Visits that are counted before, while and after something is amiss.
const SOME: u64 = 300;

const REPLICAS: usize = 2;

/// Replicas, and clients that count on them.
struct Counting {
    footfalls: Vec<Footfall>,
    clients: Clients,
}

impl Counting {
    async fn start(redis: &str, database: &str) -> Self {
        let replica = |_| {
            let builder = Footfall::builder().env("REDIS_URL", redis);
            let builder = builder.env("DATABASE_URL", database);
            builder
                .env(
                    "FOOTFALL_WAIT_REPLICAS",
                    u8::from(redis.contains("cluster")),
                )
                .env("FOOTFALL_STORE_TIMEOUT", "2s")
                .env("FOOTFALL_DATABASE_TIMEOUT", "1s")
                .start()
        };
        let footfalls: Vec<_> = (0..REPLICAS).map(replica).collect();
        let targets = footfalls.iter().map(|one| Target::Tcp(one.public()));
        let targets: Vec<_> = targets.collect();
        let token = Client::new(targets[0].clone()).token().await;
        let clients = Clients::start(&targets, &token, 2);
        clients.count(SOME).await;
        Self { footfalls, clients }
    }

    /// Whether every replica says that the database is away.
    async fn is_without_database(&self) {
        for footfall in &self.footfalls {
            footfall.metric_becomes("footfall_database_up", 0.0).await;
        }
    }

    async fn has_database(&self) {
        for footfall in &self.footfalls {
            footfall.metric_becomes("footfall_database_up", 1.0).await;
        }
    }

    /// All that was counted is recorded, once, under its number and with what was sent.
    async fn all_is_recorded(self, ask: check::Ask<'_>) {
        self.clients.count(SOME).await;
        let told = self.clients.stop().await;
        for counter in COUNTERS {
            let told = &told[counter];
            check::is_drained(ask, counter, told.len() as u64).await;
            check::is_as_told(ask, counter, told);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let counting = Counting::start(&redis.url(), &postgres.url("migrated")).await;
    // Whatever is being written stops where it is.
    postgres.signal(Signal::STOP);
    counting.clients.count(SOME).await;
    counting.is_without_database().await;
    counting.clients.count(SOME).await;
    postgres.signal(Signal::CONT);
    let ask = |sql: &str| postgres.sql("migrated", sql);
    counting.all_is_recorded(&ask).await;
}

/// Slow, and then so slow that nothing is known of what it was told.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_database() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let proxy = SlowProxy::start(database.server().port).await;
    let port = format!(":{}/", database.server().port);
    let url = database.url().replace(&port, &format!(":{}/", proxy.port));
    let counting = Counting::start(&redis.url(), &url).await;
    for delay in [100, 1500, 100] {
        proxy.delay(Duration::from_millis(delay));
        counting.clients.count(2 * SOME).await;
        if delay > 1000 {
            counting.is_without_database().await;
        }
    }
    proxy.delay(Duration::ZERO);
    counting.all_is_recorded(&|sql| database.sql(sql)).await;
}

/// What waits is far more than it can take within its time limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_its_time_for_each_visit() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let counting = Counting::start(&redis.url(), &database.url()).await;
    database.sql(
        "CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$;
         CREATE TRIGGER take_time BEFORE INSERT ON visits FOR EACH ROW EXECUTE FUNCTION take_time();",
    );
    counting.clients.count(5 * SOME).await;
    counting.all_is_recorded(&|sql| database.sql(sql)).await;
}

/// Its files may not grow: to the server that is a full disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_database() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let counting = Counting::start(&redis.url(), &postgres.url("migrated")).await;
    let ask = |sql: &str| postgres.sql("migrated", sql);
    // Of a counter that there is not, and more than a file of the server's own log has: that must have room, or
    // the server ends.
    let rows = "INSERT INTO visits (company_id, recording_id, number, at)
        SELECT '00000000-0000-0000-0000-000000000001', 0, number, (extract(epoch FROM now()) * 1000)::bigint
        FROM generate_series(1, 20000) AS numbers (number)";
    ask(&rows.replace("20000", "1"));
    let partition = "SELECT tableoid::regclass FROM visits WHERE recording_id = 0 LIMIT 1";
    let partition = ask(partition);
    ask(rows.replace("series(1", "series(2").as_str());
    let size = ask(&format!("SELECT pg_relation_size('{partition}')"));
    postgres.files_may_grow_to(Some(size.parse::<u64>().unwrap() + 4096));
    let is_full = |one: &Footfall| {
        let log = one.log();
        let mut waiting = log
            .iter()
            .filter(|line| line.contains("wait to be recorded"));
        waiting.any(|line| line.contains("could not extend file"))
    };
    let seen = async {
        while !counting.footfalls.iter().any(is_full) {
            counting.clients.count(SOME).await;
        }
    };
    let seen = tokio::time::timeout(2 * PATIENCE, seen).await;
    let log = || counting.footfalls[0].log().join("\n");
    seen.unwrap_or_else(|_| panic!("nothing says that it is full: {}", log()));
    counting.clients.count(SOME).await;
    postgres.files_may_grow_to(None);
    counting.all_is_recorded(&ask).await;
}

/// As during an update, whose migrations run once the first new replicas are there.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_an_older_schema() {
    let (redis, database) = (Redis::start(), Database::empty());
    let counting = Counting::start(&redis.url(), &database.url()).await;
    counting.is_without_database().await;
    counting.clients.count(SOME).await;
    let migrated = run(footfall_command()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", database.owner_url())
        .arg("migrate"));
    assert!(migrated.status.success(), "{migrated:?}");
    counting.has_database().await;
    counting.all_is_recorded(&|sql| database.sql(sql)).await;
}

/// The stream of a counter goes with its slot, and is where its count is.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_masters_change() {
    let (mut cluster, database) = (Cluster::start(), Database::migrated());
    let counting = Counting::start(&cluster.url(), &database.url()).await;
    let key = format!("footfall:{{{}}}:count", COUNTERS[1]);
    let (slot, from) = (cluster.slot(&key), cluster.master_of(&key));
    let to = cluster.other_than(from);
    cluster.begin_move(slot, from, to);
    cluster.finish_move(slot, from, to);
    assert_eq!(cluster.master_of(&key), to);
    counting.clients.count(SOME).await;
    cluster.nodes[to].kill();
    counting.clients.count(SOME).await;
    counting.all_is_recorded(&|sql| database.sql(sql)).await;
}
