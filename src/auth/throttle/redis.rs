//! What is limited, in Redis.
//!
//! | key | type | holds |
//! | --- | --- | --- |
//! | `footfall:login:BUCKET` | string | its known failures; expires by itself |
//! | `footfall:attempts:{footfall:login:BUCKET}` | sorted set | its attempts under way, by when they began |
//! | `footfall:limit:BUCKET` | sorted set | the actions of the last window, by when they were done |
//!
//! The braces put both into one slot of a cluster: what is in them is the whole first key. An
//! attempt at an API token is in keys like a login's, since it is counted like one.

use std::time::Duration;

use futures_util::future::try_join_all;
use redis::cmd;

use super::{Bucket, Charge, Excess, Kind, Standing, UNDER_WAY, Verdict};
use crate::storage::{RedisStore, StoreError};

/// The script that charges an attempt.
const CHARGE: &str = include_str!("charge.lua");

/// The script that counts an action.
const COUNT: &str = include_str!("count.lua");

fn key(bucket: &Bucket) -> String {
    format!("footfall:login:{}", bucket.name)
}

fn actions_key(bucket: &Bucket) -> String {
    format!("footfall:limit:{}", bucket.name)
}

fn attempts_key(key: &str) -> String {
    format!("footfall:attempts:{{{key}}}")
}

/// Charges all buckets at once, so that they take one round trip; says why not, if one of them
/// refuses.
pub async fn charge(redis: &RedisStore, charge: &Charge) -> Result<Option<Verdict>, StoreError> {
    let buckets = charge.buckets.iter();
    let standings = buckets.map(|bucket| charge_one(redis, &charge.id, bucket));
    let standings = try_join_all(standings).await?;
    let refusals = charge.buckets.iter().zip(standings);
    let refusals = refusals.filter_map(|(bucket, standing)| standing.refusal(bucket.limit));
    // To be locked says more than to be one of a crowd.
    let refusal = refusals.max_by_key(|refusal| matches!(refusal, Verdict::Locked(_)));
    if refusal.is_some() {
        give_back(redis, charge).await?;
    }
    Ok(refusal)
}

/// Charges one bucket, unless it refuses; how it stood before.
async fn charge_one(redis: &RedisStore, id: &str, bucket: &Bucket) -> Result<Standing, StoreError> {
    let key = key(bucket);
    let mut call = redis::pipe();
    // With its text: logins are rare, and a script that is not loaded is one more round trip.
    call.cmd("EVAL")
        .arg(CHARGE)
        .arg(2)
        .arg(&key)
        .arg(attempts_key(&key))
        .arg(id)
        .arg(bucket.limit)
        .arg(bucket.window.as_millis() as u64)
        .arg(UNDER_WAY.as_millis() as u64);
    let ((failures, under_way, remembered),) = redis.query(&key, &call).await?;
    Ok(Standing {
        failures,
        under_way,
        remembered_for: Duration::from_millis(remembered),
    })
}

/// Ends the attempt for all buckets.
pub async fn settle(
    redis: &RedisStore,
    charge: &Charge,
    succeeded: bool,
) -> Result<(), StoreError> {
    if succeeded {
        return give_back(redis, charge).await;
    }
    for bucket in &charge.buckets {
        let key = key(bucket);
        let mut write = redis::pipe();
        // The expiry is set with the key, so that no counter can outlive its window.
        let first = cmd("SET")
            .arg(&key)
            .arg(0)
            .arg("NX")
            .arg("PX")
            .arg(bucket.window.as_millis() as u64)
            .take();
        write.atomic().add_command(first).ignore();
        write.incr(&key, 1).ignore();
        write.zrem(attempts_key(&key), &charge.id).ignore();
        redis.query::<()>(&key, &write).await?;
    }
    Ok(())
}

async fn give_back(redis: &RedisStore, charge: &Charge) -> Result<(), StoreError> {
    for bucket in &charge.buckets {
        let key = match charge.kind {
            Kind::Guess => attempts_key(&key(bucket)),
            Kind::Action => actions_key(bucket),
        };
        let mut write = redis::pipe();
        write.zrem(&key, &charge.id).ignore();
        redis.query::<()>(&key, &write).await?;
    }
    Ok(())
}

/// Counts an action in one bucket after the other, up to the first that is full.
pub async fn count(
    redis: &RedisStore,
    id: &str,
    buckets: &[Bucket],
) -> Result<Option<Excess>, StoreError> {
    for bucket in buckets {
        let key = actions_key(bucket);
        let mut call = redis::pipe();
        call.cmd("EVAL")
            .arg(COUNT)
            .arg(1)
            .arg(&key)
            .arg(id)
            .arg(bucket.limit)
            .arg(bucket.window.as_millis() as u64);
        let (wait,): (u64,) = redis.query(&key, &call).await?;
        if wait > 0 {
            return Ok(Some(Excess::of(bucket, Duration::from_millis(wait))));
        }
    }
    Ok(None)
}
