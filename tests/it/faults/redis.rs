//! What can happen to a Redis.

use rustix::process::Signal;

use super::scenario::{Effect, Fault, from_the_start, start, under_load};
use crate::support::{Footfall, Redis, footfall::Builder};

fn service(redis: &Redis) -> Builder {
    Footfall::builder().env("REDIS_URL", redis.url())
}

async fn happens_under_load(fault: Fault<Redis>) {
    let redis = Redis::start();
    let service = service(&redis);
    under_load(fault, redis, start(service)).await;
}

async fn has_happened_at_the_start(fault: Fault<Redis>) {
    let redis = Redis::start();
    let service = service(&redis);
    from_the_start(fault, redis, service).await;
}

const KILLED: Fault<Redis> = Fault {
    inject: Redis::kill,
    mend: Redis::restart,
    effect: Effect::Outage,
};

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load() {
    happens_under_load(KILLED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_at_the_start() {
    has_happened_at_the_start(KILLED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped() {
    happens_under_load(Fault {
        inject: Redis::stop,
        mend: Redis::restart,
        effect: Effect::Outage,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted() {
    happens_under_load(Fault {
        inject: |redis| {
            redis.stop();
            redis.restart();
        },
        mend: |_| {},
        effect: Effect::Hiccup,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hung() {
    happens_under_load(Fault {
        inject: |redis| redis.signal(Signal::STOP),
        mend: |redis| redis.signal(Signal::CONT),
        effect: Effect::Outage,
    })
    .await;
}

const PASSWORD_CHANGED: Fault<Redis> = Fault {
    inject: |redis| {
        redis.told("ACL SETUSER clerk resetpass >another");
        redis.command("CLIENT KILL USER clerk");
    },
    mend: |redis| redis.told("ACL SETUSER clerk resetpass >hidden"),
    effect: Effect::Outage,
};

/// A Redis with a password, and a service that knows it.
fn with_password() -> (Redis, Builder) {
    let redis = Redis::start();
    redis.told("ACL SETUSER clerk on >hidden ~* +@all");
    let url = redis.url().replace("redis://", "redis://clerk:hidden@");
    (redis, Footfall::builder().env("REDIS_URL", url))
}

#[tokio::test(flavor = "multi_thread")]
async fn its_password_changed() {
    let (redis, service) = with_password();
    under_load(PASSWORD_CHANGED, redis, start(service)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_at_the_start() {
    let (redis, service) = with_password();
    from_the_start(PASSWORD_CHANGED, redis, service).await;
}

const FULL: Fault<Redis> = Fault {
    inject: |redis| redis.told("CONFIG SET maxmemory 1"),
    mend: |redis| redis.told("CONFIG SET maxmemory 0"),
    effect: Effect::Outage,
};

#[tokio::test(flavor = "multi_thread")]
async fn full() {
    happens_under_load(FULL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_at_the_start() {
    has_happened_at_the_start(FULL).await;
}

const READ_ONLY: Fault<Redis> = Fault {
    // Port 1: no master is there, and none is needed.
    inject: |redis| redis.told("REPLICAOF 127.0.0.1 1"),
    mend: |redis| redis.told("REPLICAOF NO ONE"),
    effect: Effect::Outage,
};

#[tokio::test(flavor = "multi_thread")]
async fn made_a_replica() {
    happens_under_load(READ_ONLY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_at_the_start() {
    has_happened_at_the_start(READ_ONLY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn used_by_a_newer_version() {
    happens_under_load(Fault {
        inject: |redis| redis.told("SET footfall:schema 99"),
        mend: |redis| redis.told("SET footfall:schema 1"),
        effect: Effect::Outage,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_scripts_forgotten() {
    happens_under_load(Fault {
        inject: |redis| redis.told("SCRIPT FLUSH"),
        mend: |_| {},
        effect: Effect::Nothing,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_clients_killed() {
    happens_under_load(Fault {
        inject: |redis| {
            redis.command("CLIENT KILL TYPE normal");
        },
        mend: |_| {},
        effect: Effect::Hiccup,
    })
    .await;
}
