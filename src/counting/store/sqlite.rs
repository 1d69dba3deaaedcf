//! Counts in SQLite: one transaction per round, in the tables of `migrations/`.

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};
use tokio::time::timeout;

use super::{Batch, BatchResult, Memory, readable_name};
use crate::{
    counting::{Counted, CounterName, Identity, Page, Tally, identity::IdentityKind},
    storage::{SqliteStore, StoreError, StoreHealth, sql::sqlite::unix_millis},
};

/// Expired identities removed per round. More than a round adds on average, so
/// the table shrinks again; few enough not to be felt.
const PURGE_LIMIT: i64 = 2048;

/// How a batch ended, as [`CounterStore::count`](super::CounterStore::count) gives it.
type BatchOutcome = Result<Option<BatchResult>, StoreError>;

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

/// Counts in an embedded database.
#[derive(Clone)]
pub(super) struct SqliteCounts {
    sqlite: SqliteStore,
    memory: Memory,
}

impl SqliteCounts {
    pub fn new(sqlite: SqliteStore, memory: Memory) -> Self {
        Self { sqlite, memory }
    }

    /// Counts all batches in one transaction, within `limit`.
    pub async fn count(
        &self,
        batches: &[Batch],
        limit: Duration,
        health: &StoreHealth,
    ) -> Vec<BatchOutcome> {
        let committing = AtomicBool::new(false);
        let mut counting = pin!(self.count_within(batches, &committing));
        let early = limit * 7 / 8;
        let counted = match timeout(early, &mut counting).await {
            Ok(counted) => counted,
            Err(_) if committing.load(Ordering::Relaxed) => timeout(limit - early, counting)
                .await
                .unwrap_or(Err(StoreError::Timeout)),
            // What has not come to its COMMIT is rolled back. The visits wait for `limit` as well, and
            // began before: told only then, it would come too late for them.
            Err(_) => Err(StoreError::Unavailable(
                "it could not be written to within the time limit".to_owned(),
            )),
        };
        let results = counted.unwrap_or_else(|error| vec![Err(error); batches.len()]);
        for (batch, result) in batches.iter().zip(&results) {
            health.refusals.note(|| batch.counter.to_string(), result);
        }
        results
    }

    async fn count_within(
        &self,
        batches: &[Batch],
        committing: &AtomicBool,
    ) -> Result<Vec<BatchOutcome>, StoreError> {
        match self.transact(batches, false, committing).await {
            // One counter that is refused must not take the others' visits with it.
            Err(StoreError::Refused(_)) if batches.len() > 1 => {
                self.transact(batches, true, committing).await
            }
            done => done,
        }
    }

    /// One transaction. With `apart` a counter that is refused is left out, at
    /// the cost of a savepoint for each.
    async fn transact(
        &self,
        batches: &[Batch],
        apart: bool,
        committing: &AtomicBool,
    ) -> Result<Vec<BatchOutcome>, StoreError> {
        let mut writer = self.sqlite.writer().await?;
        let mut transaction = writer.begin().await?;
        let now = unix_millis();
        // First, since what has expired must not take the room of new identities.
        if batches.iter().any(|batch| !batch.identities.is_empty()) {
            purge(&mut transaction, now).await?;
        }
        let mut results = Vec::with_capacity(batches.len());
        for batch in batches {
            results.push(match apart {
                false => Ok(self.count_batch(&mut transaction, batch, now).await?),
                true => self.count_apart(&mut transaction, batch, now).await?,
            });
        }
        committing.store(true, Ordering::Relaxed);
        transaction.commit().await.map_err(StoreError::of_commit)?;
        Ok(results)
    }

    async fn count_apart(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        batch: &Batch,
        now: i64,
    ) -> Result<BatchOutcome, StoreError> {
        let mut savepoint = transaction.begin().await?;
        match self.count_batch(&mut savepoint, batch, now).await {
            Ok(result) => {
                savepoint.commit().await?;
                Ok(Ok(result))
            }
            Err(StoreError::Refused(reason)) => {
                savepoint.rollback().await?;
                Ok(Err(StoreError::Refused(reason)))
            }
            Err(error) => Err(error),
        }
    }

    /// Writes to every table that counting writes to, and leaves nothing but
    /// an identity that has expired already.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let counter = CounterName::probe(uuid::Uuid::nil(), 0);
        let identity = Identity::new(IdentityKind::Request, "", b"");
        let mut writer = self.sqlite.writer().await?;
        let mut transaction = writer.begin().await?;
        for statement in [
            "INSERT INTO counters (name, visits) VALUES (?, 1)",
            "UPDATE counters SET visits = visits + 1 WHERE name = ?",
            "DELETE FROM counters WHERE name = ?",
        ] {
            let statement = sqlx::query(statement).bind(counter.as_str());
            statement.execute(&mut *transaction).await?;
        }
        remember(&mut transaction, &counter, &identity, 0, unix_millis()).await?;
        transaction.commit().await.map_err(StoreError::of_commit)
    }

    async fn count_batch(
        &self,
        db: &mut SqliteConnection,
        batch: &Batch,
        now: i64,
    ) -> Result<Option<BatchResult>, StoreError> {
        let mut known = Vec::with_capacity(batch.identities.len());
        for identity in &batch.identities {
            known.push(remembered(db, &batch.counter, identity, now).await?);
        }
        let mut room = [
            self.room(db, batch, IdentityKind::Request).await?,
            self.room(db, batch, IdentityKind::Key).await?,
        ];
        let mut fresh = Vec::new();
        for (position, identity) in batch.identities.iter().enumerate() {
            let room = &mut room[identity.kind as usize];
            if known[position].is_none() && *room > 0 {
                *room -= 1;
                fresh.push(position);
            }
        }
        let total = batch.anonymous + fresh.len() as u64;
        let first = match total {
            0 => 0,
            _ => match self.add(db, &batch.counter, total).await? {
                Some(last) => last + 1 - total,
                None => return Ok(None),
            },
        };
        for (number, position) in (first + batch.anonymous..).zip(fresh) {
            let identity = &batch.identities[position];
            let window = self.memory.window(identity.kind).as_millis() as i64;
            remember(db, &batch.counter, identity, number, now + window).await?;
            known[position] = Some(Counted {
                number,
                replayed: false,
            });
        }
        let identified = self.or_room_in(db, batch, known, now).await?;
        Ok(Some(BatchResult { first, identified }))
    }

    /// For those that were not counted, how long it is until there is room.
    async fn or_room_in(
        &self,
        db: &mut SqliteConnection,
        batch: &Batch,
        counted: Vec<Option<Counted>>,
        now: i64,
    ) -> Result<Vec<Result<Counted, Duration>>, StoreError> {
        let mut waits = [None; 2];
        let mut identified = Vec::with_capacity(counted.len());
        for (counted, identity) in counted.into_iter().zip(&batch.identities) {
            let wait = &mut waits[identity.kind as usize];
            if counted.is_none() && wait.is_none() {
                *wait = Some(self.room_in(db, batch, identity.kind, now).await?);
            }
            identified.push(counted.ok_or(wait.unwrap_or_default()));
        }
        Ok(identified)
    }

    /// The number of the last visit; `None` if the counter is new and there is
    /// no room for it.
    async fn add(
        &self,
        db: &mut SqliteConnection,
        counter: &CounterName,
        visits: u64,
    ) -> Result<Option<u64>, StoreError> {
        let known: Option<i64> = sqlx::query_scalar(
            "UPDATE counters SET visits = visits + ? WHERE name = ? RETURNING visits",
        )
        .bind(visits as i64)
        .bind(counter.as_str())
        .fetch_optional(&mut *db)
        .await?;
        if let Some(total) = known {
            return Ok(Some(total.unsigned_abs()));
        }
        let created: Option<i64> = sqlx::query_scalar(
            "INSERT INTO counters (name, visits)
             SELECT ?, ? FROM counter_total WHERE counters < ? RETURNING visits",
        )
        .bind(counter.as_str())
        .bind(visits as i64)
        .bind(self.memory.counters_before(counter))
        .fetch_optional(db)
        .await?;
        Ok(created.map(i64::unsigned_abs))
    }

    /// How many more identities of a kind the counter may remember.
    async fn room(
        &self,
        db: &mut SqliteConnection,
        batch: &Batch,
        kind: IdentityKind,
    ) -> Result<u64, StoreError> {
        if !batch
            .identities
            .iter()
            .any(|identity| identity.kind == kind)
        {
            return Ok(0);
        }
        if self.disk_is_full(db, kind).await? {
            return Ok(0);
        }
        let remembered: Option<i64> = sqlx::query_scalar(
            "SELECT remembered FROM identity_totals WHERE counter = ? AND kind = ?",
        )
        .bind(batch.counter.as_str())
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

    /// How long it is until there is room for another identity of a kind.
    async fn room_in(
        &self,
        db: &mut SqliteConnection,
        batch: &Batch,
        kind: IdentityKind,
        now: i64,
    ) -> Result<Duration, StoreError> {
        let of_counter: Option<i64> = sqlx::query_scalar(
            "SELECT min(expires_at) FROM
             (SELECT expires_at FROM identities WHERE counter = ? AND kind = ? LIMIT ?)",
        )
        .bind(batch.counter.as_str())
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

    pub async fn get(&self, counter: &CounterName) -> Result<Option<u64>, StoreError> {
        let visits: Option<i64> = sqlx::query_scalar("SELECT visits FROM counters WHERE name = ?")
            .bind(counter.as_str())
            .fetch_optional(self.sqlite.reader())
            .await?;
        Ok(visits.map(i64::unsigned_abs))
    }

    pub async fn list(
        &self,
        after: Option<&CounterName>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut counters = self.tallies(after, limit + 1).await?;
        let more = counters.len() > limit;
        counters.truncate(limit);
        let next = counters
            .last()
            .filter(|_| more)
            .map(|tally| tally.name.clone());
        Ok(Page { counters, next })
    }

    /// So many counters, or all that are left. What has no name a counter can have
    /// does not count: it would end the list.
    async fn tallies(
        &self,
        after: Option<&CounterName>,
        wanted: usize,
    ) -> Result<Vec<Tally>, StoreError> {
        let mut from = after.map_or("", CounterName::as_str).as_bytes().to_vec();
        let mut counters = Vec::new();
        loop {
            let missing = wanted - counters.len();
            // Bytes, since what is no name may be no text either.
            let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(
                "SELECT CAST(name AS BLOB), visits FROM counters
                 WHERE name > CAST(? AS TEXT) ORDER BY name LIMIT ?",
            )
            .bind(&from)
            .bind(missing as i64)
            .fetch_all(self.sqlite.reader())
            .await?;
            counters.extend(rows.iter().filter_map(|(name, visits)| {
                let (name, visits) = (readable_name(name)?, visits.unsigned_abs());
                Some(Tally { name, visits })
            }));
            match rows.last() {
                Some((last, _)) if rows.len() == missing && counters.len() < wanted => {
                    from.clone_from(last);
                }
                _ => return Ok(counters),
            }
        }
    }
}

async fn remembered(
    db: &mut SqliteConnection,
    counter: &CounterName,
    identity: &Identity,
    now: i64,
) -> Result<Option<Counted>, StoreError> {
    let number: Option<i64> = sqlx::query_scalar(
        "SELECT number FROM identities WHERE counter = ? AND kind = ? AND digest = ? AND expires_at > ?",
    )
    .bind(counter.as_str())
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
async fn remember(
    db: &mut SqliteConnection,
    counter: &CounterName,
    identity: &Identity,
    number: u64,
    expires_at: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO identities (counter, kind, digest, number, expires_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET number = excluded.number, expires_at = excluded.expires_at",
    )
    .bind(counter.as_str())
    .bind(identity.kind as i64)
    .bind(&identity.digest[..])
    .bind(number as i64)
    .bind(expires_at)
    .execute(db)
    .await?;
    Ok(())
}

async fn purge(db: &mut SqliteConnection, now: i64) -> Result<(), StoreError> {
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
