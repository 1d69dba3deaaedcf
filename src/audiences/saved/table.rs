//! Audiences and presets in the database.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    list::{List, Taken},
    name::Name,
};
use crate::{
    audiences::filter::Filter,
    edge::{
        page::{Cursor, Page},
        particulars::Thing,
    },
    storage::sql::{Connection, DatabaseError, of_company, on_either},
};

/// A saved filter.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// The canonical JSON of its filter.
    pub filter: String,
    /// The hash of that.
    pub hash: String,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
}

type Columns = (Uuid, String, String, String, i64, i64);

impl From<Columns> for Row {
    fn from((id, name, filter, hash, created_at, updated_at): Columns) -> Self {
        Self {
            id,
            name,
            filter,
            hash,
            created_at,
            updated_at,
        }
    }
}

/// A statement about the table of a list.
macro_rules! about {
    ($list:expr, $before:literal, $after:expr) => {
        match $list {
            List::Audiences => concat!($before, "audiences", $after),
            List::Presets => concat!($before, "presets", $after),
        }
    };
}

macro_rules! select {
    ($list:expr, $rest:literal) => {
        about!(
            $list,
            "SELECT id, name, filter, hash, created_at, updated_at FROM ",
            concat!(" WHERE company_id = $1 ", $rest)
        )
    };
}

/// A page of those of a company, in the order in which they were made, and where the next one begins.
pub async fn page(
    connection: &mut Connection<'_>,
    list: List,
    company: Uuid,
    page: Page<Uuid>,
) -> Result<(Vec<Row>, Option<Cursor<Uuid>>), DatabaseError> {
    let text = select!(list, "AND id > $2 ORDER BY id LIMIT $3");
    let mut rows: Vec<Columns> = on_either!(connection, |database| {
        sqlx::query_as(of_company(text))
            .bind(company)
            .bind(page.after.unwrap_or(Uuid::nil()))
            .bind(page.rows())
            .fetch_all(&mut **database)
            .await
    })?;
    let next = page.cut(&mut rows, |row| row.0);
    Ok((rows.into_iter().map(Row::from).collect(), next))
}

/// One of them.
pub async fn find(
    connection: &mut Connection<'_>,
    list: List,
    (company, id): (Uuid, Uuid),
) -> Result<Option<Row>, DatabaseError> {
    let text = select!(list, "AND id = $2");
    let row: Option<Columns> = on_either!(connection, |database| {
        sqlx::query_as(of_company(text))
            .bind(company)
            .bind(id)
            .fetch_optional(&mut **database)
            .await
    })?;
    Ok(row.map(Row::from))
}

/// How many there are.
pub async fn number(
    connection: &mut Connection<'_>,
    list: List,
    company: Uuid,
) -> Result<i64, DatabaseError> {
    let text = about!(list, "SELECT count(*) FROM ", " WHERE company_id = $1");
    Ok(on_either!(connection, |database| {
        sqlx::query_scalar(of_company(text))
            .bind(company)
            .fetch_one(&mut **database)
            .await
    })?)
}

/// What all audiences of a company are called.
pub async fn names(
    connection: &mut Connection<'_>,
    company: Uuid,
) -> Result<BTreeMap<Uuid, String>, DatabaseError> {
    let rows: Vec<(Uuid, String)> = on_either!(connection, |database| {
        sqlx::query_as(of_company(
            "SELECT id, name FROM audiences WHERE company_id = $1",
        ))
        .bind(company)
        .fetch_all(&mut **database)
        .await
    })?;
    Ok(rows.into_iter().collect())
}

/// Another one than `own` that has the name or the filter; the name comes first.
pub async fn taken(
    connection: &mut Connection<'_>,
    list: List,
    (company, own): (Uuid, Uuid),
    name: &Name,
    hash: &str,
) -> Result<Option<(Taken, Thing)>, DatabaseError> {
    let text = about!(
        list,
        "SELECT id, name, name_key FROM ",
        " WHERE company_id = $1 AND id <> $2 AND (name_key = $3 OR hash = $4)"
    );
    let others: Vec<(Uuid, String, String)> = on_either!(connection, |database| {
        sqlx::query_as(of_company(text))
            .bind(company)
            .bind(own)
            .bind(&name.key)
            .bind(hash)
            .fetch_all(&mut **database)
            .await
    })?;
    let kind = list.one();
    let others = others.into_iter().map(|(id, other, key)| {
        let what = match key == name.key {
            true => Taken::Name,
            false => Taken::Filter,
        };
        let name = other;
        (what, Thing { kind, id, name })
    });
    Ok(others.min_by_key(|(what, _)| *what == Taken::Filter))
}

/// Adds one.
pub async fn insert(
    connection: &mut Connection<'_>,
    list: List,
    company: Uuid,
    row: &Row,
    name: &Name,
) -> Result<(), DatabaseError> {
    let text = about!(
        list,
        "INSERT INTO ",
        " (id, company_id, name, name_key, filter, hash, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    on_either!(connection, |database| {
        sqlx::query(text)
            .bind(row.id)
            .bind(company)
            .bind(&row.name)
            .bind(&name.key)
            .bind(&row.filter)
            .bind(&row.hash)
            .bind(row.created_at)
            .bind(row.updated_at)
            .execute(&mut **database)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Writes all that may change of one.
pub async fn update(
    connection: &mut Connection<'_>,
    list: List,
    company: Uuid,
    row: &Row,
    name: &Name,
) -> Result<(), DatabaseError> {
    let text = about!(
        list,
        "UPDATE ",
        " SET name = $3, name_key = $4, filter = $5, hash = $6, updated_at = $7
         WHERE company_id = $1 AND id = $2"
    );
    on_either!(connection, |database| {
        sqlx::query(of_company(text))
            .bind(company)
            .bind(row.id)
            .bind(&row.name)
            .bind(&name.key)
            .bind(&row.filter)
            .bind(&row.hash)
            .bind(row.updated_at)
            .execute(&mut **database)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Deletes one, and what it refers to with it.
pub async fn delete(
    connection: &mut Connection<'_>,
    list: List,
    (company, id): (Uuid, Uuid),
) -> Result<(), DatabaseError> {
    let text = about!(list, "DELETE FROM ", " WHERE company_id = $1 AND id = $2");
    on_either!(connection, |database| {
        sqlx::query(of_company(text))
            .bind(company)
            .bind(id)
            .execute(&mut **database)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Keeps the filter of an audience, to be found by its hash.
pub async fn keep(
    connection: &mut Connection<'_>,
    company: Uuid,
    filter: &Filter,
) -> Result<(), DatabaseError> {
    on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO audience_filters (company_id, hash, filter) VALUES ($1, $2, $3)
             ON CONFLICT (company_id, hash) DO UPDATE SET replaced_at = NULL",
        )
        .bind(company)
        .bind(&filter.hash)
        .bind(&filter.canonical)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Notes that no audience has this filter any more: it is there for a while yet.
pub async fn replaced(
    connection: &mut Connection<'_>,
    company: Uuid,
    hash: &str,
    now: i64,
) -> Result<(), DatabaseError> {
    on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE audience_filters SET replaced_at = $3 WHERE company_id = $1 AND hash = $2",
        ))
        .bind(company)
        .bind(hash)
        .bind(now)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}
