//! Failed logins in Redis.
//!
//! | key | type | holds |
//! | --- | --- | --- |
//! | `footfall:login:SUBJECT` | string | its known failures; expires by itself |
//! | `footfall:attempts:{footfall:login:SUBJECT}` | sorted set | its attempts under way, by when they began |
//!
//! The braces put both into one slot of a cluster: what is in them is the whole first key.

use std::time::Duration;

use futures_util::future::try_join_all;
use redis::{Pipeline, cmd};

use super::{Charge, Standing, Subject, UNDER_WAY, Verdict, WINDOW};
use crate::storage::{RedisStore, StoreError};

/// The script that charges an attempt.
const CHARGE: &str = include_str!("charge.lua");

fn key(subject: &Subject) -> String {
    format!("footfall:login:{}", subject.name)
}

fn attempts_key(key: &str) -> String {
    format!("footfall:attempts:{{{key}}}")
}

/// Charges all subjects at once, so that they take one round trip; says why not, if one of them
/// refuses.
pub async fn charge(redis: &RedisStore, charge: &Charge) -> Result<Option<Verdict>, StoreError> {
    let subjects = charge.subjects.iter();
    let standings = subjects.map(|subject| charge_one(redis, &charge.id, subject));
    let standings = try_join_all(standings).await?;
    let refusals = charge.subjects.iter().zip(standings);
    let refusals = refusals.filter_map(|(subject, standing)| standing.refusal(subject.limit));
    // To be locked says more than to be one of a crowd.
    let refusal = refusals.max_by_key(|refusal| matches!(refusal, Verdict::Locked(_)));
    if refusal.is_some() {
        give_back(redis, &charge.id, &charge.subjects).await?;
    }
    Ok(refusal)
}

/// Charges one subject, unless it refuses; how it stood before.
async fn charge_one(
    redis: &RedisStore,
    id: &str,
    subject: &Subject,
) -> Result<Standing, StoreError> {
    let key = key(subject);
    let mut call = redis::pipe();
    // With its text: logins are rare, and a script that is not loaded is one more round trip.
    call.cmd("EVAL")
        .arg(CHARGE)
        .arg(2)
        .arg(&key)
        .arg(attempts_key(&key))
        .arg(id)
        .arg(subject.limit)
        .arg(WINDOW.as_millis() as u64)
        .arg(UNDER_WAY.as_millis() as u64);
    let ((failures, under_way, remembered),) = redis.query(&key, &call).await?;
    Ok(Standing {
        failures,
        under_way,
        remembered_for: Duration::from_millis(remembered),
    })
}

/// Ends the attempt for all subjects.
pub async fn settle(
    redis: &RedisStore,
    charge: &Charge,
    succeeded: bool,
) -> Result<(), StoreError> {
    if succeeded {
        return give_back(redis, &charge.id, &charge.subjects).await;
    }
    for subject in &charge.subjects {
        let key = key(subject);
        let mut write = redis::pipe();
        // The expiry is set with the key, so that no counter can outlive its window.
        let first = cmd("SET")
            .arg(&key)
            .arg(0)
            .arg("NX")
            .arg("PX")
            .arg(WINDOW.as_millis() as u64)
            .take();
        write.atomic().add_command(first).ignore();
        write.incr(&key, 1).ignore();
        forget(&mut write, &key, &charge.id);
        redis.query::<()>(&key, &write).await?;
    }
    Ok(())
}

async fn give_back(redis: &RedisStore, id: &str, subjects: &[Subject]) -> Result<(), StoreError> {
    for subject in subjects {
        let key = key(subject);
        let mut write = redis::pipe();
        forget(&mut write, &key, id);
        redis.query::<()>(&key, &write).await?;
    }
    Ok(())
}

fn forget(write: &mut Pipeline, key: &str, id: &str) {
    write.zrem(attempts_key(key), id).ignore();
}
