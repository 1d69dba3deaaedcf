//! Safe to repeat: what was done under a proxy's request id is not done again.
//!
//! nginx repeats a `POST` whose first replica died or took too long. The repeat has the same
//! `X-Request-ID`, and gets the outcome of the first. A proxy repeats within seconds; what was done is
//! remembered for a day ([`cleanup`](super::cleanup)).

use sha2::{Digest, Sha256};

use crate::{
    edge::RequestContext,
    storage::sql::{Connection, DatabaseError, on_either, schema},
};

/// An operation under a request id.
#[derive(Debug, Clone)]
pub struct Once([u8; 32]);

/// Whether an operation is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It is.
    First,
    /// It was done, with this outcome.
    Repeated(Option<String>),
}

impl Once {
    /// What `caller` (a user's id, or an address where nobody is known) asks for; `None` if no
    /// proxy vouches for the id of the request.
    pub fn new(context: &RequestContext, operation: &'static str, caller: &str) -> Option<Self> {
        let id = Some(&context.id).filter(|id| id.is_the_proxys)?;
        let mut hash = Sha256::new();
        for part in [operation.as_bytes(), caller.as_bytes(), id.value.as_bytes()] {
            // Its length first, or `ab`+`c` and `a`+`bc` would be one operation.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Some(Self(hash.finalize().into()))
    }

    /// Whether this is the first time. One that is under way elsewhere is waited for.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn begin(
        once: Option<&Self>,
        connection: &mut Connection<'_>,
    ) -> Result<Turn, DatabaseError> {
        let Some(Self(key)) = once else {
            return Ok(Turn::First);
        };
        let now = schema::now(connection).await?;
        let inserted = on_either!(connection, |database| {
            sqlx::query(
                "INSERT INTO request_ids (key, created_at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING",
            )
            .bind(&key[..])
            .bind(now)
            .execute(&mut **database)
            .await
            .map(|done| done.rows_affected())
        })?;
        if inserted == 1 {
            return Ok(Turn::First);
        }
        let outcome = on_either!(connection, |database| {
            sqlx::query_scalar("SELECT outcome FROM request_ids WHERE key = $1")
                .bind(&key[..])
                .fetch_one(&mut **database)
                .await
        })?;
        Ok(Turn::Repeated(outcome))
    }

    /// Whether it was done: to be asked before what cannot be done twice is looked for, or a limit
    /// is charged. One that is under way elsewhere is not yet done.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn is_done(&self, connection: &mut Connection<'_>) -> Result<bool, DatabaseError> {
        let found: i64 = on_either!(connection, |database| {
            sqlx::query_scalar("SELECT count(*) FROM request_ids WHERE key = $1")
                .bind(&self.0[..])
                .fetch_one(&mut **database)
                .await
        })?;
        Ok(found > 0)
    }

    /// Remembers the outcome: never a secret.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn end(
        once: Option<&Self>,
        connection: &mut Connection<'_>,
        outcome: &str,
    ) -> Result<(), DatabaseError> {
        if let Some(Self(key)) = once {
            on_either!(connection, |database| {
                sqlx::query("UPDATE request_ids SET outcome = $2 WHERE key = $1")
                    .bind(&key[..])
                    .bind(outcome)
                    .execute(&mut **database)
                    .await
                    .map(drop)
            })?;
        }
        Ok(())
    }

    /// Takes it back that it was begun, where it turns out that there was nothing to do.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn undo(
        once: Option<&Self>,
        connection: &mut Connection<'_>,
    ) -> Result<(), DatabaseError> {
        if let Some(Self(key)) = once {
            on_either!(connection, |database| {
                sqlx::query("DELETE FROM request_ids WHERE key = $1")
                    .bind(&key[..])
                    .execute(&mut **database)
                    .await
                    .map(drop)
            })?;
        }
        Ok(())
    }
}
