//! A new password, by a link: who has forgotten theirs shows that they read the mails of the account.

use secrecy::SecretString;
use uuid::Uuid;

use crate::{
    accounts::{
        Accounts, Change,
        links::{self, Purpose, Subject},
        metrics::Step,
        once::{Once, Turn},
        origin::Origin,
        passwords::{set_password, tell_of_password},
        revoke::{end_sessions, renew_user},
        user::User,
    },
    audit::{self, Action, Actor, Entry, Kind},
    edge::{Code, Problem},
    storage::sql::{Connection, DatabaseError},
};

impl Accounts {
    /// Sets a new password, and ends all sessions.
    ///
    /// # Errors
    ///
    /// `link_invalid`, `weak_password`, `login_busy`, and those of the database.
    pub(super) async fn reset(
        &self,
        origin: &Origin,
        link: Uuid,
        password: SecretString,
    ) -> Result<(), Problem> {
        let once = origin.once("reset", &link.to_string());
        if self.was_done(once.as_ref()).await? {
            return Ok(());
        }
        let done = self.read("find_link", move |connection| {
            Box::pin(owner(connection, link))
        });
        let user = done.await?;
        let user = user.ok_or(Code::LinkInvalid)?;
        self.check_strength(&password, "password", &user.names())
            .await?;
        let hash = self.hashed(password).await?;
        let from = origin.clone();
        let is_set = self.change("reset", move |connection| {
            Box::pin(async move {
                connection.within(user.company).await?;
                if Once::begin(once.as_ref(), connection).await? != Turn::First {
                    return Ok(Change::of(true));
                }
                let set = match links::use_up(connection, link).await? {
                    true => set(connection, &from, &user, &hash).await?,
                    false => Change::of(false),
                };
                if !set.value {
                    Once::undo(once.as_ref(), connection).await?;
                }
                Ok(set)
            })
        });
        match is_set.await? {
            true => {
                self.metrics.password_resets.of(Step::Done).inc();
                self.wake_mailer();
                Ok(())
            }
            false => Err(Code::LinkInvalid.into()),
        }
    }
}

/// Who may set a new password with a link.
async fn owner(connection: &mut Connection<'_>, link: Uuid) -> Result<Option<User>, DatabaseError> {
    connection.across_companies().await?;
    let link = links::find(connection, Purpose::Reset, link).await?;
    let Some(Subject::User { company, id }) = link.map(|link| link.subject) else {
        return Ok(None);
    };
    let user = User::find(connection, company, id).await?;
    Ok(user.filter(User::may_log_in))
}

/// Whether it was set: they may have been disabled in the meantime.
async fn set(
    connection: &mut Connection<'_>,
    origin: &Origin,
    user: &User,
    hash: &str,
) -> Result<Change<bool>, DatabaseError> {
    if !set_password(connection, user, hash).await? {
        return Ok(Change::of(false));
    }
    let (company, id) = (user.company, user.id);
    links::void(connection, company, id, Purpose::Reset).await?;
    end_sessions(connection, company, id, None, "password_reset").await?;
    let revoked = vec![renew_user(connection, company, id, None).await?];
    tell_of_password(connection, user).await?;
    let entry = Entry::new(company, Actor::User(id), Action::AccountReset).on(Kind::User, id);
    audit::record(connection, &origin.of(entry)).await?;
    Ok(Change {
        value: true,
        revoked,
    })
}
