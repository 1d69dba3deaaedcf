//! Failed logins in Redis: a counter per subject that expires by itself.

use std::time::Duration;

use futures_util::future::try_join_all;

use super::{Failures, Subject, WINDOW};
use crate::store::{RedisStore, StoreError};

fn key(subject: &Subject) -> String {
    format!("footfall:login:{}", subject.name)
}

pub async fn read(redis: &RedisStore, subjects: &[Subject]) -> Result<Vec<Failures>, StoreError> {
    let reads = subjects.iter().map(async |subject| {
        let key = key(subject);
        let mut read = redis::pipe();
        read.atomic().get(&key).pttl(&key);
        let (count, millis): (Option<i64>, i64) = redis.query(&key, &read).await?;
        let remembered_for = Duration::from_millis(millis.max(0).unsigned_abs());
        if remembered_for > WINDOW {
            // The clock of Redis was set back, and people would be locked out for as long as it was wrong.
            let mut expire = redis::pipe();
            expire.pexpire(&key, WINDOW.as_millis() as i64).ignore();
            redis.query::<()>(&key, &expire).await?;
        }
        Ok(Failures {
            count: count.unwrap_or(0).max(0).unsigned_abs(),
            remembered_for: remembered_for.min(WINDOW),
        })
    });
    try_join_all(reads).await
}

pub async fn record(redis: &RedisStore, subjects: &[Subject]) -> Result<(), StoreError> {
    for subject in subjects {
        let key = key(subject);
        let mut write = redis::pipe();
        // The expiry is set with the key, so that no counter can outlive its window.
        write
            .atomic()
            .cmd("SET")
            .arg(&key)
            .arg(0)
            .arg("NX")
            .arg("PX")
            .arg(WINDOW.as_millis() as u64)
            .ignore()
            .cmd("INCR")
            .arg(&key)
            .ignore();
        redis.query::<()>(&key, &write).await?;
    }
    Ok(())
}
