//! Thousands of rounds over replicas: one acknowledges, another is asked to count at once.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::join_all;
use hyper::Method;

use super::*;

/// Rounds that are gone, unless `REVOCATION_ROUNDS` says how many.
const ROUNDS: usize = 200;

/// Rounds under way at the same time, so that what is known changes while others count.
const LANES: usize = 4;

/// Numbers that were given on the counter of `default`.
type Numbers = Mutex<Vec<u64>>;

/// Counts as a client would that is no part of any of it, and is never refused.
async fn others(apps: &[TestApp], numbers: &Numbers, over: &AtomicBool) {
    let pass = pass();
    let mut clients: Vec<_> = apps.iter().map(|app| client(app, &pass)).collect();
    // Without a pass, too: their visits share batches.
    clients.push(apps[0].client().logged_in().await);
    for number in 0_usize.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let index = number % clients.len();
        let key = number.to_string();
        let headers = [("idempotency-key", key.as_str())];
        let headers = if number % 3 == 0 { &headers[..] } else { &[] };
        let client = &mut clients[index];
        let reply = client.send(Method::GET, "/api/count", headers, "").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        numbers.lock().unwrap().push(reply.visits());
    }
}

/// What is revoked in a round.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Session,
    User,
    UserExcept,
    Company,
}

const KINDS: [Kind; 4] = [Kind::Session, Kind::User, Kind::UserExcept, Kind::Company];

async fn round(apps: &[TestApp], number: usize, numbers: &Numbers) {
    let (kind, company) = (KINDS[number % KINDS.len()], Uuid::now_v7());
    let mut pass = pass();
    if let Kind::Company = kind {
        pass.company = company;
    }
    let (id, other) = (pass.user, another_session(&pass));
    let (revocation, goes_on) = match kind {
        Kind::Session => (Revocation::Session(pass.session), Some(other)),
        Kind::User => {
            let (below, except) = (2, None);
            (Revocation::User { id, below, except }, None)
        }
        Kind::UserExcept => {
            let (below, except) = (2, Some(other.session));
            (Revocation::User { id, below, except }, Some(other))
        }
        Kind::Company => {
            let (id, below) = (company, 2);
            (Revocation::Company { id, below }, None)
        }
    };
    let renewed = Pass {
        user_generation: 2,
        company_generation: 2,
        ..another_session(&pass)
    };
    let at = |step: usize| &apps[(number / KINDS.len() + step) % apps.len()];
    let good = async |app: &TestApp, pass: &Pass, given: u64| {
        let visits = client(app, pass).get("/api/count").await.visits();
        match kind {
            Kind::Company => assert_eq!(visits, given, "its counter has only these"),
            _ => numbers.lock().unwrap().push(visits),
        }
    };
    // All of them know the token, and what was revoked so far.
    for step in 0..apps.len() {
        good(at(step), &pass, step as u64 + 1).await;
    }
    at(0).revoke(&[revocation]).await.unwrap();
    let key = number.to_string();
    let visits = (1..2 * apps.len()).map(|step| {
        let (mut client, key) = (client(at(step), &pass), &key);
        async move {
            let headers = [("idempotency-key", key.as_str())];
            let headers = if step % 2 == 0 { &headers[..] } else { &[] };
            client.send(Method::GET, "/api/count", headers, "").await
        }
    });
    for reply in join_all(visits).await {
        assert_eq!(reply.problem(), "invalid_token", "{kind:?} in {number}");
    }
    let mut given = apps.len() as u64;
    for pass in goes_on.iter().chain([&renewed]) {
        given += 1;
        good(at(1), pass, given).await;
    }
}

async fn never_counted(apps: Vec<TestApp>) {
    let rounds = std::env::var("REVOCATION_ROUNDS");
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let (numbers, over) = (Numbers::default(), AtomicBool::new(false));
    let lanes = (0..LANES).map(async |lane| {
        for number in (lane..rounds).step_by(LANES) {
            round(&apps, number, &numbers).await;
        }
    });
    let going = async {
        join_all(lanes).await;
        over.store(true, Ordering::Relaxed);
    };
    futures_util::join!(going, others(&apps, &numbers, &over));
    let mut numbers = numbers.into_inner().unwrap();
    numbers.sort_unstable();
    // Those of replays are not among them: each key was sent once.
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
    let mut anyone = apps[0].client().logged_in().await;
    let total = anyone.get("/api/counters/visits").await.visits();
    assert_eq!(total, numbers.len() as u64);
    for app in &apps {
        let series = "footfall_count_regressions_total";
        assert_eq!(app.metric(series).await, Some(0.0));
        let series = "footfall_visits_uncertain_total";
        assert_eq!(app.metric(series).await, Some(0.0));
        let series = "footfall_revocations_held";
        app.metric_becomes(series, rounds as f64).await;
    }
}

#[tokio::test]
async fn nothing_revoked_is_counted_in_redis() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    never_counted(replicas(3, &redis.url(), &database).await).await;
}

#[tokio::test]
async fn nothing_revoked_is_counted_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut apps = Vec::new();
    for _ in 0..2 {
        apps.push(TestApp::builder().directory(folder.path()).start().await);
    }
    never_counted(apps).await;
}

/// Two requests are one visit, and the token of one of them has been revoked.
#[tokio::test]
async fn of_two_that_share_a_visit_only_the_revoked_is_refused() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let apps = replicas(2, &redis.url(), &database).await;
    let first = pass();
    let sessions: Vec<_> = (0..8).map(|_| another_session(&first)).collect();
    for number in 1..=10 {
        let revoked = another_session(&first);
        apps[0].revoke(&session(&revoked)).await.unwrap();
        let key = format!("shared-{number}");
        // At the same moment, so that they wait together; the revoked one among the others.
        let all = sessions[..4].iter().chain([&revoked]).chain(&sessions[4..]);
        let replies = join_all(all.map(|pass| {
            let mut client = client(&apps[1], pass).with("idempotency-key", &key);
            async move { client.get("/api/count").await }
        }))
        .await;
        let refused: Vec<_> = replies.iter().filter(|reply| reply.status == 401).collect();
        assert_eq!(refused.len(), 1, "{replies:?}");
        assert_eq!(replies[4].status, 401);
        let counted = replies.iter().filter(|reply| reply.status == 200);
        let numbers: Vec<_> = counted.clone().map(|reply| reply.visits()).collect();
        assert_eq!(numbers, [number; 8]);
        assert_eq!(counted.filter(|reply| !reply.replayed()).count(), 1);
    }
}

/// What does not count learns of it by the monitor.
#[tokio::test]
async fn what_does_not_count_is_refused_within_a_second() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let apps = replicas(2, &redis.url(), &database).await;
    let pass = pass();
    let mut reader = client(&apps[1], &pass);
    assert_eq!(reader.get("/api/counters").await.status, 200);
    apps[0].revoke(&session(&pass)).await.unwrap();
    assert_eq!(
        client(&apps[0], &pass).get("/api/counters").await.status,
        401
    );
    until("it is refused", async || {
        (reader.get("/api/counters").await.status == 401).then_some(())
    })
    .await;
    let head = reader.send(Method::HEAD, "/api/count", &[], "").await;
    assert_eq!(head.status, 401);
    let known = "footfall_revocation_known_seconds_bucket{le=\"1\"}";
    assert_eq!(apps[1].metric(known).await, Some(1.0), "it took too long");
}
