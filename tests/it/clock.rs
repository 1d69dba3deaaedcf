//! The clock is set forward and back: nobody is locked out, and no number is given twice.

use hyper::Method;

use crate::support::{Client, Footfall, Redis, Reply, clock::Clock, footfall::Builder};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Failures of one address within five minutes that are one too many.
const FAILURES: usize = 10;

fn service(clock: &Clock) -> Builder {
    Footfall::builder().clock(clock)
}

async fn read(footfall: &Footfall, token: &str) -> Reply {
    let mut client = footfall.client().with_token(token);
    client.get("/api/counters").await
}

#[tokio::test]
async fn tokens_expire_by_the_clock_and_a_login_always_helps() {
    let clock = Clock::new();
    let footfall = service(&clock).start();
    let now = footfall.token().await;
    assert_eq!(read(&footfall, &now).await.status, 200);

    clock.set(2 * HOUR);
    assert_eq!(read(&footfall, &now).await.problem(), "expired_token");
    let later = footfall.token().await;
    assert_eq!(read(&footfall, &later).await.status, 200);

    // Whoever logged in while the clock was wrong stays logged in when it is right again.
    clock.set(0);
    assert_eq!(read(&footfall, &now).await.status, 200);
    assert_eq!(read(&footfall, &later).await.status, 200);

    clock.set(-DAY);
    let earlier = footfall.token().await;
    for token in [&now, &later, &earlier] {
        assert_eq!(read(&footfall, token).await.status, 200);
    }
    clock.set(0);
    assert_eq!(read(&footfall, &earlier).await.problem(), "expired_token");
    assert_eq!(footfall.ops_client().get("/readyz").await.status, 200);
}

/// Fails to log in until that is no longer allowed.
async fn locked_out(footfall: &Footfall) {
    let mut client = footfall.client();
    for _ in 0..FAILURES {
        assert_eq!(client.login("admin", "wrong").await.status, 401);
    }
    locked(footfall).await;
}

/// For now, and not for longer than five minutes.
async fn locked(footfall: &Footfall) {
    let reply = footfall.client().login("admin", "password").await;
    assert_eq!(reply.problem(), "too_many_logins");
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=300).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_clock_set_back_locks_nobody_out_for_longer() {
    let clock = Clock::new();
    let footfall = service(&clock).start();
    // The machine starts with a wrong clock, which is then put right.
    clock.set(DAY);
    locked_out(&footfall).await;
    clock.set(0);
    assert_eq!(
        footfall.client().login("admin", "password").await.status,
        200
    );
    // What was wrong then is forgotten, and what is wrong now is counted.
    locked_out(&footfall).await;
    clock.set(6 * MINUTE);
    assert_eq!(
        footfall.client().login("admin", "password").await.status,
        200
    );
}

#[tokio::test]
async fn a_clock_of_redis_set_back_locks_nobody_out_for_longer() {
    let clock = Clock::new();
    let redis = Redis::start_with(&clock);
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    clock.set(DAY);
    locked_out(&footfall).await;
    clock.set(0);
    locked(&footfall).await;
    clock.set(6 * MINUTE);
    assert_eq!(
        footfall.client().login("admin", "password").await.status,
        200
    );
}

#[tokio::test]
async fn with_redis_the_clock_of_a_replica_throttles_nobody() {
    let (redis, clock) = (Redis::start(), Clock::new());
    let footfall = service(&clock).env("REDIS_URL", redis.url()).start();
    locked_out(&footfall).await;
    for seconds in [DAY, -DAY] {
        clock.set(seconds);
        locked(&footfall).await;
    }
}

/// The same on all stores: `clock` is the one by which identities are remembered.
async fn identities(clock: &Clock, service: Builder) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let service = service.env("FOOTFALL_TOKEN_TTL", "72h");
    let footfall = service.socket(&socket).start();
    let mut client = Client::unix(&socket).logged_in().await;
    let visit = async |client: &mut Client, header: &str, id: &str| {
        let reply = client
            .send(Method::GET, "/api/count", &[(header, id)], "")
            .await;
        (reply.visits(), reply.replayed())
    };
    let (key, request) = ("idempotency-key", "x-request-id");
    assert_eq!(visit(&mut client, key, "k").await, (1, false));
    assert_eq!(visit(&mut client, request, "r").await, (2, false));

    // Back: nothing is forgotten, and counting goes on.
    clock.set(-DAY);
    assert_eq!(visit(&mut client, key, "k").await, (1, true));
    assert_eq!(visit(&mut client, request, "r").await, (2, true));
    assert_eq!(visit(&mut client, request, "new").await, (3, false));
    assert_eq!(visit(&mut client, request, "new").await, (3, true));

    // Forward within the windows.
    clock.set(30);
    assert_eq!(visit(&mut client, request, "r").await, (2, true));

    // Forward beyond one and not beyond the other: what is forgotten is a new visit.
    clock.set(23 * HOUR);
    assert_eq!(visit(&mut client, key, "k").await, (1, true));
    assert_eq!(visit(&mut client, request, "r").await, (4, false));

    // And put right again.
    clock.set(0);
    assert_eq!(visit(&mut client, request, "r").await, (4, true));
    assert_eq!(visit(&mut client, key, "k").await, (1, true));
    assert_eq!(client.get("/api/count").await.visits(), 5);
    assert_eq!(footfall.ops_client().get("/readyz").await.status, 200);
}

#[tokio::test]
async fn identities_in_sqlite_follow_the_clock_and_numbers_do_not() {
    let clock = Clock::new();
    let service = service(&clock);
    identities(&clock, service).await;
}

#[tokio::test]
async fn identities_in_redis_follow_its_clock_and_numbers_do_not() {
    let clock = Clock::new();
    let redis = Redis::start_with(&clock);
    let service = Footfall::builder().env("REDIS_URL", redis.url());
    identities(&clock, service).await;
}

/// Replicas whose clocks are a day apart count as one.
#[tokio::test]
async fn with_redis_the_clock_of_a_replica_forgets_nothing() {
    let redis = Redis::start();
    let clocks = [Clock::new(), Clock::new()];
    let [ahead, behind] = clocks
        .each_ref()
        .map(|clock| service(clock).env("REDIS_URL", redis.url()).start());
    let mut clients = [
        ahead.client().logged_in().await,
        behind.client().logged_in().await,
    ];
    clocks[0].set(DAY);
    clocks[1].set(-DAY);
    let headers = [("idempotency-key", "k")];
    let mut replies = Vec::new();
    for _ in 0..2 {
        // Each has a token by its own clock.
        for (client, footfall) in clients.iter_mut().zip([&ahead, &behind]) {
            *client = footfall.client().logged_in().await;
            let reply = client.send(Method::GET, "/api/count", &headers, "").await;
            replies.push((reply.visits(), reply.replayed()));
        }
    }
    assert_eq!(replies, [(1, false), (1, true), (1, true), (1, true)]);
}
