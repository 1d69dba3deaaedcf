//! Counts. Those of the company `default` are in a table of their own: it was there before there
//! were others, and older versions of Footfall take all that is in it for theirs.

use std::collections::HashMap;

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::SqliteCounts;
use crate::{
    auth::revocation::epoch_query,
    counting::{Company, CounterId, CounterName, Page, Tally, counts::readable_name},
    storage::StoreError,
};

/// With the number of a visit, up to where something was revoked: one more statement to ask for
/// that would cost a visit a tenth more.
macro_rules! returning {
    ($statement:literal) => {
        concat!($statement, " RETURNING visits, (", epoch_query!(), ")")
    };
}

/// What is asked of the counters of one company. In each statement `?1` is the company (where
/// there is but one, it is not looked at) and `?2` a counter's name.
struct Statements {
    add: &'static str,
    create: &'static str,
    remove: &'static str,
    get: &'static str,
    list: &'static str,
}

const OF_DEFAULT: Statements = Statements {
    add: returning!("UPDATE counters SET visits = visits + ?3 WHERE name = ?2"),
    create: returning!(
        "INSERT INTO counters (name, visits)
         SELECT ?2, ?3 FROM counter_total WHERE counters < ?4"
    ),
    remove: "DELETE FROM counters WHERE name = ?2",
    get: "SELECT visits FROM counters WHERE name = ?2",
    // Bytes, since what is no name may be no text either.
    list: "SELECT CAST(name AS BLOB), visits FROM counters
           WHERE name > CAST(?2 AS TEXT) ORDER BY name LIMIT ?3",
};

const OF_OTHERS: Statements = Statements {
    add: returning!(
        "UPDATE company_counters SET visits = visits + ?3 WHERE company = ?1 AND name = ?2"
    ),
    create: returning!(
        "INSERT INTO company_counters (company, name, visits)
         SELECT ?1, ?2, ?3 WHERE ?4 >
         (SELECT coalesce(max(counters), 0) FROM company_totals WHERE company = ?1)"
    ),
    remove: "DELETE FROM company_counters WHERE company = ?1 AND name = ?2",
    get: "SELECT visits FROM company_counters WHERE company = ?1 AND name = ?2",
    list: "SELECT CAST(name AS BLOB), visits FROM company_counters
           WHERE company = ?1 AND name > CAST(?2 AS TEXT) ORDER BY name LIMIT ?3",
};

/// The statements for the counters of a company, and its id as they want it.
fn statements(company: &Company) -> (&'static Statements, Option<&[u8]>) {
    match company {
        Company::Default => (&OF_DEFAULT, None),
        Company::Id(id) => (&OF_OTHERS, Some(id.as_bytes())),
    }
}

/// What was added.
pub struct Added {
    /// The number of the counter's last visit.
    pub last: u64,
    /// Up to where something was revoked at that moment.
    pub epoch: i64,
}

impl From<(i64, i64)> for Added {
    fn from((visits, epoch): (i64, i64)) -> Self {
        let last = visits.unsigned_abs();
        Self { last, epoch }
    }
}

/// Adds to a counter that is there.
async fn add(
    db: &mut SqliteConnection,
    counter: &CounterId,
    visits: u64,
) -> Result<Option<Added>, StoreError> {
    let (of, company) = statements(&counter.company);
    let added: Option<(i64, i64)> = sqlx::query_as(of.add)
        .bind(company)
        .bind(counter.name.as_str())
        .bind(visits as i64)
        .fetch_optional(db)
        .await?;
    Ok(added.map(Added::from))
}

/// Creates a counter, if its company has fewer than so many.
async fn create(
    db: &mut SqliteConnection,
    counter: &CounterId,
    visits: u64,
    counters: u32,
) -> Result<Option<Added>, StoreError> {
    let (of, company) = statements(&counter.company);
    let created: Option<(i64, i64)> = sqlx::query_as(of.create)
        .bind(company)
        .bind(counter.name.as_str())
        .bind(visits as i64)
        .bind(counters)
        .fetch_optional(db)
        .await?;
    Ok(created.map(Added::from))
}

/// Does all that counting does, and removes what it has done.
pub async fn probe(db: &mut SqliteConnection, counter: &CounterId) -> Result<(), StoreError> {
    create(db, counter, 1, u32::MAX).await?;
    add(db, counter, 1).await?;
    let (of, company) = statements(&counter.company);
    let remove = sqlx::query(of.remove).bind(company);
    remove.bind(counter.name.as_str()).execute(db).await?;
    Ok(())
}

impl SqliteCounts {
    /// Adds to a counter; `None` if it is new and there is no room for it.
    pub(super) async fn add(
        &self,
        db: &mut SqliteConnection,
        counter: &CounterId,
        visits: u64,
    ) -> Result<Option<Added>, StoreError> {
        match add(db, counter, visits).await? {
            Some(added) => Ok(Some(added)),
            None => create(db, counter, visits, self.memory.counters_before(counter)).await,
        }
    }

    pub async fn get(&self, counter: &CounterId) -> Result<Option<u64>, StoreError> {
        let (of, company) = statements(&counter.company);
        let visits: Option<i64> = sqlx::query_scalar(of.get)
            .bind(company)
            .bind(counter.name.as_str())
            .fetch_optional(self.sqlite.reader())
            .await?;
        Ok(visits.map(i64::unsigned_abs))
    }

    pub async fn get_all(
        &self,
        counters: &[CounterId],
    ) -> Result<HashMap<CounterId, u64>, StoreError> {
        let mut all = HashMap::with_capacity(counters.len());
        for counter in counters {
            if let Some(visits) = self.get(counter).await? {
                all.insert(counter.clone(), visits);
            }
        }
        Ok(all)
    }

    pub async fn list(
        &self,
        company: Company,
        after: Option<&CounterName>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut counters = self.tallies(company, after, limit + 1).await?;
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
        company: Company,
        after: Option<&CounterName>,
        wanted: usize,
    ) -> Result<Vec<Tally>, StoreError> {
        let (of, company) = statements(&company);
        let mut from = after.map_or("", CounterName::as_str).as_bytes().to_vec();
        let mut counters = Vec::new();
        loop {
            let missing = wanted - counters.len();
            let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(of.list)
                .bind(company)
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

    pub async fn companies(&self) -> Result<Vec<Company>, StoreError> {
        let companies = "SELECT company FROM company_totals WHERE counters > 0 ORDER BY company";
        let others: Vec<Vec<u8>> = sqlx::query_scalar(companies)
            .fetch_all(self.sqlite.reader())
            .await?;
        let others = others.iter().filter_map(|id| Uuid::from_slice(id).ok());
        Ok(std::iter::once(Company::Default)
            .chain(others.map(Company::Id))
            .collect())
    }
}
