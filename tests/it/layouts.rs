//! Layouts of a store's data: a newer one stops only who cannot live with it, none is ever lowered,
//! and what is no layout is named and left alone.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::support::{
    Client, Footfall, Redis,
    cluster::Cluster,
    footfall::{AWAY, footfall_command},
    load::get_insistently,
    process::{run, until},
};

fn command(name: &str, redis_url: &str) -> Output {
    run(footfall_command().env("REDIS_URL", redis_url).arg(name))
}

fn text(output: &Output) -> String {
    let both = [output.stdout.clone(), output.stderr.clone()].concat();
    String::from_utf8(both).unwrap()
}

/// Bulk strings, as Redis sends them.
fn bulk(value: &str) -> String {
    format!("${}\r\n{value}\r\n", value.len())
}

#[test]
fn migrate_raises_the_layout_and_never_lowers_it() {
    let redis = Redis::start();
    let noted = || {
        let of = |key: &str| redis.command(&format!("GET {key}"));
        [of("footfall:layout"), of("footfall:schema")]
    };
    for (layout, schema, after) in [
        (None, None, ["2", "1"]),
        // Of the first release, which notes only this.
        (None, Some("1"), ["2", "1"]),
        (Some("1"), Some("1"), ["2", "1"]),
        (Some("0"), Some("0"), ["2", "1"]),
        (Some("7"), Some("1"), ["7", "1"]),
        (Some("7"), None, ["7", "1"]),
    ] {
        redis.command("FLUSHALL");
        for (key, value) in [("layout", layout), ("schema", schema)] {
            let _ = value.map(|value| redis.told(&format!("SET footfall:{key} {value}")));
        }
        for _ in 0..2 {
            let ran = command("migrate", &redis.url());
            assert!(ran.status.success(), "{}", text(&ran));
            assert_eq!(noted(), after.map(bulk), "{layout:?}, {schema:?}");
        }
    }
}

#[tokio::test]
async fn a_newer_layout_stops_only_who_cannot_live_with_it() {
    let redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let mut client = footfall.client().logged_in().await;
    redis.told("SET footfall:schema 1");
    redis.told("SET footfall:layout 3");
    looked(&footfall).await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    let found = command("doctor", &redis.url());
    assert!(
        text(&found).contains("layout 3, readable from layout 1"),
        "{}",
        text(&found)
    );

    redis.told("SET footfall:schema 3");
    let away = footfall.logged(AWAY);
    let why = away["error"].as_str().unwrap();
    assert!(
        why.contains("layout 3, readable from layout 3")
            && why.contains("up to 2")
            && why.contains("upgrade"),
        "{why}"
    );
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    for name in ["migrate", "doctor"] {
        let ran = command(name, &redis.url());
        assert_eq!(ran.status.code(), Some(1), "{name}");
        assert!(text(&ran).contains("upgrade"), "{}", text(&ran));
    }
    redis.told("SET footfall:schema 1");
    assert_eq!(
        get_insistently(&mut client, "/api/count").await.visits(),
        2,
        "nothing was counted meanwhile"
    );
}

/// Waits until the process has looked at its store, and has seen what was there before.
pub async fn looked(footfall: &Footfall) {
    let series =
        r#"footfall_store_operation_duration_seconds_count{operation="ping",outcome="ok"}"#;
    let before = footfall.metric(series).await.unwrap();
    // Looks, and parts of a look, may have begun before.
    footfall.metric_reaches(series, before + 6.0).await;
}

/// Waits until the process is not ready, and gives what it says then.
async fn unready(ops: &mut Client, cause: &str) -> String {
    until(&format!("it is unready after {cause}"), async || {
        let reply = ops.get("/readyz").await;
        (reply.status == 503).then(|| reply.text())
    })
    .await
}

/// What is wrong with one of the two keys does not hide what the other says.
#[tokio::test]
async fn a_newer_layout_is_seen_beside_one_that_cannot_be_read() {
    let redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    redis.command("EVAL \"redis.call('SET', 'footfall:schema', 9) redis.call('RPUSH', 'footfall:layout', 1)\" 0");
    let ready = unready(&mut footfall.ops_client(), "a newer layout").await;
    assert!(
        ready.contains("layout 9") && ready.contains("upgrade"),
        "{ready}"
    );
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
}

#[tokio::test]
async fn what_is_no_layout_is_named_and_left_alone() {
    let redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    footfall.ready().await;
    let mut ops = footfall.ops_client();
    for key in ["footfall:layout", "footfall:schema"] {
        for malformed in [
            format!("SET {key} one"),
            format!("SET {key} \"\""),
            format!("SET {key} -1"),
            format!("SET {key} 1.0"),
            format!("SET {key} 123456789012345678901234567890"),
            format!("SET {key} \"\\xff\\xfe\\n\""),
            format!("RPUSH {key} 1"),
            format!("HSET {key} version 1"),
        ] {
            redis.command(&malformed);
            let dump = redis.command(&format!("DUMP {key}"));
            let ready = unready(&mut ops, &malformed).await;
            assert!(ready.contains(key), "{malformed}: {ready}");
            for name in ["migrate", "doctor"] {
                let ran = command(name, &redis.url());
                assert_eq!(ran.status.code(), Some(1), "{malformed}");
                assert!(text(&ran).contains(key), "{malformed}: {}", text(&ran));
            }
            let after = redis.command(&format!("DUMP {key}"));
            assert_eq!(after, dump, "{malformed} is as it was");
            redis.command(&format!("DEL {key}"));
            footfall.ready().await;
        }
    }
    assert!(!footfall.log().iter().any(|line| line.contains("panic")));
}

/// The two keys are in different slots.
#[test]
fn a_cluster_has_a_layout_too() {
    let cluster = Cluster::start();
    assert_ne!(
        cluster.slot("footfall:layout"),
        cluster.slot("footfall:schema")
    );
    let ran = command("migrate", &cluster.url());
    assert!(ran.status.success(), "{}", text(&ran));
    let found = text(&command("doctor", &cluster.url()));
    assert!(
        found.contains("layout 2, readable from layout 1"),
        "{found}"
    );
}

/// What a migration of a newer version leaves in the file.
fn migrated(directory: &Path, readable_from: i64) {
    let output = Command::new("sqlite3")
        .args(["-cmd", ".timeout 20000"])
        .arg(directory.join("data/footfall.db"))
        .arg(format!(
            "BEGIN;
             INSERT OR IGNORE INTO _sqlx_migrations
             VALUES (9999, 'from the future', CURRENT_TIMESTAMP, 1, x'00', 0);
             PRAGMA user_version = {readable_from};
             COMMIT"
        ))
        .output()
        .expect("sqlite3 is there; ./test.sh installs it");
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn a_file_of_a_newer_version_stops_only_who_cannot_live_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let command = |name: &str| run(footfall_command().current_dir(directory.path()).arg(name));
    let start = || Footfall::builder().directory(directory.path());
    let running = start().start();
    let mut client = running.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);

    migrated(directory.path(), 2);
    looked(&running).await;
    assert_eq!(client.get("/api/count").await.visits(), 2);
    for name in ["migrate", "doctor"] {
        let ran = command(name);
        assert!(ran.status.success(), "{}", text(&ran));
    }
    let found = text(&command("doctor"));
    assert!(
        found.contains("layout 9999, readable from layout 2"),
        "{found}"
    );
    let second = start().start();
    let mut other = second.client().logged_in().await;
    assert_eq!(other.get("/api/count").await.visits(), 3);

    migrated(directory.path(), 9999);
    for running in [&running, &second] {
        let away = running.logged(AWAY);
        let why = away["error"].as_str().unwrap();
        assert!(
            why.contains("layout 9999") && why.contains("upgrade"),
            "{why}"
        );
    }
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    for name in ["migrate", "doctor", "serve"] {
        let ran = command(name);
        assert_eq!(ran.status.code(), Some(1), "{name}");
        let said = text(&ran);
        assert!(
            said.contains("layout 9999") && said.contains("upgrade"),
            "{said}"
        );
        assert!(said.contains("data/footfall.db"), "{said}");
    }
    migrated(directory.path(), 2);
    assert_eq!(get_insistently(&mut client, "/api/count").await.visits(), 4);
}

#[test]
fn a_file_without_a_layout_is_refused_by_name() {
    for (readable_from, version, named) in [
        (-5, "9999", "user_version is -5"),
        (0, "-1 - 9999", "_sqlx_migrations is"),
        (0, "'many'", "_sqlx_migrations"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let command = |name: &str| run(footfall_command().current_dir(directory.path()).arg(name));
        assert!(command("migrate").status.success());
        migrated(directory.path(), readable_from);
        let database = directory.path().join("data/footfall.db");
        let changed = Command::new("sqlite3")
            .arg(&database)
            .arg(format!(
                "DELETE FROM _sqlx_migrations WHERE version < 9999;
                 UPDATE _sqlx_migrations SET version = {version}"
            ))
            .status();
        assert!(changed.unwrap().success());
        let before = std::fs::read(&database).unwrap();
        for name in ["migrate", "doctor", "serve"] {
            let ran = command(name);
            assert_eq!(ran.status.code(), Some(1), "{name}: {}", text(&ran));
            assert!(text(&ran).contains(named), "{name}: {}", text(&ran));
        }
        assert!(std::fs::read(&database).unwrap() == before);
    }
}
