//! The store refuses all that counting needs.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

use super::{Clerk, metric, noticed, outages, reason, recovered, target};
use crate::support::{
    Client, Footfall, Redis, eventually,
    footfall::footfall_command,
    load::{Insistent, assert_exact},
    process::{run, until},
};

/// A way in which a store comes to refuse everything.
struct Way {
    begin: Act,
    end: Act,
    /// What is said of it.
    reason: &'static str,
}

enum Act {
    /// The user's rules.
    Rules(&'static str),
    /// An administrator's command.
    Command(&'static str),
    Call(fn(&Clerk)),
}

impl Act {
    fn happens(&self, clerk: &Clerk) {
        match self {
            Self::Rules(rules) => clerk.may(rules),
            Self::Command(command) => clerk.redis.told(command),
            Self::Call(act) => act(clerk),
        }
    }
}

const RESTORED: Act = Act::Call(Clerk::may_do_all);

const fn rules(rules: &'static str, reason: &'static str) -> Way {
    Way {
        begin: Act::Rules(rules),
        end: RESTORED,
        reason,
    }
}

const fn command(begin: &'static str, end: &'static str, reason: &'static str) -> Way {
    Way {
        begin: Act::Command(begin),
        end: Act::Command(end),
        reason,
    }
}

const IN_SCRIPT: &str = "The user executing the script can't run this command";
const KEYS: &str = "NOPERM this user has no permissions to access one of the keys";

/// Commands that are not allowed.
const COMMANDS: &[Way] = &[
    rules("-@scripting", "permissions to run the 'evalsha' command"),
    rules("-evalsha", "permissions to run the 'evalsha' command"),
    rules("-@all", "NOPERM this user has no permissions to run"),
    rules("-@slow", "permissions to run the 'evalsha' command"),
    rules("-@write", IN_SCRIPT),
    rules("-@hash", IN_SCRIPT),
    rules("-@keyspace", IN_SCRIPT),
    rules("-incrby", IN_SCRIPT),
    rules("-hset", IN_SCRIPT),
    rules("-hmget", IN_SCRIPT),
    rules("-hlen", IN_SCRIPT),
    rules("-exists", IN_SCRIPT),
    rules("-pttl", IN_SCRIPT),
    rules("-hset -incrby -hlen", IN_SCRIPT),
    Way {
        begin: Act::Call(|clerk| {
            clerk.may("-rename");
            to_be_rotated(clerk);
        }),
        end: RESTORED,
        reason: IN_SCRIPT,
    },
    // The sets before these are there by now, and so these are prolonged.
    Way {
        begin: Act::Call(|clerk| {
            clerk.may("-pexpire");
            to_be_rotated(clerk);
        }),
        end: RESTORED,
        reason: IN_SCRIPT,
    },
];

/// Keys that are not allowed.
const PATTERNS: &[Way] = &[
    rules("resetkeys", KEYS),
    rules("resetkeys ~other:*", KEYS),
    rules("resetkeys %R~*", KEYS),
    rules("resetkeys ~footfall:counters ~footfall:schema", KEYS),
    rules(
        "resetkeys ~footfall:*:count ~footfall:*:requests* ~footfall:schema",
        KEYS,
    ),
    rules(
        "resetkeys ~footfall:*:keys* ~footfall:*:requests* ~footfall:schema",
        KEYS,
    ),
];

/// The server takes no writes.
const SERVER: &[Way] = &[
    command(
        "CONFIG SET maxmemory 1",
        "CONFIG SET maxmemory 0",
        "OOM command not allowed",
    ),
    command(
        "CONFIG SET min-replicas-to-write 1",
        "CONFIG SET min-replicas-to-write 0",
        "NOREPLICAS Not enough good replicas",
    ),
    // Port 1: no master is there, and none is needed.
    command(
        "REPLICAOF 127.0.0.1 1",
        "REPLICAOF NO ONE",
        "READONLY You can't write",
    ),
    Way {
        begin: Act::Call(cannot_save),
        end: Act::Command("CONFIG SET stop-writes-on-bgsave-error no"),
        reason: "MISCONF",
    },
    Way {
        begin: Act::Call(keep_busy),
        end: Act::Command("SCRIPT KILL"),
        reason: "BUSY Redis is busy running a script",
    },
];

const COUNTERS: [&str; 2] = ["a", "b"];

/// Most of the time of the counters' sets of identities has passed.
fn to_be_rotated(clerk: &Clerk) {
    for counter in COUNTERS {
        let expire = format!("PEXPIRE footfall:{{{counter}}}:keys 3600000");
        assert!(clerk.redis.command(&expire).starts_with(":1"));
    }
}

/// Its snapshots fail: there is a folder in the way.
fn cannot_save(clerk: &Clerk) {
    let redis = &clerk.redis;
    let directory = redis.command("CONFIG GET dir");
    let directory = directory.lines().last().unwrap();
    std::fs::create_dir_all(Path::new(directory).join("dump.rdb/in-the-way")).unwrap();
    redis.told("CONFIG SET stop-writes-on-bgsave-error yes");
    redis.told("CONFIG SET save \"3600 1\"");
    redis.command("BGSAVE");
    eventually("the snapshot has failed", || {
        let persistence = redis.command("INFO persistence");
        persistence
            .contains("rdb_last_bgsave_status:err")
            .then_some(())
    });
}

/// Somebody's script runs without end.
fn keep_busy(clerk: &Clerk) {
    clerk.redis.told("CONFIG SET busy-reply-threshold 50");
    let mut stream = TcpStream::connect(("127.0.0.1", clerk.redis.port)).unwrap();
    stream
        .write_all(b"EVAL \"while true do end\" 0\r\n")
        .unwrap();
    // Its answer comes when it is killed.
    std::thread::spawn(move || stream.read(&mut [0; 1024]));
    eventually("the script runs", || {
        clerk
            .redis
            .command("PING")
            .starts_with("-BUSY")
            .then_some(())
    });
}

/// Each way in turn, under one load that never pauses: what is refused is away with its reason,
/// certain, and over at once.
async fn refused(ways: &[Way]) {
    let clerk = Clerk::new();
    let footfall = clerk.service().start();
    let token = footfall.token().await;
    let load = Insistent::start(
        &[target(&footfall)],
        &token,
        8,
        &COUNTERS.map(str::to_owned),
    );
    load.count(50).await;
    for (before, way) in ways.iter().enumerate() {
        let refused: usize = load.refused().values().sum();
        way.begin.happens(&clerk);
        let said = noticed(&footfall).await;
        assert!(said.contains(way.reason), "{}: {said}", way.reason);
        assert_eq!(metric(&footfall, "footfall_store_up").await, 0.0);
        eventually("visits are refused", || {
            let now: usize = load.refused().values().sum();
            (now > refused + 20).then_some(())
        });
        let log = outages(&footfall);
        assert_eq!(log.len(), before + 1, "it is said once: {log:#?}");
        assert!(log[before].contains(way.reason), "{log:#?}");
        assert!(reason(&footfall).await.is_some(), "it stays away");

        way.end.happens(&clerk);
        recovered(&footfall).await;
        load.count(20).await;
        assert_eq!(metric(&footfall, "footfall_store_up").await, 1.0);
    }
    let codes: Vec<_> = load.refused().into_keys().collect();
    assert_eq!(codes, ["store_unavailable"], "nothing is unknown");
    let numbers = load.stop().await;
    for counter in COUNTERS {
        assert_exact(&numbers[counter]);
    }
    nothing_is_uncertain(&footfall, numbers.values().map(Vec::len).sum()).await;
    replays(footfall.client().with_token(&token)).await;
}

/// The books say the same as the clients.
async fn nothing_is_uncertain(footfall: &Footfall, counted: usize) {
    for (series, value) in [
        ("footfall_visits_uncertain_total", 0.0),
        ("footfall_visits_unanswered", 0.0),
        ("footfall_count_regressions_total", 0.0),
        (
            r#"footfall_visits_failed_total{reason="outcome_unknown"}"#,
            0.0,
        ),
        ("footfall_visits_confirmed_total", counted as f64),
    ] {
        assert_eq!(metric(footfall, series).await, value, "{series}");
    }
}

/// The first visits of the load, once more: the same numbers, and not counted again.
async fn replays(mut client: Client) {
    for (counter, index) in [("a", 0), ("b", 1)] {
        let path = format!("/api/counters/{counter}");
        let before = client.get(&path).await.visits();
        let key = format!("{index}-0");
        let headers = [("idempotency-key", key.as_str())];
        let reply = client.send(hyper::Method::POST, &path, &headers, "").await;
        assert!(reply.replayed() && reply.visits() <= before, "{reply:?}");
        assert_eq!(client.get(&path).await.visits(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_are_not_allowed() {
    refused(COMMANDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_allowed() {
    refused(PATTERNS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes() {
    refused(SERVER).await;
}

/// Ways that cut connections, after which an outcome may be unknown; but it is said why.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_connect() {
    let clerk = Clerk::new();
    let footfall = clerk.service().start();
    let token = footfall.token().await;
    let load = Insistent::start(
        &[target(&footfall)],
        &token,
        8,
        &COUNTERS.map(str::to_owned),
    );
    for rules in ["off", "resetpass >another"] {
        load.count(50).await;
        clerk.may(rules);
        clerk.redis.command("CLIENT KILL USER clerk");
        let said = noticed(&footfall).await;
        assert!(said.contains("Password authentication failed"), "{said}");
        clerk.may_do_all();
        recovered(&footfall).await;
    }
    load.count(50).await;
    // Its one client is the administrator.
    let mut administrator = TcpStream::connect(("127.0.0.1", clerk.redis.port)).unwrap();
    let mut tell = |commands: &str| {
        administrator.write_all(commands.as_bytes()).unwrap();
        assert!(administrator.read(&mut [0; 1024]).unwrap() > 0);
    };
    tell("CONFIG SET maxclients 1\r\nCLIENT KILL USER clerk\r\n");
    // It says why at times, and at others closes the connection before that is read.
    noticed(&footfall).await;
    tell("CONFIG SET maxclients 1000\r\n");
    recovered(&footfall).await;
    load.count(50).await;
    for numbers in load.stop().await.values() {
        assert_exact(numbers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_across_it_is_exact() {
    let clerk = Clerk::new();
    let footfall = clerk.service().start();
    let token = footfall.token().await;
    let load = Insistent::start(
        &[target(&footfall)],
        &token,
        4,
        &COUNTERS.map(str::to_owned),
    );
    load.count(50).await;
    let (url, ops) = (clerk.redis.url(), footfall.ops());
    let audit = tokio::task::spawn_blocking(move || {
        run(footfall_command().env("REDIS_URL", url).args([
            "audit",
            "--for",
            "4s",
            "--replica",
            &format!("http://{ops}"),
        ]))
    });
    for rules in ["-hset", "-@scripting"] {
        clerk.may(rules);
        noticed(&footfall).await;
        clerk.may_do_all();
        recovered(&footfall).await;
        load.count(50).await;
    }
    assert!(!audit.is_finished(), "all of it happened meanwhile");
    let said = audit.await.unwrap();
    load.stop().await;
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("ok: the store counted"), "{said}");
    assert_eq!(
        metric(&footfall, "footfall_visits_uncertain_total").await,
        0.0
    );
}

/// Without `WAIT` nothing is known to be on a replica: the first is counted and unknown, the
/// others are refused.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_replicas_that_is_not_allowed() {
    let clerk = Clerk::new();
    let _replica: Redis = clerk.redis.replica();
    eventually("the replica follows", || {
        let replication = clerk.redis.command("INFO replication");
        replication.contains("state=online").then_some(())
    });
    let footfall = clerk.service().env("FOOTFALL_WAIT_REPLICAS", 1).start();
    recovered(&footfall).await;
    let mut client = footfall
        .client()
        .logged_in()
        .await
        .with("idempotency-key", "one");
    assert_eq!(client.get("/api/count").await.visits(), 1);
    clerk.may("-wait");
    assert_eq!(client.get("/api/count").await.problem(), "outcome_unknown");
    let said = noticed(&footfall).await;
    assert!(said.contains("'wait' command"), "{said}");
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    clerk.may_do_all();
    recovered(&footfall).await;
    let reply = client.get("/api/count").await;
    assert_eq!((reply.visits(), reply.replayed()), (1, true));
}

/// A Redis that starts with much to load answers, but does nothing yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_loading() {
    // A millisecond for each of its keys.
    let mut redis = Redis::with(&[
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    let fill = "for i = 1, 4000 do redis.call('SET', 'filler:' .. i, string.rep('x', 100)) end return redis.status_reply('OK')";
    redis.told(&format!("EVAL \"{fill}\" 0"));
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    recovered(&footfall).await;
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    let restarting = std::thread::spawn(move || {
        redis.restart();
        redis
    });
    let said = until("it is seen", async || {
        // It may be gone for a while before it loads.
        let said = reason(&footfall).await?;
        said.contains("LOADING").then_some(said)
    })
    .await;
    assert!(
        said.contains("Redis is loading the dataset in memory"),
        "{said}"
    );
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    let _redis = restarting.join().unwrap();
    recovered(&footfall).await;
    assert_eq!(client.get("/api/count").await.visits(), 2);
}
