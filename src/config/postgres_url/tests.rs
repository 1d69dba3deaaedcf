use secrecy::ExposeSecret;

use super::*;

fn parse(url: &str) -> PostgresUrl {
    url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn tcp(host: &str) -> PostgresHost {
    PostgresHost::Tcp(host.into())
}

#[test]
fn where_a_server_is() {
    let socket = |directory: &str| PostgresHost::Socket(directory.into());
    for (url, host, port, database) in [
        ("postgres://me@host/db", tcp("host"), 5432, "db"),
        ("postgresql://me@host:6000/db", tcp("host"), 6000, "db"),
        ("postgres://me@host", tcp("host"), 5432, "me"),
        ("postgres://me@host:/", tcp("host"), 5432, "me"),
        ("postgres://me@10.0.0.1/db", tcp("10.0.0.1"), 5432, "db"),
        ("postgres://me@[::1]/db", tcp("::1"), 5432, "db"),
        ("postgres://me@[::1]:6000/db", tcp("::1"), 6000, "db"),
        ("postgres://me@/db?host=a.b-c_d", tcp("a.b-c_d"), 5432, "db"),
        (
            "postgres://me@/db?host=::1&port=6000",
            tcp("::1"),
            6000,
            "db",
        ),
        (
            "postgres:///?host=h&user=me&dbname=db",
            tcp("h"),
            5432,
            "db",
        ),
        ("postgres://host?user=me&&", tcp("host"), 5432, "me"),
        ("postgres://me@host/d%20b", tcp("host"), 5432, "d b"),
        (
            "postgres://me@/db?host=/run/postgresql",
            socket("/run/postgresql"),
            5432,
            "db",
        ),
        (
            "postgres://me@%2Frun%2Fpg:6000/db",
            socket("/run/pg"),
            6000,
            "db",
        ),
        (
            "postgres://me@%2frun/db?port=6000",
            socket("/run"),
            6000,
            "db",
        ),
    ] {
        let parsed = parse(url);
        assert_eq!(parsed.host, host, "{url}");
        assert_eq!((parsed.port, &*parsed.database), (port, database), "{url}");
        assert_eq!(parsed.user, "me", "{url}");
        assert!(parsed.password.is_none(), "{url}");
    }
    assert_eq!(parse("postgres://me@[::1]/db").server(), "[::1]:5432");
    let at_socket = parse("postgres://me@/db?host=/run/postgresql").server();
    assert_eq!(at_socket, "/run/postgresql/.s.PGSQL.5432");
}

#[test]
fn what_leaves_the_machine() {
    for (url, remote) in [
        ("postgres://me@localhost/db", false),
        ("postgres://me@127.0.0.1/db", false),
        ("postgres://me@[::1]/db", false),
        ("postgres://me@/db?host=/run/postgresql", false),
        ("postgres://me@postgres/db", true),
        ("postgres://me@10.0.0.1/db", true),
    ] {
        assert_eq!(parse(url).is_remote(), remote, "{url}");
    }
}

#[test]
fn passwords_are_decoded_and_not_shown() {
    for (url, password) in [
        ("postgres://me:p%40ss@host/db", "p@ss"),
        ("postgres://me:a:b+c%20d@host/db", "a:b+c d"),
        ("postgres://me@host/db?password=%26%3D%C3%A4", "&=ä"),
        ("postgres://host/db?user=me&password=p=q", "p=q"),
    ] {
        let parsed = parse(url);
        let found = parsed.password.as_ref().map(|found| found.expose_secret());
        assert_eq!(found, Some(password), "{url}");
        assert!(!format!("{parsed:?}").contains(password), "{url}");
    }
    for url in ["postgres://me:@host/db", "postgres://me@host/db?password="] {
        assert!(parse(url).password.is_none(), "{url}");
    }
}

#[test]
fn options_that_are_understood() {
    let url = parse(
        "postgres://me@host/db?sslmode=verify-full&sslrootcert=/etc/ca.pem&application_name=a%20b\
         &connect_timeout=2&options=-c%20search_path=a,b%20--jit=off%20-cwork_mem=1%5C%20MB",
    );
    assert_eq!(url.ssl_mode, SslMode::VerifyFull);
    assert_eq!(url.ssl_root_cert.as_deref(), Some("/etc/ca.pem".as_ref()));
    assert_eq!(url.application_name, "a b");
    assert_eq!(url.connect_timeout, Some(Duration::from_secs(2)));
    let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let settings = [
        of("search_path", "a,b"),
        of("jit", "off"),
        of("work_mem", "1 MB"),
    ];
    assert_eq!(url.options, settings);
    let url = parse("postgres://me@host/db");
    assert_eq!(
        (url.ssl_mode, &*url.application_name),
        (SslMode::Prefer, "footfall")
    );
    assert_eq!((url.connect_timeout, url.options), (None, Vec::new()));
    for (mode, expected) in [
        ("disable", SslMode::Disable),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
    ] {
        let url = format!("postgres://me@host/db?sslmode={mode}");
        assert_eq!(parse(&url).ssl_mode, expected);
    }
    let system = parse("postgres://me@host/db?sslmode=verify-full&sslrootcert=system");
    assert_eq!(system.ssl_root_cert, None);
    let socket = parse("postgres://me@/db?host=/run&sslmode=prefer");
    assert_eq!(socket.ssl_mode, SslMode::Disable);
}

#[test]
fn what_is_wrong_is_said_without_the_password() {
    let long = format!("postgres://me@/db?host=/{}", "d".repeat(100));
    let options = "postgres://me@host/db?options=";
    for (url, message) in [
        ("postgres:me", "expected postgres://"),
        ("postgres://me:hunter2\t@host", "there is a tab"),
        ("postgres://me:hunter2@host/db\n", "there is a tab"),
        (" postgres://me:hunter2@host/db", "a blank at its start"),
        ("postgres://host/db", "the user is missing"),
        ("postgres://:hunter2@host/db", "the user is missing"),
        ("postgres://me:hunter2@/db", "the host is missing"),
        ("postgres:///db?user=me", "the host is missing"),
        (
            "postgres://me:hun@ter2hunter2@host/db",
            "must be percent-encoded",
        ),
        (
            "postgres://me:hun/hunter2@host/db",
            "must be percent-encoded",
        ),
        (
            "postgres://me:hun?hunter2@host/db",
            "must be percent-encoded",
        ),
        (
            "postgres://me:hun#hunter2@host/db",
            "must be percent-encoded",
        ),
        ("postgres://me:hunter2@host/db#x", "must be percent-encoded"),
        ("postgres://me@host/db/hunter2", "must be percent-encoded"),
        ("postgres://me:hunter2", "the user is missing"),
        (
            "postgres://me:hunter2@host:0/db",
            "the port, after the host's",
        ),
        (
            "postgres://me:hunter2@host:65536/db",
            "the port, after the host's",
        ),
        (
            "postgres://me:hunter2@host:+1/db",
            "the port, after the host's",
        ),
        (
            "postgres://me:hunter2@host:a/db",
            "the port, after the host's",
        ),
        ("postgres://me@host/db?port=x", "the port, after the host's"),
        (
            "postgres://me:hunter2@::1/db",
            "IPv6 address stands in brackets",
        ),
        (
            "postgres://me:hunter2@[::1/db",
            "IPv6 address stands in brackets",
        ),
        (
            "postgres://me:hunter2@[::1]6000/db",
            "IPv6 address stands in brackets",
        ),
        (
            "postgres://me:hunter2@[host]/db",
            "IPv6 address stands in brackets",
        ),
        ("postgres://me:hunter2@a,b/db", "one host"),
        (
            "postgres://me:hunter2@a:1,b:2/db",
            "the port, after the host's",
        ),
        (
            "postgres://me:hunter2@ho%20st/db",
            "neither a name nor an address",
        ),
        (
            "postgres://me:hunter2@hö.de/db",
            "neither a name nor an address",
        ),
        (
            "postgres://me:hunter2@/db?host=run/postgresql",
            "neither a name nor an address",
        ),
        (
            "postgres://me:hunter2@/db?host=%40run",
            "neither a name nor an address",
        ),
        (&long, "longer than 107 bytes"),
        (
            "postgres://me:hunter2@host/db?host=h",
            "says its host twice",
        ),
        (
            "postgres://me:hunter2@host/db?user=you",
            "says its user twice",
        ),
        (
            "postgres://me:hunter2@host/db?password=x",
            "says its password twice",
        ),
        (
            "postgres://me:hunter2@host/db?dbname=x",
            "says its dbname twice",
        ),
        (
            "postgres://me:hunter2@host:1/db?port=1",
            "says its port twice",
        ),
        (
            "postgres://me@host/db?port=1&port=1",
            "the option port is there twice",
        ),
        (
            "postgres://me:hunter2@host/db?sslkey=x",
            "the option sslkey is not supported",
        ),
        (
            "postgres://me:hunter2@host/db?sslmode=require&channel_binding=require",
            "the option channel_binding is not supported; leave it out",
        ),
        (
            "postgres://me:hunter2@host:6543/db?pgbouncer=true",
            "the option pgbouncer is not supported; leave it out",
        ),
        (
            "postgres://me:hunter2@host/db?ssl=true",
            "sslmode=verify-full",
        ),
        (
            "postgres://me@host/db?schema=public",
            "options=-c%20search_path=NAME",
        ),
        (
            "postgres://me@host/db?target_session_attrs=any",
            "the option target_session_attrs",
        ),
        (
            "postgres://me@host/db?password=a&hunter2",
            "one of its options is not understood",
        ),
        (
            "postgres://me@host/db?hunter2=1",
            "one of its options is not understood",
        ),
        (
            "postgres://me@host/db?SSLMODE=require",
            "one of its options is not understood",
        ),
        (
            "postgres://me@host/db?sslmode=allow",
            "sslmode is disable, prefer",
        ),
        (
            "postgres://me@host/db?sslmode=hunter2",
            "sslmode is disable, prefer",
        ),
        (
            "postgres://me@host/db?sslrootcert=/ca.pem",
            "add sslmode=verify-full",
        ),
        (
            "postgres://me@host/db?sslrootcert=/ca.pem&sslmode=require",
            "add sslmode=verify-full",
        ),
        (
            "postgres://me@/db?host=/run&sslmode=require",
            "no TLS on a Unix socket",
        ),
        (
            "postgres://me@host/db?connect_timeout=0",
            "connect_timeout must be",
        ),
        (
            "postgres://me@host/db?connect_timeout=2s",
            "connect_timeout must be",
        ),
        (
            "postgres://me@host/db?connect_timeout=-1",
            "connect_timeout must be",
        ),
        (&format!("{options}jit"), "settings of the session"),
        (&format!("{options}-c"), "settings of the session"),
        (&format!("{options}-c%20jit"), "settings of the session"),
        (&format!("{options}--=x"), "settings of the session"),
        (&format!("{options}-d%201"), "settings of the session"),
        (
            &format!("{options}-c%20statement_timeout=1"),
            "follows from FOOTFALL_DATABASE_TIMEOUT",
        ),
        (
            &format!("{options}--LOCK-timeout=1"),
            "follows from FOOTFALL_DATABASE_TIMEOUT",
        ),
        ("postgres://me:hunter2%4@host/db", "two hexadecimal digits"),
        ("postgres://me:hunter2%zz@host/db", "two hexadecimal digits"),
        ("postgres://me:hunter2%00@host/db", "%00"),
        ("postgres://me:hunter2%ff@host/db", "not UTF-8"),
    ] {
        let error = url.parse::<PostgresUrl>().expect_err(url);
        assert!(error.contains(message), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{url}: {error}");
    }
}
