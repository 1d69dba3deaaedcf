//! Who someone is: companies and their users, how they come and go, and what they show.

pub mod api_tokens;
pub mod by;
pub mod cleanup;
pub mod companies;
pub mod fields;
pub mod links;
pub mod location;
pub mod metrics;
pub mod names;
pub mod once;
pub mod origin;
pub mod own;
mod passwords;
pub mod path;
pub mod registration;
pub mod revoke;
pub mod sessions;
pub mod undelivered;
pub mod user;
pub mod users;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use self::{metrics::AccountsMetrics, once::Once};
use crate::{
    audit::Audit,
    auth::{
        keys::Keys,
        password::Passwords,
        revocation::{Noted, Revocation, Revocations},
        throttle::{Allowed, Throttle},
        token::Tokens,
    },
    config::Registration,
    edge::{Code, Problem},
    mail::Mailer,
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
    /// Has mails sent.
    pub mailer: Mailer,
    /// The audit trail, for what stands there by itself.
    pub audit: Audit,
    /// What is measured.
    pub metrics: Arc<AccountsMetrics>,
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
    /// What the settings' account is called.
    pub fn settings_username(&self) -> &str {
        self.passwords.settings_username()
    }

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

    /// Whether this was done before, under the same request id.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn was_done(&self, once: Option<&Once>) -> Result<bool, Problem> {
        let Some(once) = once.cloned() else {
            return Ok(false);
        };
        let done = self.read("was_done", move |connection| {
            Box::pin(async move { once.is_done(connection).await })
        });
        done.await
    }

    /// Does what was allowed. It is not counted if nothing comes of it, and for no reason in what was asked:
    /// who tries again until the database is back is not to be shut out for that.
    ///
    /// # Errors
    ///
    /// Those of what is done.
    pub async fn counted<T>(
        &self,
        allowed: Allowed,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let done = work.await;
        if done.as_ref().is_err_and(Problem::is_failure) {
            self.throttle.give_back(allowed).await;
        }
        done
    }

    /// Has mails sent that are committed.
    pub fn wake_mailer(&self) {
        self.mailer.wake();
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
        self.end_what(self.written(operation, work).await??).await
    }

    /// As [`change`](Self::change), where something may be taken already: that is the problem then.
    ///
    /// # Errors
    ///
    /// What the database or the work says.
    pub async fn change_unless_taken<T, W>(
        &self,
        operation: &'static str,
        taken: Code,
        work: W,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(
                &'c mut Connection<'_>,
            ) -> BoxFuture<'c, Result<Change<T>, DatabaseError>>
            + Send
            + 'static,
    {
        match self.written(operation, work).await? {
            Err(DatabaseError::UniqueViolation) => Err(taken.into()),
            written => self.end_what(written?).await,
        }
    }

    async fn written<T, W>(
        &self,
        operation: &'static str,
        work: W,
    ) -> Result<Result<(T, Noted), DatabaseError>, Problem>
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
        Ok(change.await)
    }

    async fn end_what<T>(&self, (value, noted): (T, Noted)) -> Result<T, Problem> {
        self.revocations.publish(noted).await?;
        Ok(value)
    }
}
