//! One's own account: what it is, other names, another password, the end of it.

use secrecy::SecretString;
use uuid::Uuid;

use super::{
    Accounts, Change, companies,
    ending::{end_sessions, renew_user},
    leaving::anonymise,
    links::{self, Purpose, Subject},
    names::{self, Name},
    once::{Once, Turn},
    origin::Origin,
    recovery::{set_password, tell_of_password},
    user::User,
    users::is_last_admin,
};
use crate::{
    audit::{self, Action, Actor, Details, Entry, Kind},
    auth::{
        Caller,
        throttle::{Action as Limited, Refusal},
    },
    company::Company,
    edge::{Code, Problem},
    mail::{self, EmailAddress, Mail, Template},
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// What is to be different. What is `None` stays.
pub struct Update {
    /// What they are called.
    pub username: Option<Name>,
    /// Where they can be written to.
    pub email: Option<EmailAddress>,
    /// Their password, which another address needs.
    pub password: Option<SecretString>,
}

/// How a change ended that may be refused when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// Done before, under the same request id.
    Repeated,
    /// The account is another one by now, or none.
    Gone,
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
    async fn own_to_change(&self, caller: &Caller) -> Result<User, Problem> {
        self.database()?;
        if caller.is_of_settings() {
            return Err(Code::ManagedBySettings.into());
        }
        self.own(caller).await
    }

    /// Checks that the caller's password is this one.
    async fn prove_own(
        &self,
        origin: &Origin,
        caller: &Caller,
        user: &User,
        (action, password): (Action, SecretString),
    ) -> Result<(), Problem> {
        let hash = user.password_hash.clone().ok_or(Code::InvalidToken)?;
        let proved = self.prove(origin, &caller.subject, hash, password).await;
        if let Err(problem) = &proved
            && problem.code == Code::InvalidCredentials
        {
            let entry =
                Entry::new(user.company, Actor::from(caller), action).on(Kind::User, user.id);
            self.tell_of_failure(origin.of(entry));
        }
        proved
    }

    /// Changes the caller's names; another address only once it is confirmed.
    ///
    /// # Errors
    ///
    /// `managed_by_settings`, `username_taken`, `invalid_credentials`, `invalid_body` if an address is
    /// to change and the password is missing, those of limits and of the database.
    pub async fn update_own(
        &self,
        origin: &Origin,
        caller: &Caller,
        update: Update,
    ) -> Result<User, Problem> {
        let user = self.own_to_change(caller).await?;
        let once = origin.once("update_own", &user.id.to_string());
        if self.was_done(once.as_ref()).await? {
            return Ok(user);
        }
        let differs = |email: &EmailAddress| user.email.as_deref() != Some(email.as_str());
        let email = update.email.filter(differs);
        let mut is_told = true;
        if let Some(email) = &email {
            let password = update.password.ok_or_else(|| {
                Problem::from(Code::InvalidBody)
                    .with_detail(
                        "Another e-mail address needs the field `password`: your password.",
                    )
                    .of_field("password")
            })?;
            let proof = (Action::AccountEmail, password);
            self.prove_own(origin, caller, &user, proof).await?;
            let limit = Limited::Resend {
                client: origin.address,
                email: &email.key(),
            };
            is_told = match self.throttle.allow(limit).await {
                Err(Refusal::Quietly) => false,
                allowed => allowed.map(|()| true)?,
            };
        }
        if let Some(name) = &update.username
            && caller.company == Company::Default
            && name.key() == names::key(self.settings_username())
        {
            return Err(Problem::from(Code::UsernameTaken).of_field("username"));
        }
        let is_named = |name: &Name| user.username.as_deref() != Some(name.as_str());
        let changes = Changes {
            username: update.username.filter(is_named),
            email,
            is_told,
            actor: Actor::from(caller),
            origin: origin.clone(),
            user,
        };
        let done = self.database()?.write("update_own", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                if Once::begin(once.as_ref(), connection).await? == Turn::First {
                    changes.write(connection).await?;
                }
                Ok(())
            })
        });
        match done.await {
            // Of the user's name: an address is only written when it is confirmed.
            Err(DatabaseError::UniqueViolation) => {
                return Err(Problem::from(Code::UsernameTaken).of_field("username"));
            }
            written => written?,
        }
        self.wake_mailer();
        self.own(caller).await
    }

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
        let context = [
            user.company_name.as_str(),
            user.email.as_deref().unwrap_or_default(),
            user.username.as_deref().unwrap_or_default(),
        ];
        self.check_strength(&new, "new_password", &context).await?;
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

    fn ended(&self, outcome: Outcome) -> Result<(), Problem> {
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

/// What is different, and who changes it.
struct Changes {
    username: Option<Name>,
    email: Option<EmailAddress>,
    /// Whether the new address gets its mail.
    is_told: bool,
    actor: Actor,
    origin: Origin,
    user: User,
}

impl Changes {
    async fn write(self, connection: &mut Connection<'_>) -> Result<(), DatabaseError> {
        let (company, id) = (self.user.company, self.user.id);
        let owner = match &self.email {
            Some(email) => User::find_by_email(connection, &email.key()).await?,
            None => None,
        };
        // An address may be anybody's; all that follows is about this user alone.
        connection.within(company).await?;
        let mut entries = Vec::new();
        let entry = |action, details| {
            let entry = Entry::new(company, self.actor, action).on(Kind::User, id);
            self.origin.of(entry.because(details))
        };
        if let Some(name) = &self.username {
            rename(connection, company, id, name).await?;
            let details = Details {
                fields: vec!["username"],
                ..Details::default()
            };
            entries.push(entry(Action::AccountUpdate, details));
        }
        if let Some(email) = &self.email {
            self.ask_to_confirm(connection, email, owner).await?;
            let details = Details {
                to: Some("asked"),
                ..Details::default()
            };
            entries.push(entry(Action::AccountEmail, details));
        }
        audit::record_all(connection, &entries).await
    }

    /// The same is written whether or not somebody else has the address; only the mail is another one.
    async fn ask_to_confirm(
        &self,
        connection: &mut Connection<'_>,
        email: &EmailAddress,
        owner: Option<User>,
    ) -> Result<(), DatabaseError> {
        let (company, id) = (self.user.company, self.user.id);
        // The last one that was asked for is the one that is meant.
        links::void(connection, company, id, Purpose::Email).await?;
        let subject = Subject::User { company, id };
        let link = links::create(connection, Purpose::Email, subject, Some(email.as_str())).await?;
        let template = match owner.filter(|owner| owner.id != id) {
            Some(_) => Template::AlreadyRegistered,
            None => Template::ConfirmEmail { link },
        };
        let mail = |to: &str, template| Mail {
            to: to.to_owned(),
            company: Some(company),
            template,
        };
        if self.is_told {
            mail::enqueue(connection, &mail(email.as_str(), template)).await?;
        }
        if let Some(before) = &self.user.email {
            mail::enqueue(connection, &mail(before, Template::EmailChanging)).await?;
        }
        Ok(())
    }
}

async fn rename(
    connection: &mut Connection<'_>,
    company: Uuid,
    id: Uuid,
    name: &Name,
) -> Result<(), DatabaseError> {
    let now = schema::now(connection).await?;
    on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE users SET username = $3, username_key = $4, updated_at = $5
             WHERE company_id = $1 AND id = $2 AND state = 'active'",
        ))
        .bind(company)
        .bind(id)
        .bind(name.as_str())
        .bind(name.key())
        .bind(now)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}
