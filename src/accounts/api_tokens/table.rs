//! API tokens in the database. Of a token itself only its hash is kept.

use uuid::Uuid;

use crate::{
    accounts::{
        Change,
        by::By,
        companies,
        once::{Once, Turn},
    },
    audit::{Action, Details, Kind, record},
    auth::{
        api_token::{HASH_BYTES, pass_id},
        revocation::Revocation,
        role::{Scope, Scopes},
    },
    edge::{
        Code, Problem,
        page::{Cursor, Page},
    },
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// As many a user may have: one for each machine, and some to spare.
pub const MOST: usize = 50;

/// A token, without what it is.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub owner: Uuid,
    /// What the owner is called; `None` of the settings' account.
    pub owner_name: Option<String>,
    /// What it is called.
    pub name: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
    /// When it ends by itself.
    pub expires_at: Option<i64>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<i64>,
}

type Columns = (
    Uuid,
    Uuid,
    Option<String>,
    String,
    String,
    i64,
    Option<i64>,
    Option<i64>,
);

impl From<Columns> for Row {
    fn from(columns: Columns) -> Self {
        let (id, owner, owner_name, name, scopes, created_at, expires_at, last_used_at) = columns;
        Self {
            id,
            owner,
            owner_name,
            name,
            scopes: Scopes::parse(&scopes),
            created_at,
            expires_at,
            last_used_at,
        }
    }
}

macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT t.id, t.user_id, u.username, t.name, t.scopes, t.created_at, t.expires_at, t.last_used_at
             FROM api_tokens t JOIN users u ON u.company_id = t.company_id AND u.id = t.user_id
             WHERE t.company_id = $1 AND t.ended_at IS NULL ",
            $where
        )
    };
}

/// A page of those of a company, or of one of its users, that were not ended, in the order in which they were made,
/// and where the next one begins.
///
/// # Errors
///
/// Those of the database.
pub async fn page(
    connection: &mut Connection<'_>,
    company: Uuid,
    owner: Option<Uuid>,
    page: Page<Uuid>,
) -> Result<(Vec<Row>, Option<Cursor<Uuid>>), DatabaseError> {
    let text = match owner {
        Some(_) => select!("AND t.id > $2 AND t.user_id = $4 ORDER BY t.id LIMIT $3"),
        None => select!("AND t.id > $2 AND t.user_id <> $4 ORDER BY t.id LIMIT $3"),
    };
    let mut rows: Vec<Columns> = on_either!(connection, |database| {
        sqlx::query_as(of_company(text))
            .bind(company)
            .bind(page.after.unwrap_or(Uuid::nil()))
            .bind(page.rows())
            .bind(owner.unwrap_or(Uuid::nil()))
            .fetch_all(&mut **database)
            .await
    })?;
    let next = page.cut(&mut rows, |row| row.0);
    Ok((rows.into_iter().map(Row::from).collect(), next))
}

async fn find(
    connection: &mut Connection<'_>,
    company: Uuid,
    id: Uuid,
) -> Result<Option<Row>, DatabaseError> {
    let row: Option<Columns> = on_either!(connection, |database| {
        sqlx::query_as(of_company(select!("AND t.id = $2")))
            .bind(company)
            .bind(id)
            .fetch_optional(&mut **database)
            .await
    })?;
    Ok(row.map(Row::from))
}

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its owner's company.
    pub company: Uuid,
    /// Its owner.
    pub owner: Uuid,
    /// What it is called.
    pub name: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it ends by itself, in Unix milliseconds.
    pub expires_at: Option<i64>,
    /// Its hash.
    pub hash: [u8; HASH_BYTES],
}

/// Makes a token. When the request is repeated the row is the same, and its secret another: whoever
/// repeats it has not seen the first, which stops.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn make(
    connection: &mut Connection<'_>,
    new: NewToken,
    by: &By,
    once: Option<&Once>,
) -> Result<Change<Result<Row, Problem>>, DatabaseError> {
    let company = new.company;
    connection.within(company).await?;
    if let Turn::Repeated(Some(id)) = Once::begin(once, connection).await? {
        let id = id.parse().unwrap_or(Uuid::nil());
        let revoked = replace_secret(connection, &new, id).await?;
        let row = find(connection, company, id).await?;
        return Ok(Change {
            value: row.ok_or(Code::NotFound.into()),
            revoked: revoked.into_iter().collect(),
        });
    }
    let now = schema::now(connection).await?;
    if new.expires_at.is_some_and(|end| end <= now) {
        return Ok(Change::of(Err(in_the_past())));
    }
    // So that two at once do not both find room.
    companies::lock(connection, company).await?;
    let (mine, _) = page(connection, company, Some(new.owner), Page::first(MOST)).await?;
    if mine.len() >= MOST {
        return Ok(Change::of(Err(Code::TokensFull.into())));
    }
    let id = insert(connection, &new, now).await?;
    Once::end(once, connection, &id.to_string()).await?;
    let details = Details {
        fields: new.scopes.iter().map(Scope::as_str).collect(),
        ..Details::default()
    };
    let entry = by
        .entry(company, Action::TokenCreate)
        .on(Kind::ApiToken, id);
    record(connection, &entry.because(details)).await?;
    let row = find(connection, company, id).await?;
    Ok(Change::of(row.ok_or(Code::Internal.into())))
}

fn in_the_past() -> Problem {
    Problem::from(Code::InvalidBody)
        .with_detail("The field `expires_at` must be in the future.")
        .of_field("expires_at")
}

async fn insert(
    connection: &mut Connection<'_>,
    new: &NewToken,
    now: i64,
) -> Result<Uuid, DatabaseError> {
    let id = Uuid::now_v7();
    on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO api_tokens (id, company_id, user_id, name, scopes, secret_hash, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(id)
        .bind(new.company)
        .bind(new.owner)
        .bind(&new.name)
        .bind(new.scopes.to_string())
        .bind(&new.hash[..])
        .bind(now)
        .bind(new.expires_at)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(id)
}

/// What revokes the secret before: replicas may remember it.
async fn replace_secret(
    connection: &mut Connection<'_>,
    new: &NewToken,
    id: Uuid,
) -> Result<Option<Revocation>, DatabaseError> {
    // Two repeats at once must not both take the same secret for the one before.
    companies::lock(connection, new.company).await?;
    let before: Option<Vec<u8>> = on_either!(connection, |database| {
        sqlx::query_scalar(of_company(
            "SELECT secret_hash FROM api_tokens
             WHERE company_id = $1 AND id = $2 AND user_id = $3 AND ended_at IS NULL",
        ))
        .bind(new.company)
        .bind(id)
        .bind(new.owner)
        .fetch_optional(&mut **database)
        .await
    })?;
    let Some(before) = before else {
        return Ok(None);
    };
    on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE api_tokens SET secret_hash = $3 WHERE company_id = $1 AND id = $2",
        ))
        .bind(new.company)
        .bind(id)
        .bind(&new.hash[..])
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(revocation(&before))
}

/// What revokes the secret with this hash.
fn revocation(secret_hash: &[u8]) -> Option<Revocation> {
    let hash = secret_hash.try_into().ok()?;
    Some(Revocation::Session(pass_id(hash)))
}

/// Ends a token of this owner, or of anybody of the company. One that was ended before is no error, so
/// that this can be repeated.
///
/// # Errors
///
/// Those of the database; within, `not_found`.
pub async fn end(
    connection: &mut Connection<'_>,
    (company, id): (Uuid, Uuid),
    owner: Option<Uuid>,
    by: &By,
) -> Result<Change<Result<(), Problem>>, DatabaseError> {
    connection.within(company).await?;
    let found: Option<(Uuid, Option<i64>, Vec<u8>)> = on_either!(connection, |database| {
        sqlx::query_as(of_company(
            "SELECT user_id, ended_at, secret_hash FROM api_tokens WHERE company_id = $1 AND id = $2",
        ))
        .bind(company)
        .bind(id)
        .fetch_optional(&mut **database)
        .await
    })?;
    let found = found.filter(|(user, ..)| owner.is_none_or(|owner| owner == *user));
    let Some((_, ended_at, secret_hash)) = found else {
        return Ok(Change::of(Err(Code::NotFound.into())));
    };
    if ended_at.is_none() {
        let now = schema::now(connection).await?;
        on_either!(connection, |database| {
            sqlx::query(of_company(
                "UPDATE api_tokens SET ended_at = $3 WHERE company_id = $1 AND id = $2",
            ))
            .bind(company)
            .bind(id)
            .bind(now)
            .execute(&mut **database)
            .await
            .map(drop)
        })?;
        record(
            connection,
            &by.entry(company, Action::TokenEnd).on(Kind::ApiToken, id),
        )
        .await?;
    }
    // Also if it was ended before: it may be that this could not be made known then.
    let revoked = revocation(&secret_hash).into_iter().collect();
    let value = Ok(());
    Ok(Change { value, revoked })
}
