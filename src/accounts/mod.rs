//! Who someone is: companies and their users, how they come and go, and what they show.

pub mod ending;
pub mod names;
pub mod once;
pub mod origin;
pub mod user;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{
    auth::{
        keys::Keys,
        password::Passwords,
        revocation::{Revocation, Revocations},
        throttle::Throttle,
        token::Tokens,
    },
    config::Registration,
    edge::{Code, Problem},
    storage::sql::{Connection, Database, DatabaseError},
};

/// What the routes of this room work with, on one worker thread.
pub struct Accounts {
    /// Where people are kept, if anywhere.
    pub database: Option<Database>,
    /// Signs what is handed out and not kept.
    pub keys: Keys,
    /// Hashes.
    pub passwords: Passwords,
    /// Limits.
    pub throttle: Throttle,
    /// Access tokens.
    pub tokens: Arc<Tokens>,
    /// Ends tokens.
    pub revocations: Revocations,
    /// Who may found a company.
    pub registration: Registration,
    /// Fewest characters of a password.
    pub password_min_length: usize,
}

/// What a change gives back, and which tokens it ends.
#[derive(Debug)]
pub struct Change<T> {
    /// What is answered.
    pub value: T,
    /// What must not be accepted any more once it is.
    pub revoked: Vec<Revocation>,
}

impl<T> Change<T> {
    /// One that ends no token.
    pub fn of(value: T) -> Self {
        let revoked = Vec::new();
        Self { value, revoked }
    }
}

impl Accounts {
    /// The database.
    ///
    /// # Errors
    ///
    /// `no_database`, if there is none.
    pub fn database(&self) -> Result<&Database, Problem> {
        self.database
            .as_ref()
            .ok_or_else(|| Code::NoDatabase.into())
    }

    /// Reads, all from one state of the database.
    ///
    /// # Errors
    ///
    /// What the database or the work says.
    pub async fn read<T, W>(&self, operation: &'static str, work: W) -> Result<T, Problem>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection<'_>) -> BoxFuture<'c, Result<T, DatabaseError>>
            + Send
            + 'static,
    {
        Ok(self.database()?.read(operation, work).await?)
    }

    /// Changes something, in one transaction. What it ends is ended everywhere when this returns.
    ///
    /// # Errors
    ///
    /// What the database or the work says.
    pub async fn change<T, W>(&self, operation: &'static str, work: W) -> Result<T, Problem>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(
                &'c mut Connection<'_>,
            ) -> BoxFuture<'c, Result<Change<T>, DatabaseError>>
            + Send
            + 'static,
    {
        let revocations = self.revocations.clone();
        let change = self.database()?.write(operation, move |connection| {
            Box::pin(async move {
                let change = work(connection).await?;
                let noted = revocations.note(connection, &change.revoked).await?;
                Ok((change.value, noted))
            })
        });
        let (value, noted) = change.await?;
        self.revocations.publish(noted).await?;
        Ok(value)
    }
}
