//! Identities. Those of all companies are in one table: each is of one counter, and a counter's text
//! names its company.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::SqliteCounts;
use crate::{
    counting::{Batch, Counted, Identity, NotCounted, identity::IdentityKind},
    storage::StoreError,
};

/// Expired identities removed per round. More than a round adds on average, so
/// the table shrinks again; few enough not to be felt.
const PURGE_LIMIT: i64 = 2048;

/// Bytes of the disk that `Idempotency-Key`s leave free. A proxy's request ids, which are soon
/// forgotten, leave half of that, and the rest is for visits without identity: at least what the
/// write-ahead log takes.
const KEYS_LEAVE: u64 = 64 << 20;

/// Of a small disk they leave this part, one in so many.
const KEYS_LEAVE_PART: u64 = 8;

/// With less than this nobody has room. That is found by writing, and the store is away then.
const NOTHING_LEFT: u64 = 64 << 10;

/// Identities that are looked at to tell when the first of them expires: chance has chosen them,
/// since their order is that of a hash.
const SAMPLE: i64 = 1000;

/// How many more identities of each kind a counter may remember, and when there is room for more.
pub struct Room<'a> {
    counter: &'a str,
    now: i64,
    left: [u64; 2],
    /// Found out at most once.
    room_in: [Option<Duration>; 2],
}

impl<'a> Room<'a> {
    /// That of the counter of a batch.
    pub async fn of(
        counts: &SqliteCounts,
        db: &mut SqliteConnection,
        batch: &Batch,
        counter: &'a str,
        now: i64,
    ) -> Result<Self, StoreError> {
        let mut left = [0; 2];
        for kind in [IdentityKind::Request, IdentityKind::Key] {
            if batch.identities().any(|identity| identity.kind == kind) {
                left[kind as usize] = counts.room(db, counter, kind).await?;
            }
        }
        Ok(Self {
            counter,
            now,
            left,
            room_in: [None; 2],
        })
    }

    /// Takes room for one more; why not, if there is none.
    pub async fn take(
        &mut self,
        db: &mut SqliteConnection,
        kind: IdentityKind,
    ) -> Result<Option<NotCounted>, StoreError> {
        let left = &mut self.left[kind as usize];
        if *left > 0 {
            *left -= 1;
            return Ok(None);
        }
        let known = &mut self.room_in[kind as usize];
        let room_in = match *known {
            Some(room_in) => room_in,
            None => *known.insert(room_in(db, self.counter, kind, self.now).await?),
        };
        Ok(Some(NotCounted::IdentitiesFull(room_in)))
    }
}

impl SqliteCounts {
    /// How many more identities of a kind the counter may remember.
    async fn room(
        &self,
        db: &mut SqliteConnection,
        counter: &str,
        kind: IdentityKind,
    ) -> Result<u64, StoreError> {
        if self.disk_is_full(db, kind).await? {
            return Ok(0);
        }
        let remembered: Option<i64> = sqlx::query_scalar(
            "SELECT remembered FROM identity_totals WHERE counter = ? AND kind = ?",
        )
        .bind(counter)
        .bind(kind as i64)
        .fetch_optional(db)
        .await?;
        Ok(self
            .memory
            .identities
            .saturating_sub(remembered.unwrap_or(0).unsigned_abs()))
    }

    /// Whether more identities of a kind could leave no room for visits without one. All counters
    /// share the disk, so this bounds them together.
    async fn disk_is_full(
        &self,
        db: &mut SqliteConnection,
        kind: IdentityKind,
    ) -> Result<bool, StoreError> {
        let Some(disk) = self.sqlite.disk() else {
            return Ok(false);
        };
        let keys_leave = KEYS_LEAVE.min(disk.size / KEYS_LEAVE_PART);
        let leave = match kind {
            IdentityKind::Request => keys_leave / 2,
            IdentityKind::Key => keys_leave,
        };
        if disk.free >= leave || disk.free < NOTHING_LEFT {
            return Ok(false);
        }
        // What was freed in the file is used again, and never given back to the disk.
        let reusable: i64 = sqlx::query_scalar(
            "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size",
        )
        .fetch_one(db)
        .await?;
        Ok(disk.free + reusable.unsigned_abs() < leave)
    }
}

/// How long it is until there is room for another identity of a kind.
async fn room_in(
    db: &mut SqliteConnection,
    counter: &str,
    kind: IdentityKind,
    now: i64,
) -> Result<Duration, StoreError> {
    let of_counter: Option<i64> = sqlx::query_scalar(
        "SELECT min(expires_at) FROM
         (SELECT expires_at FROM identities WHERE counter = ? AND kind = ? LIMIT ?)",
    )
    .bind(counter)
    .bind(kind as i64)
    .bind(SAMPLE)
    .fetch_one(&mut *db)
    .await?;
    let first = match of_counter {
        Some(first) => Some(first),
        // Others have filled the disk.
        None => {
            sqlx::query_scalar("SELECT min(expires_at) FROM identities")
                .fetch_one(db)
                .await?
        }
    };
    let millis = first.map_or(0, |first| (first - now).max(0).unsigned_abs());
    Ok(Duration::from_millis(millis))
}

/// What a visit of this identity was given before.
pub async fn remembered(
    db: &mut SqliteConnection,
    counter: &str,
    identity: &Identity,
    now: i64,
) -> Result<Option<Counted>, StoreError> {
    let number: Option<i64> = sqlx::query_scalar(
        "SELECT number FROM identities WHERE counter = ? AND kind = ? AND digest = ? AND expires_at > ?",
    )
    .bind(counter)
    .bind(identity.kind as i64)
    .bind(&identity.digest[..])
    .bind(now)
    .fetch_optional(db)
    .await?;
    Ok(number.map(|number| Counted {
        number: number.unsigned_abs(),
        replayed: true,
    }))
}

/// The identity may be there still, expired and not yet purged.
pub async fn remember(
    db: &mut SqliteConnection,
    counter: &str,
    identity: &Identity,
    number: u64,
    expires_at: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO identities (counter, kind, digest, number, expires_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET number = excluded.number, expires_at = excluded.expires_at",
    )
    .bind(counter)
    .bind(identity.kind as i64)
    .bind(&identity.digest[..])
    .bind(number as i64)
    .bind(expires_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Removes some of what has expired.
pub async fn purge(db: &mut SqliteConnection, now: i64) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM identities WHERE (counter, kind, digest) IN
         (SELECT counter, kind, digest FROM identities WHERE expires_at <= ? LIMIT ?)",
    )
    .bind(now)
    .bind(PURGE_LIMIT)
    .execute(db)
    .await?;
    Ok(())
}
