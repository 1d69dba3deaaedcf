//! Write keys in the database.

use uuid::Uuid;

use crate::{
    accounts::{
        Change,
        by::By,
        companies,
        once::{Once, Turn},
    },
    audit::{Action, Kind, record},
    auth::revocation::Revocation,
    edge::{
        Code, Problem,
        page::{Cursor, Page},
    },
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// As many a company may have: each replica has all of all companies in memory.
pub const MOST: usize = 100;

/// A write key.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// As pages show it.
    pub key: String,
    /// The names of its counters, separated by blanks.
    pub counters: String,
    /// The origins whose pages may show it, separated by blanks.
    pub origins: String,
    /// Visits a second.
    pub rate: i64,
    /// Who made it.
    pub created_by: Uuid,
    /// What they are called; `None` of the settings' account, and of who has gone.
    pub created_by_name: Option<String>,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
}

type Columns = (
    Uuid,
    String,
    String,
    String,
    String,
    i64,
    Uuid,
    Option<String>,
    i64,
);

impl From<Columns> for Row {
    fn from(columns: Columns) -> Self {
        let (id, name, key, counters, origins, rate, created_by, created_by_name, created_at) =
            columns;
        Self {
            id,
            name,
            key,
            counters,
            origins,
            rate,
            created_by,
            created_by_name,
            created_at,
        }
    }
}

macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT k.id, k.name, k.key, k.counters, k.origins, k.rate, k.created_by, u.username, k.created_at
             FROM write_keys k LEFT JOIN users u ON u.company_id = k.company_id AND u.id = k.created_by
             WHERE k.company_id = $1 AND k.ended_at IS NULL ",
            $where
        )
    };
}

/// A page of those of a company that were not ended, in the order in which they were made, and where
/// the next one begins.
///
/// # Errors
///
/// Those of the database.
pub async fn page(
    connection: &mut Connection<'_>,
    company: Uuid,
    page: Page<Uuid>,
) -> Result<(Vec<Row>, Option<Cursor<Uuid>>), DatabaseError> {
    let mut rows: Vec<Columns> = on_either!(connection, |database| {
        sqlx::query_as(of_company(select!("AND k.id > $2 ORDER BY k.id LIMIT $3")))
            .bind(company)
            .bind(page.after.unwrap_or(Uuid::nil()))
            .bind(page.rows())
            .fetch_all(&mut **database)
            .await
    })?;
    let next = page.cut(&mut rows, |row| row.0);
    Ok((rows.into_iter().map(Row::from).collect(), next))
}

/// One that was not ended.
///
/// # Errors
///
/// Those of the database.
pub async fn find(
    connection: &mut Connection<'_>,
    company: Uuid,
    id: Uuid,
) -> Result<Option<Row>, DatabaseError> {
    let row: Option<Columns> = on_either!(connection, |database| {
        sqlx::query_as(of_company(select!("AND k.id = $2")))
            .bind(company)
            .bind(id)
            .fetch_optional(&mut **database)
            .await
    })?;
    Ok(row.map(Row::from))
}

/// A key that is to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Whose it is.
    pub company: Uuid,
    /// Who makes it.
    pub by: Uuid,
    /// What it is called.
    pub name: String,
    /// As pages show it.
    pub key: String,
    /// The names of its counters, separated by blanks.
    pub counters: String,
    /// The origins whose pages may show it, separated by blanks.
    pub origins: String,
    /// Visits a second.
    pub rate: u32,
}

/// Makes a key. When the request is repeated it is the same one.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn make(
    connection: &mut Connection<'_>,
    new: NewKey,
    by: &By,
    once: Option<&Once>,
) -> Result<Change<Result<Row, Problem>>, DatabaseError> {
    let company = new.company;
    connection.within(company).await?;
    if let Turn::Repeated(Some(id)) = Once::begin(once, connection).await? {
        let id = id.parse().unwrap_or(Uuid::nil());
        let row = find(connection, company, id).await?;
        return Ok(Change::of(row.ok_or(Code::NotFound.into())));
    }
    // So that two at once do not both find room.
    companies::lock(connection, company).await?;
    let (all, _) = page(connection, company, Page::first(MOST)).await?;
    if all.len() >= MOST {
        return Ok(Change::of(Err(Code::WriteKeysFull.into())));
    }
    let id = insert(connection, &new).await?;
    note_change(connection).await?;
    Once::end(once, connection, &id.to_string()).await?;
    let entry = by.entry(company, Action::WriteKeyCreate);
    record(connection, &entry.on(Kind::WriteKey, id)).await?;
    let row = find(connection, company, id).await?;
    Ok(Change::of(row.ok_or(Code::Internal.into())))
}

async fn insert(connection: &mut Connection<'_>, new: &NewKey) -> Result<Uuid, DatabaseError> {
    let (id, now) = (Uuid::now_v7(), schema::now(connection).await?);
    on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO write_keys (id, company_id, name, key, counters, origins, rate, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(id)
        .bind(new.company)
        .bind(&new.name)
        .bind(&new.key)
        .bind(&new.counters)
        .bind(&new.origins)
        .bind(i64::from(new.rate))
        .bind(new.by)
        .bind(now)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(id)
}

/// Ends a key. One that was ended before is no error, so that this can be repeated.
///
/// # Errors
///
/// Those of the database; within, `not_found`.
pub async fn end(
    connection: &mut Connection<'_>,
    (company, id): (Uuid, Uuid),
    by: &By,
) -> Result<Change<Result<(), Problem>>, DatabaseError> {
    connection.within(company).await?;
    let ended_at: Option<Option<i64>> = on_either!(connection, |database| {
        sqlx::query_scalar(of_company(
            "SELECT ended_at FROM write_keys WHERE company_id = $1 AND id = $2",
        ))
        .bind(company)
        .bind(id)
        .fetch_optional(&mut **database)
        .await
    })?;
    let Some(ended_at) = ended_at else {
        return Ok(Change::of(Err(Code::NotFound.into())));
    };
    if ended_at.is_none() {
        let now = schema::now(connection).await?;
        on_either!(connection, |database| {
            sqlx::query(of_company(
                "UPDATE write_keys SET ended_at = $3 WHERE company_id = $1 AND id = $2",
            ))
            .bind(company)
            .bind(id)
            .bind(now)
            .execute(&mut **database)
            .await
            .map(drop)
        })?;
        note_change(connection).await?;
        let entry = by.entry(company, Action::WriteKeyEnd);
        record(connection, &entry.on(Kind::WriteKey, id)).await?;
    }
    // Also if it was ended before: it may be that this could not be made known then.
    let revoked = vec![Revocation::Session(id)];
    let value = Ok(());
    Ok(Change { value, revoked })
}

/// Has all replicas read the keys.
async fn note_change(connection: &mut Connection<'_>) -> Result<(), DatabaseError> {
    on_either!(connection, |database| {
        sqlx::query("UPDATE write_keys_epoch SET epoch = epoch + 1 WHERE id = 1")
            .execute(&mut **database)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// A key as replicas know it.
#[derive(Debug)]
pub struct Living {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub company: Uuid,
    /// Grows when all that acts for the company must stop.
    pub company_generation: i64,
    /// As pages show it.
    pub key: String,
    /// The names of its counters, separated by blanks.
    pub counters: String,
    /// The origins whose pages may show it, separated by blanks.
    pub origins: String,
    /// Visits a second.
    pub rate: i64,
}

/// What has to have changed before the keys have to be read again.
///
/// # Errors
///
/// Those of the database.
pub async fn epoch(connection: &mut Connection<'_>) -> Result<i64, DatabaseError> {
    Ok(on_either!(connection, |database| {
        sqlx::query_scalar("SELECT epoch FROM write_keys_epoch WHERE id = 1")
            .fetch_one(&mut **database)
            .await
    })?)
}

/// All keys that are good: not ended, and of companies that are let in.
///
/// # Errors
///
/// Those of the database.
pub async fn living(connection: &mut Connection<'_>) -> Result<Vec<Living>, DatabaseError> {
    connection.across_companies().await?;
    let rows: Vec<(Uuid, Uuid, i64, String, String, String, i64)> =
        on_either!(connection, |database| {
            sqlx::query_as(
                "SELECT k.id, k.company_id, c.generation, k.key, k.counters, k.origins, k.rate
                 FROM write_keys k JOIN companies c ON c.id = k.company_id
                 WHERE k.ended_at IS NULL AND c.state = 'active'",
            )
            .fetch_all(&mut **database)
            .await
        })?;
    let living = |(id, company, company_generation, key, counters, origins, rate)| Living {
        id,
        company,
        company_generation,
        key,
        counters,
        origins,
        rate,
    };
    Ok(rows.into_iter().map(living).collect())
}
