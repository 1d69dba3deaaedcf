//! The caller's account, as it is and to be changed.

use secrecy::SecretString;

use crate::{
    accounts::{Accounts, origin::Origin, user::User},
    audit::{Action, Actor, Entry, Kind},
    auth::Caller,
    edge::{Code, Problem},
};

/// How a change ended that may be refused when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Done now.
    Done,
    /// Done before, under the same request id.
    Repeated,
    /// The account is another one by now, or none.
    Gone,
    /// The company would be without an admin.
    LastAdmin,
}

impl Accounts {
    /// The caller's account.
    ///
    /// # Errors
    ///
    /// `invalid_token` if it is no more, and those of the database.
    pub async fn own(&self, caller: &Caller) -> Result<User, Problem> {
        let (company, id) = (caller.company.id(), caller.user);
        let done = self.read("own_account", move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                User::find(connection, company, id).await
            })
        });
        let user = done.await?;
        let user = user.filter(User::may_log_in);
        user.ok_or_else(|| Code::InvalidToken.into())
    }

    /// The caller's account, to be changed.
    pub(super) async fn own_to_change(&self, caller: &Caller) -> Result<User, Problem> {
        self.database()?;
        if caller.is_of_settings() {
            return Err(Code::ManagedBySettings.into());
        }
        self.own(caller).await
    }

    /// Checks that the caller's password is this one.
    pub(super) async fn prove_own(
        &self,
        origin: &Origin,
        caller: &Caller,
        user: &User,
        (action, password): (Action, SecretString),
    ) -> Result<(), Problem> {
        let hash = user.password_hash.clone().ok_or(Code::InvalidToken)?;
        let guess = Entry::new(user.company, Actor::from(caller), action).on(Kind::User, user.id);
        self.prove(origin, &caller.subject, hash, password, origin.of(guess))
            .await
    }

    pub(super) fn ended(&self, outcome: Outcome) -> Result<(), Problem> {
        match outcome {
            Outcome::Done => {
                self.wake_mailer();
                Ok(())
            }
            Outcome::Repeated => Ok(()),
            Outcome::Gone => Err(Code::InvalidToken.into()),
            Outcome::LastAdmin => Err(Code::LastAdmin.into()),
        }
    }
}
