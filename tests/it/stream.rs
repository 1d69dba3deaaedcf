//! What a batch leaves in Redis for the record: in the step that counts it, or not at all.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use footfall::{
    auth::keys::Keys,
    config::{Settings, Sources, StoreLocation, StoreSettings},
    counting::{
        Batch, Company, Counted, CounterId, Identity, NotCounted, Outcome, Visit,
        carried::{Attributes, Carried, Salts, Visitors, Written},
        counts::{CounterStore, Recorded, Recording, Undrained},
        identity::IdentityKind,
    },
    storage::{Store, StoreError, metrics::StoreMetrics},
};

use crate::support::Redis;

const RECORD: &str = "footfall:{a}:record";
const STREAM: &str = "footfall:{a}:visits";
/// Visits that may wait, as these count.
pub const BACKLOG: u64 = 400;

type Fields = BTreeMap<String, Vec<u8>>;
type Answered = Vec<(String, Vec<u8>)>;

/// One worker's counting on the counter `a`, and what Redis has of it.
pub struct Counts {
    store: CounterStore,
    pub undrained: Arc<Undrained>,
    client: redis::Client,
    settings: StoreSettings,
}

impl Counts {
    pub async fn at(redis: &Redis, records: bool) -> Self {
        Self::knowing(redis, records, None).await
    }

    /// That asks what is recorded before it counts.
    pub async fn knowing(
        redis: &Redis,
        records: bool,
        recorded: Option<Arc<dyn Recorded>>,
    ) -> Self {
        let url = format!("redis://127.0.0.1:{}", redis.port);
        let settings = StoreSettings {
            location: StoreLocation::Redis(Box::new(url.parse().unwrap())),
            timeout: Duration::from_secs(20),
            dedup_window: Duration::from_hours(1),
            dedup_limit: 100,
            counter_limit: 100,
            record_backlog: BACKLOG,
            wait_replicas: 0,
        };
        let metrics = Arc::new(StoreMetrics::detached().unwrap());
        let store = Store::open(&settings, metrics).await.unwrap();
        let undrained = Arc::new(Undrained::default());
        let recording = Recording {
            visitors: visitors(),
            undrained: undrained.clone(),
            recorded,
            recorder: None,
        };
        let store = CounterStore::new(store, &settings);
        Self {
            store: match records {
                true => store.recording(recording),
                false => store,
            },
            undrained,
            settings,
            client: redis::Client::open(url).unwrap(),
        }
    }

    pub async fn count(&mut self, visits: Vec<Visit>) -> Result<Vec<Outcome>, StoreError> {
        let batch = Batch {
            visits,
            ..Batch::new(counter())
        };
        self.store.count(&[batch]).await.remove(0)
    }

    /// How to reach it.
    pub fn settings(&self) -> StoreSettings {
        self.settings.clone()
    }

    pub async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let connection = self.client.get_multiplexed_async_connection();
        connection.await.unwrap()
    }

    pub async fn ask<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let mut connection = self.connection().await;
        let mut words = command.split(' ');
        let mut asked = redis::cmd(words.next().unwrap());
        words.for_each(|word| {
            asked.arg(word);
        });
        asked.query_async(&mut connection).await.unwrap()
    }

    pub async fn entries(&self) -> Vec<(String, Fields)> {
        let entries: Vec<(String, Answered)> = self.ask(&format!("XRANGE {STREAM} - +")).await;
        let entries = entries.into_iter();
        entries
            .map(|(id, fields)| (id, fields.into_iter().collect()))
            .collect()
    }

    pub async fn last(&self) -> (String, Fields) {
        self.entries().await.pop().expect("something is recorded")
    }

    pub async fn state(&self) -> BTreeMap<String, String> {
        self.ask(&format!("HGETALL {RECORD}")).await
    }
}

fn visitors() -> Visitors {
    let settings = Settings::load(&Sources::default()).unwrap();
    Visitors::new(Keys::new(&settings.auth), Salts::default())
}

pub fn counter() -> CounterId {
    CounterId {
        company: Company::Default,
        name: "a".parse().unwrap(),
    }
}

pub fn plain() -> Visit {
    Visit::default()
}

fn identity(kind: IdentityKind, number: u8) -> Identity {
    Identity::new(kind, "user", &[number])
}

pub fn with(kind: IdentityKind, number: u8) -> Visit {
    Visit {
        identity: Some(identity(kind, number)),
        ..plain()
    }
}

pub fn to(path: &str, visit: Visit) -> Visit {
    let attributes = Attributes {
        path: Some(path),
        ..Attributes::default()
    };
    let carried = Carried {
        rest: Written::of(&attributes),
        ..Carried::default()
    };
    Visit {
        carried: Some(Arc::new(carried)),
        ..visit
    }
}

pub fn counted(number: u64) -> Outcome {
    let replayed = false;
    Ok(Counted { number, replayed })
}

pub fn replayed(number: u64) -> Outcome {
    let replayed = true;
    Ok(Counted { number, replayed })
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    let value = fields
        .get(name)
        .unwrap_or_else(|| panic!("{name} in {fields:?}"));
    std::str::from_utf8(value).unwrap()
}

use IdentityKind::{Key, Request};

#[tokio::test]
async fn a_batch_is_one_entry_with_what_its_visits_carry() {
    let redis = Redis::start();
    let mut counts = Counts::at(&redis, true).await;
    counts.count(vec![with(Request, 9)]).await.unwrap();
    let outcomes = counts.count(vec![
        to("/bare", plain()),
        to("/key", with(Key, 1)),
        plain(),
        to("/again", with(Request, 9)),
        to("/request", with(Request, 2)),
        with(Request, 3),
        plain(),
    ]);
    let outcomes = outcomes.await.unwrap();
    assert_eq!(
        outcomes,
        [
            counted(7),
            counted(6),
            counted(2),
            replayed(1),
            counted(4),
            counted(5),
            counted(3),
        ]
    );
    let (id, entry) = counts.last().await;
    assert_eq!(id, "7-0");
    assert_eq!(text(&entry, "n"), "6");
    // From number 2 on.
    assert_eq!(text(&entry, "2"), r#"{"p":"/request"}"#);
    assert_eq!(text(&entry, "4"), r#"{"p":"/key"}"#);
    assert_eq!(text(&entry, "5"), r#"{"p":"/bare"}"#);
    let digests = [identity(Request, 2).digest, identity(Request, 3).digest];
    assert_eq!(entry["r"], digests.concat());
    assert_eq!(entry["k"], identity(Key, 1).digest);
    assert_eq!(text(&entry, "i"), "2");
    assert_eq!(entry.len(), 3 + 3 + 3, "{entry:?}");
    let state = counts.state().await;
    assert_eq!(
        (&*state["top"], &*state["on"], &*state["mode"]),
        ("7", "1", "1")
    );
    assert_eq!(state["bytes"], text(&entry, "c"));
    assert_eq!(state["at"], text(&entry, "t"));
    // Nothing was counted, so nothing is recorded.
    counts.count(vec![to("/key", with(Key, 1))]).await.unwrap();
    assert_eq!(counts.entries().await.len(), 2);
    assert!(counts.undrained.take().await.contains(&counter()));
}

#[tokio::test]
async fn the_record_of_a_counter_begins_where_it_is_and_what_is_missed_is_said() {
    let redis = Redis::start();
    let mut older = Counts::at(&redis, false).await;
    older.count(vec![plain(), plain()]).await.unwrap();
    assert_eq!(
        older.ask::<u64>(&format!("EXISTS {RECORD} {STREAM}")).await,
        0
    );
    // Without a database nothing that is carried is taken.
    assert_eq!(
        older.count(vec![to("/", plain()), plain()]).await.unwrap(),
        [Err(NotCounted::RecordingOff), counted(3)]
    );
    let mut counts = Counts::at(&redis, true).await;
    counts.count(vec![plain()]).await.unwrap();
    let (id, entry) = counts.last().await;
    assert_eq!((&*id, entry.contains_key("p")), ("4-0", false));
    assert_eq!(counts.state().await["through"], "3");
    // As a version does that knows of no record.
    counts.ask::<u64>("INCRBY footfall:{a}:count 5").await;
    counts.count(vec![plain()]).await.unwrap();
    let (id, entry) = counts.last().await;
    assert_eq!((&*id, text(&entry, "p")), ("10-0", "4"));
    assert!(!entry.contains_key("w"));
}

#[tokio::test]
async fn a_count_that_is_less_than_what_is_recorded_is_raised() {
    let redis = Redis::start();
    let mut counts = Counts::at(&redis, true).await;
    counts.count(vec![plain(), plain(), plain()]).await.unwrap();
    counts.ask::<()>("SET footfall:{a}:count 1").await;
    assert_eq!(counts.count(vec![plain()]).await.unwrap(), [counted(4)]);
    assert_eq!(counts.last().await.0, "4-0");
}

#[tokio::test]
async fn times_never_fall_as_numbers_rise() {
    let redis = Redis::start();
    let mut counts = Counts::at(&redis, true).await;
    counts.count(vec![plain()]).await.unwrap();
    let later = counts.ask::<Vec<u64>>("TIME").await[0] * 1000 + 60_000;
    counts.ask::<()>(&format!("HSET {RECORD} at {later}")).await;
    counts.count(vec![plain()]).await.unwrap();
    assert_eq!(text(&counts.last().await.1, "t"), later.to_string());
}

#[tokio::test]
async fn where_recording_is_off_only_what_carries_something_is_refused() {
    let redis = Redis::start();
    let mut counts = Counts::at(&redis, true).await;
    let first = counts.count(vec![to("/", with(Key, 1))]).await.unwrap();
    assert_eq!(first, [counted(1)]);
    counts
        .ask::<()>(&format!("HSET {RECORD} on 0 gap off"))
        .await;
    let outcomes = counts.count(vec![
        to("/", plain()),
        to("/", with(Key, 1)),
        to("/", with(Key, 2)),
        to("/", with(Request, 2)),
        plain(),
        with(Request, 3),
    ]);
    let off = Err(NotCounted::RecordingOff);
    // A visit that had been counted is not refused when it is repeated.
    assert_eq!(
        outcomes.await.unwrap(),
        [off, replayed(1), off, off, counted(2), counted(3)]
    );
    assert_eq!(counts.entries().await.len(), 1);
    counts.ask::<()>(&format!("HSET {RECORD} on 1")).await;
    // Nothing of it was remembered.
    let again = counts.count(vec![to("/", with(Key, 2))]).await.unwrap();
    assert_eq!(again, [counted(4)]);
    let (_, entry) = counts.last().await;
    assert_eq!((text(&entry, "p"), text(&entry, "w")), ("1", "off"));
    assert_eq!(counts.state().await["gap"], "");
    // Nothing is counted while it is off, and so nothing is said of it later.
    counts.ask::<()>(&format!("HSET {RECORD} gap off")).await;
    counts.count(vec![plain()]).await.unwrap();
    assert!(!counts.last().await.1.contains_key("p"));
    assert_eq!(counts.state().await["gap"], "");
}

#[tokio::test]
async fn beyond_the_backlog_what_is_carried_is_refused_and_beyond_twice_recording_stops() {
    let redis = Redis::start();
    let mut counts = Counts::at(&redis, true).await;
    let many = |visits| vec![plain(); visits as usize];
    counts.count(many(BACKLOG - 1)).await.unwrap();
    counts.count(vec![to("/", plain())]).await.unwrap();
    let behind = Err(NotCounted::RecordingBehind);
    let outcomes = counts.count(vec![to("/", with(Key, 1)), plain()]);
    assert_eq!(outcomes.await.unwrap(), [behind, counted(BACKLOG + 1)]);
    counts.count(many(BACKLOG)).await.unwrap();
    let entries = counts.entries().await.len();
    for number in 2..5 {
        let outcome = counts.count(many(1)).await.unwrap();
        assert_eq!(outcome, [counted(2 * BACKLOG + number)]);
    }
    assert_eq!(counts.entries().await.len(), entries);
    assert_eq!(counts.state().await["gap"], "behind");
    // As the drain does: while some of it waits, the range goes on.
    let drained = format!("HSET {RECORD} through {}", 2 * BACKLOG);
    counts.ask::<()>(&drained).await;
    counts.count(many(1)).await.unwrap();
    assert_eq!(counts.entries().await.len(), entries);
    let top = counts.state().await["top"].clone();
    counts
        .ask::<()>(&format!("HSET {RECORD} through {top}"))
        .await;
    counts.count(vec![to("/", plain())]).await.unwrap();
    let (id, entry) = counts.last().await;
    assert_eq!(id, format!("{}-0", 2 * BACKLOG + 6));
    assert_eq!((text(&entry, "p"), text(&entry, "w")), (&*top, "behind"));
    // So it does where few visits carry much.
    let much = format!("HSET {RECORD} bytes {}", 1_u64 << 40);
    counts.ask::<()>(&much).await;
    let entries = counts.entries().await.len();
    counts.count(many(1)).await.unwrap();
    assert_eq!(counts.entries().await.len(), entries);
    assert_eq!(counts.state().await["gap"], "behind");
}

/// Who changes how visitors are stored need not wait for any replica.
#[tokio::test]
async fn how_visitors_are_stored_is_asked_in_the_step_that_counts() {
    let redis = Redis::start();
    let mut counts = Counts::at(&redis, true).await;
    counts.count(vec![plain()]).await.unwrap();
    for mode in ["3", "1", "2"] {
        counts
            .ask::<()>(&format!("HSET {RECORD} mode {mode}"))
            .await;
        let before = counts.entries().await.len();
        counts.count(vec![to("/", plain()), plain()]).await.unwrap();
        assert_eq!(counts.entries().await.len(), before + 1);
    }
    counts.ask::<()>(&format!("HSET {RECORD} mode 9")).await;
    let refused = counts.count(vec![to("/", plain())]).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!(counts.count(vec![plain()]).await.unwrap(), [counted(8)]);
}

#[tokio::test]
async fn where_the_record_cannot_be_written_visits_are_counted_all_the_same() {
    let redis = Redis::start();
    let mut counts = Counts::at(&redis, true).await;
    counts.count(vec![plain()]).await.unwrap();
    counts.ask::<u64>(&format!("DEL {STREAM}")).await;
    counts.ask::<()>(&format!("SET {STREAM} x")).await;
    assert_eq!(
        counts.count(vec![with(Key, 1)]).await.unwrap(),
        [counted(2)]
    );
    let refused = counts.count(vec![to("/", with(Key, 2)), plain()]).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    counts.ask::<u64>(&format!("DEL {STREAM}")).await;
    // Nothing of it was counted or remembered.
    assert_eq!(
        counts.count(vec![to("/", with(Key, 2))]).await.unwrap(),
        [counted(3)]
    );
    assert_eq!(text(&counts.last().await.1, "p"), "1");
}

/// It is recorded in a step of its own where it follows what was recorded last.
#[tokio::test]
async fn where_a_visit_that_carries_nothing_cannot_be_recorded_it_is_counted_all_the_same() {
    let redis = Redis::start();
    let mut counts = Counts::at(&redis, true).await;
    counts.count(vec![plain()]).await.unwrap();
    for (number, refused) in [(2, "xadd"), (4, "hset")] {
        let (state, entries) = (counts.state().await, counts.entries().await);
        counts
            .ask::<()>(&format!("ACL SETUSER default -{refused}"))
            .await;
        let outcome = counts.count(vec![plain()]).await.unwrap();
        assert_eq!(outcome, [counted(number)], "{refused}");
        let left = (counts.state().await, counts.entries().await);
        assert_eq!(left, (state, entries), "{refused}");
        counts
            .ask::<()>(&format!("ACL SETUSER default +{refused}"))
            .await;
        let outcome = counts.count(vec![plain()]).await.unwrap();
        assert_eq!(outcome, [counted(number + 1)]);
        let (id, entry) = counts.last().await;
        assert_eq!(id, format!("{}-0", number + 1));
        assert_eq!(text(&entry, "p"), (number - 1).to_string());
    }
}

#[tokio::test]
async fn what_is_taken_back_leaves_no_entry() {
    let redis = Redis::start();
    let mut counts = Counts::at(&redis, true).await;
    counts.count(vec![with(Key, 0)]).await.unwrap();
    let state = counts.state().await;
    let entries = counts.entries().await;
    // Identities cannot be written, and so the visit is not counted.
    counts.ask::<()>("ACL SETUSER default -hset").await;
    for _ in 0..2 {
        let refused = counts.count(vec![to("/", with(Key, 2)), plain()]).await;
        assert!(
            matches!(refused, Err(StoreError::Refused(_))),
            "{refused:?}"
        );
        assert_eq!(counts.ask::<u64>("GET footfall:{a}:count").await, 1);
    }
    counts.ask::<()>("ACL SETUSER default +hset").await;
    counts.ask::<()>("ACL SETUSER default -pexpire").await;
    let refused = counts.count(vec![to("/", with(Request, 2))]).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!(counts.state().await, state);
    assert_eq!(counts.entries().await, entries);
    counts.ask::<()>("ACL SETUSER default +pexpire").await;
    let outcome = counts.count(vec![to("/", with(Request, 2))]).await.unwrap();
    assert_eq!(outcome, [counted(2)]);
    assert_eq!(counts.last().await.0, "2-0");
}
