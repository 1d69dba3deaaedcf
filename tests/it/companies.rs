//! Counters of several companies: what is kept of one is apart from what is kept of another. That
//! numbers, replays, lists and limits are is what the model test says (`model.rs`).

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use footfall::{
    config::{StoreLocation, StoreSettings},
    counting::{
        Batch, Company, Counted, CounterId, Identity, NotCounted, Outcome, Visit,
        counts::CounterStore, identity::IdentityKind,
    },
    storage::{Store, StoreError, metrics::StoreMetrics},
};
use uuid::Uuid;

use crate::support::{
    Footfall, Redis,
    cluster::Cluster,
    footfall::footfall_command,
    process::{Process, run},
};

const ID: &str = "0192d4a5-7b1c-7def-8a90-0123456789ab";

fn companies() -> [Company; 2] {
    [Company::Default, Company::Id(ID.parse().unwrap())]
}

/// The counts of a store.
pub struct Counts(CounterStore);

impl Counts {
    pub async fn at(location: StoreLocation) -> Self {
        Self::with(location, 100).await
    }

    async fn with(location: StoreLocation, counter_limit: u32) -> Self {
        let settings = StoreSettings {
            location,
            timeout: Duration::from_secs(20),
            dedup_window: Duration::from_hours(1),
            dedup_limit: 100,
            counter_limit,
            record_backlog: 1_000_000,
            wait_replicas: 0,
        };
        let metrics = Arc::new(StoreMetrics::detached().unwrap());
        let store = Store::open(&settings, metrics).await.unwrap();
        Self(CounterStore::new(store, &settings))
    }

    pub async fn redis(url: &str) -> Self {
        Self::at(StoreLocation::Redis(Box::new(url.parse().unwrap()))).await
    }

    /// One visit for each of these counters, in one round trip, with the same identity.
    async fn count(
        &mut self,
        counters: &[(Company, &str)],
        key: &str,
    ) -> Vec<Result<Outcome, StoreError>> {
        let identity = Identity::new(IdentityKind::Key, "user", key.as_bytes());
        let batches = counters.iter().map(|&(company, name)| Batch {
            counter: CounterId {
                company,
                name: name.parse().unwrap(),
            },
            visits: vec![Visit {
                identity: Some(identity),
                ..Visit::default()
            }],
            known: None,
        });
        let batches: Vec<_> = batches.collect();
        let results = self.0.count(&batches).await.into_iter();
        results.map(|result| Ok(result?[0])).collect()
    }

    /// A visit of another company than `default`.
    pub async fn count_of_another(&mut self, name: &str, key: &str) -> Counted {
        let counted = self.count(&[(companies()[1], name)], key).await;
        counted.into_iter().next().unwrap().unwrap().unwrap()
    }
}

fn counted(number: u64) -> Outcome {
    let replayed = false;
    Ok(Counted { number, replayed })
}

/// A store that refuses the counter `a` of one of the companies, and whose refusal can be taken back.
async fn refuses_one_company_only(
    mut counts: Counts,
    spoil: impl Fn(Company),
    mend: impl Fn(Company),
) {
    let both = companies().map(|company| (company, "a"));
    for result in counts.count(&both, "1").await {
        assert_eq!(result.unwrap(), counted(1));
    }
    for (refused, served) in [(0, 1), (1, 0)] {
        let before = counts.0.get(&counter(companies()[served])).await.unwrap();
        spoil(companies()[refused]);
        let key = format!("while {refused} is refused");
        let results = counts.count(&both, &key).await;
        assert!(
            matches!(results[refused], Err(StoreError::Refused(_))),
            "{results:?}"
        );
        let next = before.unwrap() + 1;
        assert_eq!(*results[served].as_ref().unwrap(), counted(next));
        mend(companies()[refused]);
    }
}

fn counter(company: Company) -> CounterId {
    let name = "a".parse().unwrap();
    CounterId { company, name }
}

#[tokio::test]
async fn a_counter_that_redis_refuses_does_not_take_its_namesake_along() {
    let redis = Redis::start();
    let counts = Counts::redis(&redis.url()).await;
    let key = |company| format!("footfall:{{{}}}:count", counter(company));
    refuses_one_company_only(
        counts,
        |company| {
            let key = key(company);
            redis.told(&format!("RENAME {key} kept"));
            redis.command(&format!("RPUSH {key} 1"));
        },
        |company| redis.told(&format!("RENAME kept {}", key(company))),
    )
    .await;
}

#[tokio::test]
async fn a_counter_that_sqlite_refuses_does_not_take_its_namesake_along() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("footfall.db");
    let counts = Counts::at(StoreLocation::Sqlite(database.clone())).await;
    let sql = |company: Company, visits: i64| {
        let (table, condition) = match company {
            Company::Default => ("counters", String::new()),
            Company::Id(id) => (
                "company_counters",
                format!("company = x'{}' AND", id.simple()),
            ),
        };
        let statement =
            format!("UPDATE {table} SET visits = {visits} WHERE {condition} name = 'a'");
        let mut sqlite = Command::new("sqlite3");
        sqlite.args(["-cmd", ".timeout 20000"]).arg(&database);
        assert!(run(sqlite.arg(statement)).status.success());
    };
    refuses_one_company_only(
        counts,
        // One more would be no whole number.
        |company| sql(company, i64::MAX),
        |company| sql(company, 1),
    )
    .await;
}

/// Each company's default counter has room, whatever others it or another company has.
async fn has_room_for_default_counters(mut counts: Counts) {
    let [default, another] = companies();
    let full = Err(NotCounted::CountersFull);
    for (company, name, outcome) in [
        (default, "a", counted(1)),
        (default, "b", full),
        // What one company has takes no other's room.
        (another, "b", counted(1)),
        (another, "a", full),
        (another, "visits", counted(1)),
        (default, "visits", counted(1)),
        (default, "a", counted(2)),
    ] {
        let key = format!("{company} {name} {outcome:?}");
        let result = counts.count(&[(company, name)], &key).await;
        assert_eq!(*result[0].as_ref().unwrap(), outcome, "{key}");
    }
}

#[tokio::test]
async fn each_company_has_room_on_redis() {
    let redis = Redis::start();
    let location = StoreLocation::Redis(Box::new(redis.url().parse().unwrap()));
    has_room_for_default_counters(Counts::with(location, 1).await).await;
}

#[tokio::test]
async fn each_company_has_room_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(directory.path().join("footfall.db"));
    has_room_for_default_counters(Counts::with(location, 1).await).await;
}

/// The keys of `default` are those that older versions of Footfall use.
#[tokio::test]
async fn each_company_has_keys_of_its_own() {
    let redis = Redis::start();
    let mut counts = Counts::redis(&redis.url()).await;
    let both = companies().map(|company| (company, "a.b"));
    for result in counts.count(&both, "1").await {
        result.unwrap().unwrap();
    }
    let reply = redis.command("KEYS *");
    let mut keys: Vec<_> = reply
        .lines()
        .filter(|line| line.contains("footfall"))
        .collect();
    keys.sort_unstable();
    let mut expected = [
        "footfall:{a.b}:count".to_owned(),
        "footfall:{a.b}:keys".to_owned(),
        "footfall:counters".to_owned(),
        format!("footfall:{{{ID}/a.b}}:count"),
        format!("footfall:{{{ID}/a.b}}:keys"),
        format!("footfall:counters:{ID}"),
        "footfall:companies".to_owned(),
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    for (index, member) in [
        ("footfall:counters", "a.b"),
        (&format!("footfall:counters:{ID}"), "a.b"),
        ("footfall:companies", ID),
    ] {
        let members = redis.command(&format!("ZRANGE {index} 0 -1 WITHSCORES"));
        let lines: Vec<_> = members.lines().collect();
        assert_eq!(
            lines,
            ["*2", &format!("${}", member.len()), member, "$1", "0"]
        );
    }
}

/// All keys of a counter are in one slot, and each master has some counter.
#[tokio::test]
async fn a_cluster_has_counters_of_each_company_on_each_master() {
    let cluster = Cluster::start();
    let mut counts = Counts::redis(&cluster.url()).await;
    let mut masters = std::collections::HashSet::new();
    for number in 0..12 {
        let name = format!("counter-{number}");
        let counted = counts.count_of_another(&name, "1").await;
        assert_eq!((counted.number, counted.replayed), (1, false));
        assert!(counts.count_of_another(&name, "1").await.replayed);
        masters.insert(cluster.master_of(&format!("footfall:{{{ID}/{name}}}:count")));
    }
    assert_eq!(masters.len(), 3);
    let page = counts.0.list(companies()[1], None, 100).await.unwrap();
    assert_eq!(page.counters.len(), 12);
}

/// What others have written among the companies is left out, and hides none.
#[tokio::test]
async fn what_is_no_company_is_left_out() {
    let redis = Redis::start();
    let mut counts = Counts::redis(&redis.url()).await;
    for _ in 0..3 {
        counts.count_of_another("a", "1").await;
    }
    for entry in [
        "0",
        "default",
        "zz",
        &ID.to_uppercase(),
        "\"\\xff\"",
        &ID.replace('-', ""),
    ] {
        redis.command(&format!("ZADD footfall:companies 0 {entry}"));
    }
    assert_eq!(counts.0.companies().await.unwrap(), companies());
}

#[tokio::test]
async fn more_companies_than_are_read_at_once_are_all_read() {
    let redis = Redis::start();
    let counts = Counts::redis(&redis.url()).await;
    let mut expected = vec![Company::Default];
    for number in 0..2500_u128 {
        let id = Uuid::from_u128(number << 64);
        redis.command(&format!("ZADD footfall:companies 0 {id}"));
        expected.push(Company::Id(id));
    }
    assert_eq!(counts.0.companies().await.unwrap(), expected);
}

/// Visits of all companies are compared with what the replicas say.
#[tokio::test(flavor = "multi_thread")]
async fn an_audit_adds_up_all_companies() {
    let redis = Redis::start();
    let mut counts = Counts::redis(&redis.url()).await;
    counts.count_of_another("a", "before").await;
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let mut command = footfall_command();
    command
        .env("REDIS_URL", redis.url())
        .args(["audit", "--for", "2s", "--replica"])
        .arg(format!("http://{}", footfall.ops()));
    let mut audit = Process::spawn(command.stdout(Stdio::piped()));
    let mut stdout = BufReader::new(audit.0.stdout.take().unwrap());
    let mut said = String::new();
    stdout.read_line(&mut said).unwrap();
    assert!(said.starts_with("watching "), "{said}");
    // Of a company that was there, and of one that was not.
    counts.count_of_another("a", "meanwhile").await;
    let new = Company::Id(Uuid::now_v7());
    counts.count(&[(new, "a")], "meanwhile").await[0]
        .as_ref()
        .unwrap()
        .unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        stdout.read_to_string(&mut said).unwrap();
        (audit.wait().success(), said)
    });
    let (adds_up, said) = ended.await.unwrap();
    assert!(!adds_up && said.contains("2 visits are TOO MANY"), "{said}");
}
