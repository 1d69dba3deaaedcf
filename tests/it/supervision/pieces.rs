//! A panic in a piece of the work costs this piece: the process goes on, and counts right.

use std::{fs::File, io::Read};

use hyper::Method;
use rustix::process::Signal;

use super::*;
use crate::support::{
    Client, Redis, databases, postgres,
    receiver::{Receiver, TAKEN},
    slots::Slots,
    smtp::Smtp,
};

/// Each of them has a test, of which `docs/reliability.md` tells.
#[test]
fn none_is_forgotten() {
    const PAGE: &str = include_str!("../../../docs/reliability.md");
    macro_rules! test {
        ($name:ident) => {{
            let _: fn() = $name;
            stringify!($name)
        }};
    }
    for piece in Piece::ALL {
        let test = match piece {
            Piece::Connection => test!(connection),
            Piece::Batch => test!(batch),
            Piece::Login => test!(login),
            Piece::PasswordHash => test!(password_hash),
            Piece::Refund => test!(refund),
            Piece::Look => test!(look),
            Piece::Report => test!(report),
            Piece::Turn => test!(turn),
            Piece::Mail => test!(mail),
            Piece::Operation => test!(operation),
            Piece::Lookup => test!(lookup),
            Piece::LastUse => test!(last_use),
            Piece::Document => test!(document),
        };
        assert!(PAGE.contains(&format!("`pieces::{test}`")), "{piece}");
    }
}

/// It is live, ready, and counts what it is given from where it was.
async fn goes_on(footfall: &Footfall, token: &str) {
    assert_eq!(footfall.ops_client().get("/healthz").await.status, 200);
    footfall.ready().await;
    // Of some worker, each time.
    let count = async || footfall.client().with_token(token).get("/api/count").await;
    let first = count().await.visits();
    for number in first + 1..first + 4 {
        assert_eq!(count().await.visits(), number);
    }
    assert_eq!(footfall.total(token).await, first + 3);
}

#[tokio::test]
async fn connection() {
    let faults = Faults::none();
    let footfall = faults.builder().start();
    let token = footfall.token().await;
    footfall.metric_becomes("http_connections_open", 0.0).await;
    let mut stream = std::net::TcpStream::connect(footfall.public()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let ping = b"GET /api/ping HTTP/1.1\r\nhost: x\r\n\r\n";
    std::io::Write::write_all(&mut stream, ping).unwrap();
    let mut start = [0; 15];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    faults.add(Piece::Connection.name(), "panic");
    faults.have_struck();
    assert!(stream.read_to_end(&mut Vec::new()).is_ok(), "it is closed");
    footfall.metric_becomes("http_connections_open", 0.0).await;
    goes_on(&footfall, &token).await;
}

/// Whether its visits were counted is unknown, and said to be; with an identity they are one visit.
async fn batch_on(faults: &Faults, footfall: Footfall) {
    let token = footfall.token().await;
    footfall.ready().await;
    let mut client = footfall.client().with_token(&token);
    for round in 1..=3 {
        let key = format!("key-{round}");
        let headers = [("idempotency-key", key.as_str())];
        faults.add(Piece::Batch.name(), "panic");
        let path = "/api/count";
        let reply = client.send(Method::GET, path, &headers, "").await;
        assert_eq!(reply.problem(), "outcome_unknown");
        let reply = client.send(Method::GET, path, &headers, "").await;
        assert_eq!(reply.visits(), round);
        let uncertain = footfall.metric("footfall_visits_uncertain_total").await;
        assert_eq!(uncertain, Some(round as f64));
    }
    assert_eq!(footfall.total(&token).await, 3);
    assert_eq!(
        footfall.metric("footfall_count_queue_depth").await,
        Some(0.0)
    );
    goes_on(&footfall, &token).await;
}

#[tokio::test]
async fn batch() {
    let redis = Redis::start();
    let faults = Faults::none();
    let footfall = faults.builder().env("REDIS_URL", redis.url()).start();
    batch_on(&faults, footfall).await;
}

#[tokio::test]
async fn batch_embedded() {
    let faults = Faults::none();
    let footfall = faults.builder().start();
    batch_on(&faults, footfall).await;
}

/// It is made when it is first asked for, and not before.
#[tokio::test]
async fn document() {
    let faults = Faults::none();
    let footfall = faults.builder().start();
    let token = footfall.token().await;
    for _ in 0..3 {
        faults.add(Piece::Document.name(), "panic");
        let reply = footfall.client().get("/openapi.json").await;
        assert_eq!(reply.problem(), "internal_error");
        faults.have_struck();
    }
    let first = footfall.client().get("/openapi.json").await;
    assert_eq!(first.json()["openapi"], "3.1.0");
    // It is kept: a fault that waits for the next one does not strike.
    faults.add(Piece::Document.name(), "panic");
    let again = footfall.client().get("/openapi.json").await;
    assert_eq!(again.json(), first.json());
    goes_on(&footfall, &token).await;
}

/// A login that meets this piece's panic is told that it is no fault of its own.
async fn login_breaks_at(piece: Piece) {
    let faults = Faults::none();
    let footfall = faults.builder().start();
    let token = footfall.token().await;
    for _ in 0..3 {
        faults.add(piece.name(), "panic");
        let reply = footfall.client().login("admin", "password").await;
        assert_eq!(reply.problem(), "internal_error");
        faults.have_struck();
    }
    assert_eq!(
        footfall.client().login("admin", "password").await.status,
        200
    );
    goes_on(&footfall, &token).await;
}

#[tokio::test]
async fn login() {
    login_breaks_at(Piece::Login).await;
}

#[tokio::test]
async fn password_hash() {
    login_breaks_at(Piece::PasswordHash).await;
}

#[tokio::test]
async fn refund() {
    let (faults, redis) = (Faults::none(), Redis::start());
    let builder = faults.builder().env("REDIS_URL", redis.url());
    let footfall = builder.env("FOOTFALL_STORE_TIMEOUT", "1s").start();
    let token = footfall.token().await;
    footfall.ready().await;
    faults.add(Piece::Refund.name(), "panic");
    // The store gets the charge, and it is not known whether it has taken it.
    redis.signal(Signal::STOP);
    let reply = footfall.client().login("admin", "password").await;
    assert_eq!(reply.status, 200);
    faults.have_struck();
    redis.signal(Signal::CONT);
    goes_on(&footfall, &token).await;
}

#[tokio::test]
async fn last_use() {
    let faults = Faults::none();
    let footfall = faults.builder().start();
    let token = footfall.token().await;
    footfall.ready().await;
    faults.add(Piece::LastUse.name(), "panic");
    let body = r#"{"name": "machine", "scopes": ["visits:write", "counters:read"]}"#;
    let made = footfall
        .client()
        .with_token(&token)
        .post_json("/auth/tokens", body)
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let machine = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(
        footfall
            .client()
            .with_token(&machine)
            .get("/api/counters")
            .await
            .status,
        200
    );
    faults.have_struck();
    goes_on(&footfall, &machine).await;
}

/// It says nothing of the sibling, which keeps its slot.
#[tokio::test]
async fn look() {
    let (faults, directory) = (Faults::none(), tempfile::tempdir().unwrap());
    let slots = Slots::of(directory.path());
    let sibling = slots.replica().start();
    let broken = slots.replica();
    let broken = broken.env("TEST_FAULTS", faults.0.path().display()).start();
    slots.become_sockets(&[1, 2]);
    let inodes = slots.inodes();
    // More of them than a sibling may leave without an answer.
    for _ in 0..8 {
        faults.add(Piece::Look.name(), "panic");
        faults.have_struck();
    }
    assert_eq!(slots.inodes(), inodes);
    let token = broken.token().await;
    for replica in [&sibling, &broken] {
        goes_on(replica, &token).await;
    }
    // It still notices one that hangs.
    sibling.process.signal(Signal::STOP);
    slots.become_sockets(&[2]);
}

#[tokio::test]
async fn report() {
    let (faults, receiver) = (Faults::none(), Receiver::answering(TAKEN));
    let builder = faults.builder().env("FOOTFALL_SENTRY_DSN", receiver.dsn());
    let footfall = builder.start();
    let token = footfall.token().await;
    let outcome = |outcome: &str| format!("footfall_error_reports_total{{outcome=\"{outcome}\"}}");
    faults.add(Piece::Report.name(), "panic");
    faults.add(Piece::Login.name(), "panic");
    // Two errors: the panic, and the request.
    let reply = footfall.client().login("admin", "password").await;
    assert_eq!(reply.problem(), "internal_error");
    faults.have_struck();
    footfall.metric_becomes(&outcome("failed"), 1.0).await;
    footfall.metric_becomes(&outcome("sent"), 1.0).await;
    receiver.error("request");
    footfall.logged("errors are reported again");
    goes_on(&footfall, &token).await;
    let log = footfall.log();
    let panics = log
        .iter()
        .filter(|line| line.contains(r#""message":"panic""#));
    assert_eq!(panics.count(), 2, "the report's own was not reported");
}

#[tokio::test]
async fn turn() {
    let (faults, directory) = (Faults::none(), tempfile::tempdir().unwrap());
    let footfall = faults.builder().directory(directory.path()).start();
    let token = footfall.token().await;
    footfall.ready().await;
    let mut client: Client = footfall.client().with_token(&token);
    let find = || {
        let mut files = walk(directory.path()).into_iter();
        files.find(|path| path.to_string_lossy().ends_with(".db.turn"))
    };
    let file = File::open(find().unwrap()).unwrap();
    // The thread is there for the next one, too.
    for number in 1..=3 {
        // Another process' turn.
        file.lock().unwrap();
        faults.add(Piece::Turn.name(), "panic");
        assert_eq!(client.get("/api/count").await.visits(), number);
        faults.have_struck();
        file.unlock().unwrap();
    }
    goes_on(&footfall, &token).await;
}

/// The files below a folder.
fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|path| match path.is_dir() {
        true => walk(&path),
        false => vec![path],
    });
    below.collect()
}

#[tokio::test]
async fn operation() {
    for opened in databases::both().await {
        let database = &opened.database;
        let broken = database.read("test", |_| Box::pin(async { panic!("a bug") }));
        let broken: Result<(), _> = broken.await;
        let outcome = broken.map_err(|error| error.outcome_is_unknown());
        assert_eq!(outcome, Err(true), "{}", opened.kind);
        let next = database.read("test", |_| Box::pin(async { Ok(1) })).await;
        assert_eq!(next.unwrap(), 1, "{}", opened.kind);
    }
}

/// A service with a PostgreSQL.
fn with_database(faults: &Faults, redis: &Redis) -> Builder {
    let database = postgres::Database::migrated();
    let builder = faults.builder().env("REDIS_URL", redis.url());
    builder.env("DATABASE_URL", database.url())
}

#[tokio::test]
async fn lookup() {
    let (faults, redis) = (Faults::none(), Redis::start());
    faults.add(Piece::Lookup.name(), "panic");
    let footfall = with_database(&faults, &redis).start();
    let token = footfall.token().await;
    faults.have_struck();
    footfall.metric_becomes("footfall_database_up", 1.0).await;
    goes_on(&footfall, &token).await;
}

/// The mail is sent by the next try, once.
#[tokio::test]
async fn mail() {
    let (faults, smtp, folder) = (Faults::none(), Smtp::start(), tempfile::tempdir().unwrap());
    let builder = faults.builder().directory(folder.path());
    let footfall = builder.env("FOOTFALL_SMTP_URL", smtp.url()).start();
    let token = footfall.token().await;
    smtp.fault("rcpt", "hang");
    let outbox = crate::mail::File::of(folder.path());
    outbox.post("somebody@example.com", r#"{"name":"email_changed"}"#);
    smtp.reaches("rcpt", 1).await;
    faults.add(Piece::Mail.name(), "panic");
    faults.have_struck();
    smtp.heal("rcpt");
    goes_on(&footfall, &token).await;
    outbox.end_leases();
    assert_eq!(smtp.has_taken(1).await.len(), 1);
    footfall
        .metric_becomes("footfall_mails_sent_total", 1.0)
        .await;
}

/// One of the parts that only a service with a PostgreSQL has.
async fn part_ends(part: Part) {
    let (faults, redis, folder) = (Faults::none(), Redis::start(), tempfile::tempdir().unwrap());
    let socket = folder.path().join("footfall.sock");
    let footfall = with_database(&faults, &redis).socket(&socket).start();
    footfall.metric_becomes("footfall_database_up", 1.0).await;
    faults.add(part.name(), "panic");
    has_ended(footfall, part.name(), &socket);
}

#[tokio::test]
async fn the_monitor_of_the_database() {
    part_ends(Part::DatabaseMonitor).await;
}

#[tokio::test]
async fn the_drain() {
    part_ends(Part::Drain).await;
}
