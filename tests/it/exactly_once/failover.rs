//! Another Redis takes the place of the one that has died.

use rustix::process::Signal;

use super::{
    check,
    clients::{COUNTERS, Clients},
};
use crate::support::{
    Client, Footfall,
    client::Target,
    eventually,
    postgres::{Database, Postgres},
    process::until,
    sentinels::Sentinels,
};

fn replica(sentinels: &Sentinels, wait_replicas: u32, database: &str) -> Footfall {
    Footfall::builder()
        .env("REDIS_URL", sentinels.url())
        .env("FOOTFALL_WAIT_REPLICAS", wait_replicas)
        .env("FOOTFALL_STORE_TIMEOUT", "2s")
        .env("DATABASE_URL", database)
        .start()
}

fn another_is_the_master(sentinels: &Sentinels) {
    eventually("another is the master", || {
        (sentinels.master() != 0).then_some(())
    });
}

/// What is recorded may be ahead of what the new master has; what was acknowledged is not.
#[tokio::test(flavor = "multi_thread")]
async fn with_replicas_that_are_waited_for_all_is_recorded_as_it_was_acknowledged() {
    let mut sentinels = Sentinels::start();
    let database = Database::migrated();
    let footfalls = [(); 2].map(|()| replica(&sentinels, 1, &database.url()));
    let targets = footfalls
        .each_ref()
        .map(|footfall| Target::Tcp(footfall.public()));
    let token = footfalls[0].token().await;
    let clients = Clients::start(&targets, &token, 2);
    clients.count(300).await;
    sentinels.servers[0].kill();
    another_is_the_master(&sentinels);
    clients.count(300).await;
    let told = clients.stop().await;
    let ask = |sql: &str| database.sql(sql);
    for counter in COUNTERS {
        let told = &told[counter];
        check::is_drained(&ask, counter, told.len() as u64).await;
        check::is_as_told(&ask, counter, told);
    }
}

/// A service without `FOOTFALL_WAIT_REPLICAS`, which has counted and recorded what no replica of Redis has.
struct Ahead {
    sentinels: Sentinels,
    postgres: Postgres,
    footfall: Footfall,
    client: Client,
}

/// Visits that all have, and all there are.
const REPLICATED: u64 = 5;
const COUNTED: u64 = 12;

/// What is said by who is to count, and by the drain.
const RAISED: [&str; 2] = [
    "Redis had lost visits that are recorded: the count was raised to them before another was counted",
    "Redis had lost visits that are recorded: the count was raised to them",
];

impl Ahead {
    async fn new() -> Self {
        let (sentinels, postgres) = (Sentinels::start(), Postgres::start());
        let footfall = replica(&sentinels, 0, &postgres.url("migrated"));
        footfall.metric_becomes("footfall_database_up", 1.0).await;
        let client = footfall.client().with_token(&footfall.token().await);
        let mut ahead = Self {
            sentinels,
            postgres,
            footfall,
            client,
        };
        for number in 1..=REPLICATED {
            assert_eq!(ahead.count(number).await, (number, false));
        }
        let master = &ahead.sentinels.servers[0];
        for server in &ahead.sentinels.servers[1..] {
            eventually("it has all visits", || {
                let count = server.command("GET footfall:{visits}:count");
                (count.lines().nth(1) == Some("5")).then_some(())
            });
            server.signal(Signal::STOP);
        }
        // Else what it sends them would be read when they go on.
        master.command("CLIENT KILL TYPE replica");
        for number in REPLICATED + 1..=COUNTED {
            assert_eq!(ahead.count(number).await, (number, false));
        }
        check::is_drained(&|sql| ahead.ask(sql), "visits", COUNTED).await;
        ahead
    }

    fn ask(&self, sql: &str) -> String {
        self.postgres.sql("migrated", sql)
    }

    fn fail_over(&mut self) {
        self.sentinels.servers[0].kill();
        for server in &self.sentinels.servers[1..] {
            server.signal(Signal::CONT);
        }
        another_is_the_master(&self.sentinels);
    }

    /// A visit with the key and path of this number: its number, and whether it had been counted.
    async fn count(&mut self, number: u64) -> (u64, bool) {
        let key = format!("key-{number}");
        let headers = [
            ("idempotency-key", key.as_str()),
            ("content-type", "application/json"),
        ];
        let body = format!(r#"{{"path":"/{number}","properties":{{"name":"/{number}"}}}}"#);
        let client = &mut self.client;
        let reply = until("it is counted", async || {
            let path = "/api/counters/visits";
            let reply = client
                .send(hyper::Method::POST, path, &headers, &body)
                .await;
            (reply.status == 200).then_some(reply)
        });
        let reply = reply.await;
        (reply.visits(), reply.replayed())
    }

    async fn repeated(&self) -> f64 {
        let name = "footfall_visits_repeated_numbers_total";
        self.footfall.metric(name).await.unwrap()
    }

    /// Each number is recorded with the path of this number.
    #[track_caller]
    fn is_recorded(&self, through: u64) {
        let ask = |sql: &str| self.ask(sql);
        assert_eq!(check::unrecorded(&ask, "visits"), "");
        assert_eq!(check::joined(&ask, "visits"), (1, through));
        let rows = check::rows(&ask, "visits");
        let all: Vec<_> = (1..=through)
            .map(|number| (number, format!("/{number}")))
            .collect();
        assert_eq!(rows.into_iter().collect::<Vec<_>>(), all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_them_a_count_that_lost_visits_is_raised_to_what_is_recorded() {
    let mut ahead = Ahead::new().await;
    ahead.fail_over();
    // The first to be counted is one more; those that were lost are known by their keys.
    assert_eq!(ahead.count(COUNTED + 1).await, (COUNTED + 1, false));
    for number in 1..=COUNTED {
        assert_eq!(ahead.count(number).await, (number, true));
    }
    // The drain may be earlier than who counts: it knows of the counter still, if the old master died
    // before it was told that all was recorded.
    let said = eventually("it is said that the count was raised", || {
        RAISED.iter().find_map(|said| ahead.footfall.find(said))
    });
    assert_eq!((&said["raised"], &said["through"]), (&7.into(), &12.into()));
    check::is_drained(&|sql| ahead.ask(sql), "visits", COUNTED + 1).await;
    ahead.is_recorded(COUNTED + 1);
    assert_eq!(ahead.repeated().await, 0.0);
}

/// Counting goes on, under numbers that were given before.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_too_what_gets_a_number_again_is_kept_aside() {
    let mut ahead = Ahead::new().await;
    ahead.postgres.signal(Signal::STOP);
    ahead.fail_over();
    for number in 101..=103 {
        assert_eq!(
            ahead.count(number).await,
            (number - 101 + REPLICATED + 1, false)
        );
    }
    ahead.postgres.signal(Signal::CONT);
    let name = "footfall_visits_repeated_numbers_total";
    ahead.footfall.metric_becomes(name, 3.0).await;
    ahead.footfall.logged(RAISED[1]);
    let aside = "SELECT sum(visits), string_agg(carried, ' ' ORDER BY last) FROM repeated_visits";
    let paths = [6, 7, 8].map(|number| {
        let visit = number + 95;
        format!(r#"{{"{number}":{{"p":"/{visit}","x":{{"name":"/{visit}"}}}}}}"#)
    });
    assert_eq!(ahead.ask(aside), format!("3|{}", paths.join(" ")));
    assert_eq!(ahead.count(COUNTED + 1).await, (COUNTED + 1, false));
    check::is_drained(&|sql| ahead.ask(sql), "visits", COUNTED + 1).await;
    ahead.is_recorded(COUNTED + 1);
}
