//! Wrong values of `DATABASE_URL`: a sentence each, which says which part it is and what to do.

use std::{io::Write, net::TcpListener};

use crate::support::{
    Redis,
    footfall::footfall_command,
    postgres::Database,
    process::{free_port, run},
};

/// What a command says, and how it ends.
fn said(command: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let ran = run(footfall_command()
        .arg(command)
        .envs(environment.iter().copied()));
    let both = [ran.stdout, ran.stderr].concat();
    (ran.status.code(), String::from_utf8(both).unwrap())
}

#[test]
fn those_that_are_seen_at_once() {
    let redis = ("REDIS_URL", "redis://127.0.0.1:1");
    let password = ("FOOTFALL_DATABASE_PASSWORD", "hunter2");
    let url = |url: &'static str| ("DATABASE_URL", url);
    let good = url("postgres://me:hunter2@host/db");
    for (environment, message) in [
        (
            &[redis, url("mysql://me:hunter2@host/db")][..],
            "expected postgres://",
        ),
        (&[redis, url("me:hunter2@host/db")], "expected postgres://"),
        (&[redis, url("host")], "expected postgres://"),
        (&[url("POSTGRES")], "expected postgres://"),
        (&[redis, url("sqlite:counts.db")], "REDIS_URL is set too"),
        (
            &[good],
            "REDIS_URL, which names the Redis that does, is not set",
        ),
        (&[url("sqlite:")], "expected the path of a file"),
        (
            &[url("sqlite::memory:")],
            "options and :memory: are not supported",
        ),
        (&[url("sqlite:counts.db"), password], "has no password"),
        (
            &[redis, good, password],
            "FOOTFALL_DATABASE_PASSWORD is set too",
        ),
        (
            &[redis, url("postgres://me:hunter2@/db")],
            "the host is missing",
        ),
        (
            &[redis, url("postgres://:hunter2@host/db")],
            "the user is missing",
        ),
        (
            &[redis, url("postgres://me:hunter2@host:99999/db")],
            "the port",
        ),
        (
            &[redis, url("postgres://me:hunt#er2hunter2@host/db")],
            "must be percent-encoded",
        ),
        (
            &[redis, url("postgres://me:hunter2@host/db?sslmode=on")],
            "sslmode is disable",
        ),
    ] {
        let (code, text) = said("config", environment);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(message), "{environment:?}: {text}");
        assert!(
            text.contains("environment variable DATABASE_URL: "),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(text.trim_end().lines().count(), 2, "one line: {text}");
    }
    for (name, value, message) in [
        (
            "FOOTFALL_DATABASE_TIMEOUT",
            "10ms",
            "must not be shorter than 100ms",
        ),
        (
            "FOOTFALL_DATABASE_TIMEOUT",
            "10s",
            "must be shorter than FOOTFALL_REQUEST_TIMEOUT",
        ),
        (
            "FOOTFALL_DATABASE_POOL",
            "0",
            "a whole number from 1 to 100",
        ),
        (
            "FOOTFALL_DATABASE_POOL",
            "101",
            "a whole number from 1 to 100",
        ),
    ] {
        let (code, text) = said("config", &[redis, good, (name, value)]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(name) && text.contains(message), "{text}");
    }
}

#[test]
fn those_that_only_the_server_or_the_way_to_it_shows() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let url = database.url();
    let port = database.server().port;
    let part = |from: &str, to: &str| {
        assert!(url.contains(from), "{url}");
        url.replace(from, to)
    };
    let at_port = |to: String| part(&format!(":{port}/"), &format!(":{to}/"));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().port();
    let password = "pa%3Ass%40of%2Fthe%20service";
    for (url, message) in [
        (
            at_port(free_port().to_string()),
            "nothing listens at 127.0.0.1:",
        ),
        (
            at_port(another_protocol().to_string()),
            "does not speak PostgreSQL's protocol",
        ),
        // It waits for the end of the line.
        (at_port(redis.port.to_string()), "did not answer within"),
        (at_port(silent.to_string()), "127.0.0.1:"),
        (
            part("127.0.0.1", "no.such.host.invalid"),
            "the host no.such.host.invalid cannot be found",
        ),
        (
            part(password, "wrong"),
            "the password of user footfall is wrong",
        ),
        (
            part(&format!(":{password}"), ""),
            "user footfall needs a password",
        ),
        (
            part("footfall:", "nobody:"),
            "the password of user nobody is wrong, or there is no such user",
        ),
        (
            part(&database.name, "nowhere"),
            "create it (CREATE DATABASE)",
        ),
        (
            format!("{url}?options=-c%20no_such=1"),
            "look at the options in DATABASE_URL",
        ),
        (
            format!("{url}?sslmode=verify-full"),
            "has no TLS, and sslmode=verify-full",
        ),
        (
            format!("postgres://footfall:{password}@/db?host=/nowhere"),
            "there is no Unix socket /nowhere/.s.PGSQL.5432",
        ),
    ] {
        let (code, text) = said(
            "doctor",
            &[("REDIS_URL", &redis.url()), ("DATABASE_URL", &url)],
        );
        assert_eq!(code, Some(1), "{url}: {text}");
        assert!(text.contains("FAIL  the database cannot be used"), "{text}");
        assert!(text.contains(message), "{url}: {text}");
        assert!(
            !text.contains("pa:ss") && !text.contains(password),
            "{text}"
        );
    }
}

#[test]
fn a_role_that_may_not_connect() {
    let (redis, database) = (Redis::start(), Database::migrated());
    database.sql(&format!(
        "REVOKE CONNECT ON DATABASE {} FROM PUBLIC",
        database.name
    ));
    let url = database.url();
    let (_, text) = said(
        "doctor",
        &[("REDIS_URL", &redis.url()), ("DATABASE_URL", &url)],
    );
    let hint = format!(
        "GRANT CONNECT ON DATABASE \"{}\" TO \"footfall\"",
        database.name
    );
    assert!(text.contains("permission denied for database"), "{text}");
    assert!(text.contains(&hint), "{text}");
}

/// Where something answers that is no PostgreSQL.
fn another_protocol() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ =
                stream.and_then(|mut stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }
    });
    port
}
