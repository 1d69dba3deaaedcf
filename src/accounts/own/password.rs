//! Another password.

use secrecy::SecretString;

use super::account::Outcome;
use crate::{
    accounts::{
        Accounts, Change,
        links::{self, Purpose},
        once::{Once, Turn},
        origin::Origin,
        passwords::{set_password, tell_of_password},
        revoke::{end_sessions, renew_user},
    },
    audit::{self, Action, Actor, Entry, Kind},
    auth::Caller,
    edge::Problem,
};

impl Accounts {
    /// Gives the caller another password, and ends all other sessions.
    ///
    /// # Errors
    ///
    /// `managed_by_settings`, `weak_password`, `invalid_credentials`, those of limits and of the database.
    pub async fn change_password(
        &self,
        origin: &Origin,
        caller: &Caller,
        password: SecretString,
        new: SecretString,
    ) -> Result<(), Problem> {
        let user = self.own_to_change(caller).await?;
        let once = origin.once("change_password", &user.id.to_string());
        if self.was_done(once.as_ref()).await? {
            return Ok(());
        }
        self.check_strength(&new, "new_password", &user.names())
            .await?;
        let proof = (Action::AccountPassword, password);
        self.prove_own(origin, caller, &user, proof).await?;
        let hash = self.hashed(new).await?;
        let session = caller.pass.as_ref().map(|pass| pass.session);
        let (company, id) = (user.company, user.id);
        let entry = Entry::new(company, Actor::from(caller), Action::AccountPassword);
        let entry = origin.of(entry.on(Kind::User, id));
        let outcome = self.change("change_password", move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                if Once::begin(once.as_ref(), connection).await? != Turn::First {
                    return Ok(Change::of(Outcome::Repeated));
                }
                if !set_password(connection, &user, &hash).await? {
                    Once::undo(once.as_ref(), connection).await?;
                    return Ok(Change::of(Outcome::Gone));
                }
                links::void(connection, company, id, Purpose::Reset).await?;
                end_sessions(connection, company, id, session, "password_changed").await?;
                let revoked = vec![renew_user(connection, company, id, session).await?];
                tell_of_password(connection, &user).await?;
                audit::record(connection, &entry).await?;
                let value = Outcome::Done;
                Ok(Change { value, revoked })
            })
        });
        self.ended(outcome.await?)
    }
}
