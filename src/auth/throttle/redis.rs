//! Failed logins in Redis: a counter per subject that expires by itself.

use std::time::Duration;

use super::{Failures, Subject, WINDOW};
use crate::store::{RedisStore, StoreError};

fn key(subject: &Subject) -> String {
    format!("footfall:login:{}", subject.name)
}

pub async fn read(redis: &RedisStore, subjects: &[Subject]) -> Result<Vec<Failures>, StoreError> {
    let mut pipeline = redis::pipe();
    for subject in subjects {
        let key = key(subject);
        pipeline.get(&key).pttl(&key);
    }
    let mut connection = redis.connection().await?;
    let found: Vec<Option<i64>> = pipeline.query_async(&mut connection).await?;
    let failures = |pair: &[Option<i64>]| Failures {
        count: pair[0].unwrap_or(0).max(0).unsigned_abs(),
        remembered_for: Duration::from_millis(pair[1].unwrap_or(0).max(0).unsigned_abs()),
    };
    let mut found: Vec<Failures> = found.chunks_exact(2).map(failures).collect();
    for (subject, failures) in subjects.iter().zip(&mut found) {
        // The clock of Redis was set back, and people would be locked out for as long as it was wrong.
        if failures.remembered_for > WINDOW {
            failures.remembered_for = WINDOW;
            let _: () = redis::cmd("PEXPIRE")
                .arg(key(subject))
                .arg(WINDOW.as_millis() as u64)
                .query_async(&mut connection)
                .await?;
        }
    }
    Ok(found)
}

pub async fn record(redis: &RedisStore, subjects: &[Subject]) -> Result<(), StoreError> {
    let mut connection = redis.connection().await?;
    for subject in subjects {
        let key = key(subject);
        // The expiry is set with the key, so that no counter can outlive its window.
        let _: () = redis::pipe()
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
            .ignore()
            .query_async(&mut connection)
            .await?;
    }
    Ok(())
}
