//! Another name, and another address.

use secrecy::SecretString;
use uuid::Uuid;

use crate::{
    accounts::{
        Accounts,
        links::{self, Purpose, Subject},
        names::{self, Name},
        once::{Once, Turn},
        origin::Origin,
        user::User,
    },
    audit::{self, Action, Actor, Details, Entry, Kind},
    auth::{
        Caller,
        throttle::{Action as Limited, Allowed},
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

impl Accounts {
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
        let mut allowed = Allowed::uncounted();
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
            allowed = self.throttle.allow(limit).await?;
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
            is_told: allowed.is_told,
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
        let done = async {
            match done.await {
                // Of the user's name: an address is only written when it is confirmed.
                Err(DatabaseError::UniqueViolation) => {
                    Err(Problem::from(Code::UsernameTaken).of_field("username"))
                }
                written => Ok(written?),
            }
        };
        self.counted(allowed, done).await?;
        self.wake_mailer();
        self.own(caller).await
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
