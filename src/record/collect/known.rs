//! All write keys, in the memory of each replica: pages send visits without anybody asking the database,
//! also while it is away.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use uuid::Uuid;

use super::{
    budget::Budget,
    key::is_well_formed,
    metrics::CollectMetrics,
    table::{self, Living},
};
use crate::{
    auth::revocation::{Pass, Revocations},
    company::Company,
    counting::CounterName,
    edge::{Code, Problem},
    storage::sql::{Database, DatabaseError},
};

/// The time between two looks whether a key was made or ended: so long a new one may be unknown to
/// other replicas. One that was ended stops before, with the revocation of its pass.
const PERIOD: Duration = Duration::from_secs(1);

/// All keys are read after this time also if none has changed: a company may be let in again.
const READ_ALL: Duration = Duration::from_secs(10);

/// For so long what was read is taken for all there is. Longer than a look may take that succeeds.
const CURRENT: Duration = Duration::from_secs(5);

/// A write key as it is shown by pages.
#[derive(Debug)]
pub struct WriteKey {
    /// Its id as text: identities of its visits are apart from all others by it.
    pub subject: String,
    /// Whose counters it is for.
    pub company: Company,
    /// These of them; the first is that of visits that name none.
    pub counters: Vec<CounterName>,
    /// What makes its visits end with it.
    pub pass: Arc<Pass>,
    /// How much it may send.
    pub budget: Budget,
    origins: Vec<String>,
}

impl WriteKey {
    fn new(row: Living) -> Self {
        // As those of an API token, of which it is the owner itself.
        let pass = Pass {
            session: row.id,
            user: row.id,
            user_generation: 1,
            company: row.company,
            company_generation: row.company_generation,
        };
        let names = row.counters.split(' ');
        Self {
            subject: row.id.to_string(),
            company: Company::from(row.company),
            counters: names.filter_map(|name| name.parse().ok()).collect(),
            pass: Arc::new(pass),
            budget: Budget::new(u32::try_from(row.rate).unwrap_or(u32::MAX)),
            origins: row.origins.split(' ').map(ToOwned::to_owned).collect(),
        }
    }

    /// Whether pages of this origin may show it.
    pub fn admits(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| known == origin)
    }
}

/// All write keys that are good, for all threads of a process.
pub struct WriteKeys {
    database: Option<Database>,
    known: RwLock<Known>,
    news: Notify,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<WriteKey>>,
    epoch: Option<i64>,
    /// When all of them were read last.
    read: Option<Instant>,
    /// When it was last found that nothing has changed, unless it could not be found out since.
    looked: Option<Instant>,
}

impl WriteKeys {
    /// Those of this database, of which none is known yet.
    pub fn new(database: Option<Database>) -> Self {
        Self {
            database,
            known: RwLock::default(),
            news: Notify::new(),
        }
    }

    /// A key that a page shows.
    ///
    /// # Errors
    ///
    /// `invalid_write_key`; while that cannot be known, `database_unavailable`; without a database
    /// `no_database`.
    pub fn find(&self, key: &str, revocations: &Revocations) -> Result<Arc<WriteKey>, Problem> {
        if self.database.is_none() {
            return Err(Code::NoDatabase.into());
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match known.keys.get(key) {
            Some(key) if !revocations.is_revoked(&key.pass) => Ok(key.clone()),
            Some(_) => Err(Code::InvalidWriteKey.into()),
            None if is_well_formed(key) && !known.is_current() => {
                Err(Problem::from(Code::DatabaseUnavailable).with_detail(
                    "The database cannot be reached, and this replica does not know this write key yet. Nothing was counted; try again.",
                ))
            }
            None => Err(Code::InvalidWriteKey.into()),
        }
    }

    /// Has all keys read that were changed here.
    pub fn wake(&self) {
        self.news.notify_one();
    }

    /// Reads what has changed, for as long as the process runs.
    pub async fn run(self: Arc<Self>, revocations: Revocations, metrics: Arc<CollectMetrics>) {
        loop {
            let looked = self.look().await;
            self.note(looked, &revocations);
            let count = self.with(|known| known.keys.len());
            metrics.keys.set(i64::try_from(count).unwrap_or(i64::MAX));
            // It has passed, or somebody has news.
            let _ = timeout(PERIOD, self.news.notified()).await;
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.known.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The epoch, and all keys if it is a new one.
    async fn look(&self) -> Result<Option<(i64, Vec<Living>)>, DatabaseError> {
        let Some(database) = &self.database else {
            return std::future::pending().await;
        };
        let known = self.with(|known| known.epoch.filter(|_| known.read.is_some_and(is_recent)));
        let reading = database.read("write_keys", move |connection| {
            Box::pin(async move {
                let epoch = table::epoch(connection).await?;
                Ok(match known == Some(epoch) {
                    true => None,
                    false => Some((epoch, table::living(connection).await?)),
                })
            })
        });
        reading.await
    }

    fn note(
        &self,
        looked: Result<Option<(i64, Vec<Living>)>, DatabaseError>,
        revocations: &Revocations,
    ) {
        let now = Instant::now();
        self.with(|known| {
            match looked {
                Ok(None) => known.looked = Some(now),
                Ok(Some((epoch, rows))) => known.take(epoch, rows, now),
                Err(error) => {
                    known.looked = None;
                    tracing::debug!(%error, "what write keys there are could not be read");
                }
            }
            // Revocations are known for an hour, and keys for as long as the database is away.
            known
                .keys
                .retain(|_, key| !revocations.is_revoked(&key.pass));
        });
    }
}

fn is_recent(read: Instant) -> bool {
    read.elapsed() < READ_ALL
}

impl Known {
    fn is_current(&self) -> bool {
        self.looked.is_some_and(|looked| looked.elapsed() < CURRENT)
    }

    /// Those that were known stay the same ones: what they have sent is not forgotten.
    fn take(&mut self, epoch: i64, rows: Vec<Living>, now: Instant) {
        let mut before = std::mem::take(&mut self.keys);
        let keys = rows.into_iter().map(|row| {
            let same = |key: &Arc<WriteKey>| is_of(key, row.id, row.company_generation);
            let text = row.key.clone();
            let key = before.remove(&text).filter(same);
            (text, key.unwrap_or_else(|| Arc::new(WriteKey::new(row))))
        });
        self.keys = keys.collect();
        self.epoch = Some(epoch);
        self.read = Some(now);
        self.looked = Some(now);
    }
}

fn is_of(key: &WriteKey, id: Uuid, company_generation: i64) -> bool {
    key.pass.session == id && key.pass.company_generation == company_generation
}
