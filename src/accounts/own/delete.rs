//! The end of one's account.

use secrecy::SecretString;

use super::account::Outcome;
use crate::{
    accounts::{
        Accounts, Change, companies,
        origin::Origin,
        users::{anonymise, is_last_admin},
    },
    audit::{self, Action, Actor, Entry, Kind},
    auth::Caller,
    edge::Problem,
};

impl Accounts {
    /// Deletes the caller's account, which leaves nothing of who it was.
    ///
    /// # Errors
    ///
    /// `managed_by_settings`, `last_admin`, `invalid_credentials`, those of limits and of the database.
    pub async fn delete_own(
        &self,
        origin: &Origin,
        caller: &Caller,
        password: SecretString,
    ) -> Result<(), Problem> {
        let user = self.own_to_change(caller).await?;
        let proof = (Action::AccountDelete, password);
        self.prove_own(origin, caller, &user, proof).await?;
        let company = user.company;
        let entry = Entry::new(company, Actor::from(caller), Action::AccountDelete);
        let entry = origin.of(entry.on(Kind::User, user.id));
        let outcome = self.change("delete_own", move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                // Two who leave at the same moment would each see the other.
                companies::lock(connection, company).await?;
                if is_last_admin(connection, &user).await? {
                    return Ok(Change::of(Outcome::LastAdmin));
                }
                let revoked = vec![anonymise(connection, &user).await?];
                audit::record(connection, &entry).await?;
                let value = Outcome::Done;
                Ok(Change { value, revoked })
            })
        });
        self.ended(outcome.await?)
    }
}
