//! What a Redis has lost is not lost: the database has it, and what counts looks there when it comes
//! to another Redis.

use std::time::Instant;

use rustix::process::Signal;

use super::*;
use crate::support::{eventually, process::PATIENCE, sentinels::Sentinels};

/// A crash that takes the last writes along, as without an append-only file: the epoch is again the
/// one that the other replicas know.
#[tokio::test]
async fn a_redis_that_has_lost_its_last_writes() {
    let mut redis = Redis::with(&["--appendonly", "no", "--save", ""]);
    let database = postgres::Database::migrated();
    let apps = replicas(3, &redis.url(), &database).await;
    for round in 0..3 {
        let (before, after, good) = (pass(), pass(), pass());
        apps[0].revoke(&session(&before)).await.unwrap();
        for app in &apps {
            assert!(count(&mut client(app, &good)).await.is_some());
            assert!(count(&mut client(app, &after)).await.is_some());
        }
        redis.told("SAVE");
        apps[0].revoke(&session(&after)).await.unwrap();
        redis.restart();
        for (index, app) in apps.iter().enumerate().rev() {
            for pass in [&after, &before] {
                let counted = count(&mut client(app, pass)).await;
                assert_eq!(counted, None, "{round}: replica {index} counted it");
            }
            assert!(count(&mut client(app, &good)).await.is_some());
        }
    }
}

/// The replicas of Redis hang while it is revoked, so the next master cannot know of it; and whoever
/// knew of it is gone before they can tell.
#[tokio::test]
async fn a_master_that_dies_with_what_its_replicas_lack() {
    let mut sentinels = Sentinels::start();
    let database = postgres::Database::migrated();
    let mut apps = replicas(3, &sentinels.url(), &database).await;
    let (revoked, good) = (pass(), pass());
    let earlier = pass();
    apps[0].revoke(&session(&earlier)).await.unwrap();
    for app in &apps {
        assert!(count(&mut client(app, &revoked)).await.is_some());
    }
    sentinels.follow(2);
    for replica in &sentinels.servers[1..] {
        replica.signal(Signal::STOP);
    }
    // Once the sentinels say that they are down.
    acknowledged(&apps[0], &revoked).await;
    sentinels.servers[0].kill();
    apps.clear();
    for replica in &sentinels.servers[1..] {
        replica.signal(Signal::CONT);
    }
    eventually("another is the master", || {
        (sentinels.master() != 0).then_some(())
    });
    apps = replicas(2, &sentinels.url(), &database).await;
    for app in &apps {
        for pass in [&revoked, &earlier] {
            assert_eq!(count(&mut client(app, pass)).await, None);
        }
        assert!(count(&mut client(app, &good)).await.is_some());
    }
    let master = &sentinels.servers[sentinels.master()];
    let history = master.command("ZRANGEBYLEX footfall:revocations - +");
    for pass in [&revoked, &earlier] {
        let id = pass.session.simple().to_string();
        assert!(history.contains(&id), "it is published again: {history}");
    }
}

/// The planned kind, while sessions end: before it, all through it, and when all have followed.
#[tokio::test]
async fn masters_that_change_by_plan() {
    let sentinels = Sentinels::start();
    let database = postgres::Database::migrated();
    let apps = replicas(2, &sentinels.url(), &database).await;
    let (mut passes, mut rounds_after) = (Vec::new(), 0);
    let begun = Instant::now();
    while rounds_after < 50 {
        assert!(begun.elapsed() < 2 * PATIENCE, "no other master");
        if passes.len() == 10 {
            sentinels.switch();
        }
        let number = passes.len();
        let (revoking, counting) = (&apps[number % 2], &apps[(number + 1) % 2]);
        let pass = pass();
        assert!(count(&mut client(counting, &pass)).await.is_some());
        acknowledged(revoking, &pass).await;
        let counted = count(&mut client(counting, &pass)).await;
        assert_eq!(counted, None, "{number}, {rounds_after} after the switch");
        passes.push(pass);
        rounds_after += usize::from(sentinels.master() != 0);
    }
    for pass in &passes {
        for app in &apps {
            assert_eq!(count(&mut client(app, pass)).await, None);
        }
    }
}

/// Without the database visits are counted on, whatever Redis does.
#[tokio::test]
async fn a_database_that_is_away_keeps_no_visit_waiting() {
    let mut redis = Redis::start();
    let mut server = postgres::Postgres::start();
    let url = server.url("migrated");
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", url)
        .start()
        .await;
    app.metric_becomes("footfall_database_up", 1.0).await;
    let (revoked, good) = (pass(), pass());
    app.revoke(&session(&revoked)).await.unwrap();
    server.kill();
    app.metric_becomes("footfall_database_up", 0.0).await;
    redis.restart();
    assert!(count(&mut client(&app, &good)).await.is_some());
    assert_eq!(count(&mut client(&app, &revoked)).await, None);
    // What another replica has noted meanwhile, and Redis has lost, is found when it is back.
    redis.command("ZREMRANGEBYSCORE footfall:revocations 0 0");
    redis.command("SET footfall:epoch:{footfall:revocations} lost");
    until("it is published again", async || {
        let history = redis.command("ZRANGEBYLEX footfall:revocations - +");
        history
            .contains(&revoked.session.simple().to_string())
            .then_some(())
    })
    .await;
    server.restart();
    app.metric_becomes("footfall_database_up", 1.0).await;
    app.revoke(&session(&good)).await.unwrap();
    assert_eq!(count(&mut client(&app, &good)).await, None);
}
