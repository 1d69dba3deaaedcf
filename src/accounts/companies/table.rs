//! Companies in the database.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    accounts::names::Name,
    company::Zone,
    edge::{
        Code, Problem,
        page::{Cursor, Page},
    },
    storage::sql::{Connection, DatabaseError, on_either, schema},
};

/// What a company is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CompanyState)]
pub enum CompanyState {
    /// Its people are let in.
    Active,
    /// Nobody of it is let in, and nothing of it is counted.
    Suspended,
}

impl CompanyState {
    /// Its name in the database and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// A company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is.
    pub state: CompanyState,
    /// Grows when the tokens of all its people must stop.
    pub generation: i64,
    /// When it was founded, in Unix milliseconds.
    pub created_at: i64,
    /// By which its days begin.
    pub time_zone: Zone,
}

type Columns = (Uuid, String, String, i64, i64, String);

impl From<Columns> for Row {
    fn from((id, name, state, generation, created_at, time_zone): Columns) -> Self {
        Self {
            id,
            name,
            // One that is not known here lets nobody in.
            state: match state.as_str() {
                "active" => CompanyState::Active,
                _ => CompanyState::Suspended,
            },
            generation,
            created_at,
            // One of a newer time zone database may be unknown here.
            time_zone: Zone::find(&time_zone).unwrap_or_default(),
        }
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, state, generation, created_at, time_zone FROM companies ",
            $rest
        )
    };
}

/// The company with this id.
///
/// # Errors
///
/// Those of the database.
pub async fn find(connection: &mut Connection<'_>, id: Uuid) -> Result<Option<Row>, DatabaseError> {
    let row: Option<Columns> = on_either!(connection, |database| {
        sqlx::query_as(select!("WHERE id = $1"))
            .bind(id)
            .fetch_optional(&mut **database)
            .await
    })?;
    Ok(row.map(Row::from))
}

/// The company with this name, as names are compared.
///
/// # Errors
///
/// Those of the database.
pub async fn find_by_name(
    connection: &mut Connection<'_>,
    name: &Name,
) -> Result<Option<Row>, DatabaseError> {
    let row: Option<Columns> = on_either!(connection, |database| {
        sqlx::query_as(select!("WHERE name_key = $1"))
            .bind(name.key())
            .fetch_optional(&mut **database)
            .await
    })?;
    Ok(row.map(Row::from))
}

/// The company with this id, which nobody else changes, nor who administers it, until the
/// transaction ends. Whoever only refers to it need not wait.
///
/// # Errors
///
/// Those of the database.
pub async fn lock(connection: &mut Connection<'_>, id: Uuid) -> Result<Option<Row>, DatabaseError> {
    let text = match connection {
        Connection::Postgres(_) => select!("WHERE id = $1 FOR NO KEY UPDATE"),
        // Whoever writes is alone.
        Connection::Sqlite(_) => select!("WHERE id = $1"),
    };
    let row: Option<Columns> = on_either!(connection, |database| {
        sqlx::query_as(text)
            .bind(id)
            .fetch_optional(&mut **database)
            .await
    })?;
    Ok(row.map(Row::from))
}

/// A page of all companies, in the order of their ids, and where the next one begins.
///
/// # Errors
///
/// Those of the database.
pub async fn page(
    connection: &mut Connection<'_>,
    page: Page<Uuid>,
) -> Result<(Vec<Row>, Option<Cursor<Uuid>>), DatabaseError> {
    let mut rows: Vec<Columns> = on_either!(connection, |database| {
        sqlx::query_as(select!("WHERE id > $1 ORDER BY id LIMIT $2"))
            .bind(page.after.unwrap_or(Uuid::nil()))
            .bind(page.rows())
            .fetch_all(&mut **database)
            .await
    })?;
    let next = page.cut(&mut rows, |row| row.0);
    Ok((rows.into_iter().map(Row::from).collect(), next))
}

/// Adds an active company; `None` if its name is taken.
///
/// # Errors
///
/// Those of the database.
pub async fn insert(
    connection: &mut Connection<'_>,
    name: &Name,
    zone: &Zone,
) -> Result<Option<Uuid>, DatabaseError> {
    let (id, now) = (Uuid::now_v7(), schema::now(connection).await?);
    let inserted = on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO companies (id, name, name_key, state, generation, created_at, updated_at, time_zone)
             VALUES ($1, $2, $3, 'active', 1, $4, $4, $5) ON CONFLICT (name_key) DO NOTHING",
        )
        .bind(id)
        .bind(name.as_str())
        .bind(name.key())
        .bind(now)
        .bind(zone.name())
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok((inserted == 1).then_some(id))
}

/// Another has the name.
pub fn taken() -> Problem {
    Problem::from(Code::CompanyTaken).of_field("name")
}
