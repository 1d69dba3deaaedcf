//! What the user of `REDIS_URL` must be allowed, and whether it is.
//!
//! Each command is tried without being executed: Redis looks at a user's
//! permissions when a command joins a transaction, and the transaction is
//! discarded.

use redis::Cmd;

use crate::{
    auth::revocation::EPOCH_KEY,
    counting::counts::SCRIPT,
    storage::{RedisStore, StoreError, redis::Node},
};

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Counting.
    Counting,
    /// Counting on a counter for the first time.
    NewCounters,
    /// Counting for companies other than `default`, whose keys may match another pattern.
    Companies,
    /// Recording visits, where there is a database.
    Record,
    /// Reading counters, and the layout of the data.
    Reading,
    /// Limiting failed logins.
    Logins,
    /// Ending sessions and tokens, where there is a database that has them.
    Revocations,
    /// Limiting what sends mails, and refreshes.
    Limits,
    /// Finding out how full a server is, and when it gets room.
    LeavingRoom,
    /// Taking connections from a pool.
    Connections,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Counting,
        Self::NewCounters,
        Self::Companies,
        Self::Record,
        Self::Reading,
        Self::Logins,
        Self::Revocations,
        Self::Limits,
        Self::LeavingRoom,
        Self::Connections,
    ];

    /// What does not work without its commands.
    pub fn consequence(self) -> &'static str {
        match self {
            Self::Counting => "no visit can be counted",
            Self::NewCounters => "no counter can be created",
            Self::Companies => "no visit can be counted for a company other than default",
            Self::Record => {
                "visits are counted and not recorded, and those that carry something are refused"
            }
            Self::Reading => {
                "no counter can be read, and a replica that starts does not become ready"
            }
            Self::Logins => "failed logins are not limited",
            Self::Revocations => {
                "nobody who has a session can count, and no session or token can be ended"
            }
            Self::Limits => "nobody can register or have a password reset",
            Self::LeavingRoom => {
                "how full it is, or when it gets room, cannot be known: FOOTFALL_DEDUP_LIMIT or a Retry-After of a day stand in for that"
            }
            Self::Connections => "connections to it are opened again and again",
        }
    }

    /// Whether all visits are counted as they should be without its commands: as is common with
    /// managed services, or as long as there is no such company, or there are no accounts.
    pub fn is_dispensable(self) -> bool {
        matches!(
            self,
            Self::LeavingRoom | Self::Companies | Self::Limits | Self::Record
        )
    }
}

/// The keys that are tried. None of them belongs to a counter.
const COUNT: &str = "footfall:{.doctor}:count";
const SET: &str = "footfall:{.doctor}:keys";
const PREVIOUS: &str = "footfall:{.doctor}:keys:previous";
const RECORD: &str = "footfall:{.doctor}:record";
const STREAM: &str = "footfall:{.doctor}:visits";
const INDEX: &str = "footfall:counters";
const COMPANY_COUNT: &str = "footfall:{00000000-0000-0000-0000-000000000000/.doctor}:count";
const COMPANY_INDEX: &str = "footfall:counters:00000000-0000-0000-0000-000000000000";
const COMPANIES: &str = "footfall:companies";
const LOGIN: &str = "footfall:login:.doctor";
const ATTEMPTS: &str = "footfall:attempts:{footfall:login:.doctor}";
const LIMIT: &str = "footfall:limit:.doctor";
const HISTORY: &str = "footfall:revocations";
const SCHEMA: &str = "footfall:schema";
const LAYOUT: &str = "footfall:layout";

/// Every command that Footfall sends, and those of its scripts.
const COMMANDS: &[(Purpose, &[&str])] = &[
    (Purpose::Counting, &["EVALSHA", "0", "1", COUNT]),
    (Purpose::Counting, &["SCRIPT", "LOAD", SCRIPT]),
    (Purpose::Counting, &["EXISTS", COUNT]),
    (Purpose::Counting, &["INCRBY", COUNT, "0"]),
    (Purpose::Counting, &["HMGET", SET, "a"]),
    (Purpose::Counting, &["HLEN", SET]),
    (Purpose::Counting, &["HSET", SET, "a", "0"]),
    (Purpose::Counting, &["PTTL", SET]),
    (Purpose::Counting, &["PEXPIRE", SET, "1"]),
    (Purpose::Counting, &["RENAME", SET, PREVIOUS]),
    (Purpose::NewCounters, &["EVAL", "return 0", "1", INDEX]),
    (Purpose::NewCounters, &["ZSCORE", INDEX, "a"]),
    (Purpose::NewCounters, &["ZCARD", INDEX]),
    (Purpose::NewCounters, &["ZADD", INDEX, "XX", "0", ".doctor"]),
    (Purpose::Companies, &["EVALSHA", "0", "1", COMPANY_COUNT]),
    // Writing: whoever may only read an index can list nothing in it.
    (
        Purpose::Companies,
        &["ZADD", COMPANY_INDEX, "XX", "0", ".doctor"],
    ),
    (
        Purpose::Companies,
        &["ZADD", COMPANIES, "XX", "0", ".doctor"],
    ),
    (Purpose::Record, &["EVALSHA", "0", "1", STREAM]),
    (Purpose::Record, &["EVAL", "return 0", "1", STREAM]),
    (Purpose::Record, &["HMGET", RECORD, "a"]),
    (Purpose::Record, &["HSET", RECORD, "a", "0"]),
    (Purpose::Record, &["HSETNX", SET, "a", "0"]),
    (Purpose::Record, &["GET", COUNT]),
    (Purpose::Record, &["TIME"]),
    (Purpose::Record, &["DEL", STREAM]),
    (
        Purpose::Record,
        &["XADD", STREAM, "NOMKSTREAM", "*", "a", "0"],
    ),
    (Purpose::Record, &["XDEL", STREAM, "0-1"]),
    (Purpose::Record, &["XRANGE", STREAM, "-", "+", "COUNT", "1"]),
    (Purpose::Record, &["XSETID", STREAM, "0-1"]),
    (Purpose::Record, &["XTRIM", STREAM, "MINID", "0"]),
    (Purpose::Reading, &["GET", SCHEMA]),
    (Purpose::Reading, &["GET", LAYOUT]),
    (
        Purpose::Reading,
        &["ZRANGEBYLEX", INDEX, "-", "+", "LIMIT", "0", "1"],
    ),
    (Purpose::Logins, &["EVAL", "return 0", "1", LOGIN]),
    (Purpose::Logins, &["TIME"]),
    (Purpose::Logins, &["GET", LOGIN]),
    (Purpose::Logins, &["PTTL", LOGIN]),
    (Purpose::Logins, &["PEXPIRE", LOGIN, "1"]),
    (Purpose::Logins, &["SET", LOGIN, "0", "NX", "PX", "1"]),
    (Purpose::Logins, &["INCR", LOGIN]),
    (Purpose::Logins, &["ZREMRANGEBYSCORE", ATTEMPTS, "(1", "1"]),
    (Purpose::Logins, &["ZCOUNT", ATTEMPTS, "0", "1"]),
    (Purpose::Logins, &["ZCARD", ATTEMPTS]),
    (Purpose::Logins, &["ZADD", ATTEMPTS, "XX", "0", "a"]),
    (Purpose::Logins, &["ZREM", ATTEMPTS, "a"]),
    (Purpose::Limits, &["EVAL", "return 0", "1", LIMIT]),
    (Purpose::Limits, &["TIME"]),
    (Purpose::Limits, &["ZREMRANGEBYSCORE", LIMIT, "(1", "1"]),
    (Purpose::Limits, &["ZCARD", LIMIT]),
    (Purpose::Limits, &["ZADD", LIMIT, "XX", "0", "a"]),
    (Purpose::Limits, &["PEXPIRE", LIMIT, "1"]),
    (Purpose::Limits, &["ZRANGE", LIMIT, "0", "0", "WITHSCORES"]),
    (Purpose::LeavingRoom, &["INFO", "memory"]),
    (Purpose::LeavingRoom, &["SCAN", "0"]),
    (Purpose::Connections, &["PING"]),
    (Purpose::Connections, &["UNWATCH"]),
];

/// Where there is a database. What has ended is in two keys, one of which is compared at each visit.
const OF_DATABASE: &[(Purpose, &[&str])] = &[
    (
        Purpose::Revocations,
        &["EVAL", "return 0", "2", HISTORY, EPOCH_KEY],
    ),
    (
        Purpose::Revocations,
        &["EVALSHA", "0", "2", COUNT, EPOCH_KEY],
    ),
    (Purpose::Revocations, &["GET", EPOCH_KEY]),
    (Purpose::Revocations, &["SET", EPOCH_KEY, "", "PX", "1"]),
    (Purpose::Revocations, &["PEXPIRE", HISTORY, "1"]),
    (Purpose::Revocations, &["PTTL", HISTORY]),
    (
        Purpose::Revocations,
        &["ZRANGEBYLEX", HISTORY, "-", "+", "LIMIT", "0", "1"],
    ),
    (Purpose::Revocations, &["ZADD", HISTORY, "XX", "0", "a"]),
    (Purpose::Revocations, &["ZREM", HISTORY, "a"]),
];

/// Acknowledging only what replicas have.
const WAIT: (Purpose, &[&str]) = (Purpose::Counting, &["WAIT", "0", "1"]);

/// What a user may not do.
#[derive(Debug, PartialEq, Eq)]
pub struct Denied {
    /// What it is for.
    pub purpose: Purpose,
    /// The rules to give the user, as `ACL SETUSER` takes them.
    pub rules: Vec<String>,
    /// What Redis says of the first.
    pub reason: String,
}

/// Which permissions are missing on one server, by purpose.
///
/// # Errors
///
/// If it does not answer, or transactions are not allowed: nothing else is tried then.
pub async fn missing(
    redis: &RedisStore,
    node: &Node,
    wait_replicas: bool,
    has_database: bool,
) -> Result<Vec<Denied>, StoreError> {
    let wait = wait_replicas.then_some(WAIT);
    let of_database = has_database.then_some(OF_DATABASE).into_iter().flatten();
    let tried = COMMANDS.iter().chain(of_database).copied().chain(wait);
    let tried: Vec<_> = tried.collect();
    let commands: Vec<Cmd> = tried.iter().map(|(_, words)| command(words)).collect();
    let answers = redis.denied(node, &commands).await?;
    let by_purpose = Purpose::ALL.into_iter().map(|purpose| {
        let of_purpose = tried.iter().zip(&answers);
        let of_purpose = of_purpose.filter(|((of, _), _)| *of == purpose);
        let denied: Vec<_> = of_purpose
            .filter_map(|((_, words), reason)| Some((*words, reason.as_ref()?)))
            .collect();
        let reason = denied.first()?.1.clone();
        let mut rules: Vec<_> = denied
            .iter()
            .map(|(words, said)| rule(words, said))
            .collect();
        rules.dedup();
        Some(Denied {
            purpose,
            rules,
            reason,
        })
    });
    Ok(by_purpose.flatten().collect())
}

fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}

/// What to give a user that was told this.
fn rule(words: &[&str], said: &str) -> String {
    // "… to access one of the keys …" or, since Redis 7.2, "… to access a key".
    if said.contains("to access") {
        return "~footfall:*".to_owned();
    }
    match words {
        ["SCRIPT", subcommand, ..] => format!("+script|{}", subcommand.to_lowercase()),
        _ => format!("+{}", words[0].to_lowercase()),
    }
}
