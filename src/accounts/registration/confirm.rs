//! Confirming: a link of a mail and a password. After a registration the password must be the one that was
//! given there, for a new address their own; after an invitation it becomes theirs.

use secrecy::SecretString;
use uuid::Uuid;

use super::{founding, waiting::Waiting};
use crate::{
    accounts::{
        Accounts,
        links::{self, Link, Purpose, Subject},
        metrics::Step,
        once::{Once, Turn},
        origin::Origin,
        user::{State, User},
    },
    audit::{self, Action, Actor, Entry, Kind},
    company::DEFAULT_ID,
    edge::{Code, Problem},
    mail::{self, EmailAddress, Mail, Template},
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// What a link is for, and whose it is.
#[derive(Debug, Clone)]
enum Found {
    /// Who has registered.
    Registration(Waiting),
    /// Who is invited.
    Invitation(User),
    /// Whose address changes, and to what.
    Email(User, EmailAddress),
}

/// What became of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Done {
    /// It was done now, or before under the same request id.
    Confirmed {
        /// Whether a company was founded now.
        founded: bool,
    },
    /// Somebody was faster.
    Invalid,
}

impl Accounts {
    /// Does what the link is for, if the password is right.
    ///
    /// # Errors
    ///
    /// `link_invalid`, `invalid_credentials`, `weak_password`, `too_many_logins`, `login_busy`, and those of the database.
    pub(super) async fn confirm(
        &self,
        origin: &Origin,
        (purpose, id): (Purpose, Uuid),
        password: SecretString,
    ) -> Result<(), Problem> {
        let once = origin.once("confirm", &id.to_string());
        if self.was_done(once.as_ref()).await? {
            return Ok(());
        }
        let done = self.read("find_link", move |connection| {
            Box::pin(find(connection, purpose, id))
        });
        let found = done.await?;
        let found = found.ok_or(Code::LinkInvalid)?;
        let hash = self.hash_for(origin, id, &found, password).await?;
        let from = origin.clone();
        let done = self.database()?.write("confirm", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                if Once::begin(once.as_ref(), connection).await? != Turn::First {
                    return Ok(Done::Confirmed { founded: false });
                }
                let done = found.confirm(connection, &from, id, hash).await?;
                if done == Done::Invalid {
                    Once::undo(once.as_ref(), connection).await?;
                }
                Ok(done)
            })
        });
        match done.await {
            Ok(Done::Confirmed { founded }) => {
                self.metrics
                    .registrations
                    .of(Step::Done)
                    .inc_by(founded.into());
                self.wake_mailer();
                Ok(())
            }
            // Somebody else has the address by now.
            Ok(Done::Invalid) | Err(DatabaseError::UniqueViolation) => {
                Err(Code::LinkInvalid.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The hash of the password that the account is going to have.
    async fn hash_for(
        &self,
        origin: &Origin,
        link: Uuid,
        found: &Found,
        password: SecretString,
    ) -> Result<Option<String>, Problem> {
        let (hash, account) = match found {
            Found::Invitation(user) => {
                self.check_strength(&password, "password", &user.names())
                    .await?;
                return self.hashed(password).await.map(Some);
            }
            Found::Registration(waiting) => (Some(&waiting.password_hash), None),
            Found::Email(user, _) => (user.password_hash.as_ref(), Some(user)),
        };
        let hash = hash.ok_or(Code::LinkInvalid)?.clone();
        let guessed = match account {
            Some(user) => Entry::new(user.company, Actor::User(user.id), Action::AccountEmail),
            None => Entry::new(DEFAULT_ID, Actor::Anonymous, Action::AccountConfirm),
        };
        self.prove(
            origin,
            &format!("link {link}"),
            hash,
            password,
            origin.of(guessed),
        )
        .await?;
        Ok(None)
    }
}

async fn find(
    connection: &mut Connection<'_>,
    purpose: Purpose,
    id: Uuid,
) -> Result<Option<Found>, DatabaseError> {
    connection.across_companies().await?;
    let Some(Link { subject, email }) = links::find(connection, purpose, id).await? else {
        return Ok(None);
    };
    Ok(match (purpose, subject) {
        (Purpose::Registration, Subject::Registration(id)) => {
            let waiting = Waiting::find(connection, id).await?;
            waiting.map(Found::Registration)
        }
        (Purpose::Invitation, Subject::User { company, id }) => {
            let user = User::find(connection, company, id).await?;
            let user = user.filter(|user| user.state == State::Invited && !user.company_suspended);
            match user {
                // Whoever has confirmed the address meanwhile, in another company, has it.
                Some(user) if is_owned(connection, &user).await? => None,
                user => user.map(Found::Invitation),
            }
        }
        (Purpose::Email, Subject::User { company, id }) => {
            let user = User::find(connection, company, id).await?;
            let email = email.and_then(|email| email.parse().ok());
            let user = user.filter(User::may_log_in).zip(email);
            user.map(|(user, email)| Found::Email(user, email))
        }
        _ => None,
    })
}

/// Whether somebody has the address with which a user is invited.
async fn is_owned(connection: &mut Connection<'_>, user: &User) -> Result<bool, DatabaseError> {
    let email_key = user.email.as_deref().map(str::to_ascii_lowercase);
    let owner = User::find_by_email(connection, &email_key.unwrap_or_default()).await?;
    Ok(owner.is_some())
}

impl Found {
    /// Uses the link up, and does what it is for.
    async fn confirm(
        self,
        connection: &mut Connection<'_>,
        origin: &Origin,
        link: Uuid,
        hash: Option<String>,
    ) -> Result<Done, DatabaseError> {
        let founded = matches!(self, Self::Registration(_));
        if let Self::Registration(waiting) = &self {
            waiting.lock(connection).await?;
        }
        if !links::use_up(connection, link).await? {
            return Ok(Done::Invalid);
        }
        // Only who founds a company goes on across all of them.
        if let Self::Invitation(user) | Self::Email(user, _) = &self {
            connection.within(user.company).await?;
        }
        match (self, hash) {
            (Self::Registration(waiting), _) => {
                register(connection, origin, waiting).await?;
            }
            (Self::Invitation(user), Some(hash)) => {
                if !accept(connection, &user, &hash).await? {
                    return Ok(Done::Invalid);
                }
                let actor = Actor::User(user.id);
                let entry = Entry::new(user.company, actor, Action::AccountConfirm);
                let entry = origin.of(entry.on(Kind::User, user.id));
                audit::record(connection, &entry).await?;
            }
            (Self::Email(user, email), _) => {
                if !change_email(connection, &user, &email).await? {
                    return Ok(Done::Invalid);
                }
                let actor = Actor::User(user.id);
                let entry = Entry::new(user.company, actor, Action::AccountEmail);
                let entry = origin.of(entry.on(Kind::User, user.id));
                audit::record(connection, &entry).await?;
            }
            (Self::Invitation(_), None) => return Ok(Done::Invalid),
        }
        Ok(Done::Confirmed { founded })
    }
}

/// Founds the company, and tells its founder what it is called. All that wait for the address are
/// over.
async fn register(
    connection: &mut Connection<'_>,
    origin: &Origin,
    waiting: Waiting,
) -> Result<(), DatabaseError> {
    let founded = founding::found(connection, &waiting).await?;
    Waiting::delete_all_of(connection, &waiting.email_key).await?;
    let mail = Mail {
        to: waiting.email,
        company: Some(founded.company),
        template: Template::Welcome {
            company: founded.name,
            username: waiting.username,
        },
    };
    mail::enqueue(connection, &mail).await?;
    let actor = Actor::User(founded.user);
    let founding = Entry::new(founded.company, actor, Action::CompanyCreate);
    let confirming = Entry::new(founded.company, actor, Action::AccountConfirm);
    let entries = [
        origin.of(founding.on(Kind::Company, founded.company)),
        origin.of(confirming.on(Kind::User, founded.user)),
    ];
    audit::record_all(connection, &entries).await
}

/// Lets them in. The address is theirs from now on.
///
/// # Errors
///
/// [`DatabaseError::UniqueViolation`], if somebody else has it by now.
async fn accept(
    connection: &mut Connection<'_>,
    user: &User,
    hash: &str,
) -> Result<bool, DatabaseError> {
    let now = schema::now(connection).await?;
    let accepted = on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE users SET password_hash = $3, state = 'active', updated_at = $4, email_key = $5
             WHERE company_id = $1 AND id = $2 AND state = 'invited'",
        ))
        .bind(user.company)
        .bind(user.id)
        .bind(hash)
        .bind(now)
        .bind(user.email.as_deref().map(str::to_ascii_lowercase))
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    links::void(connection, user.company, user.id, Purpose::Invitation).await?;
    Ok(accepted == 1)
}

/// What they had before gets to know it.
async fn change_email(
    connection: &mut Connection<'_>,
    user: &User,
    email: &EmailAddress,
) -> Result<bool, DatabaseError> {
    let now = schema::now(connection).await?;
    let changed = on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE users SET email = $3, email_key = $4, updated_at = $5
             WHERE company_id = $1 AND id = $2 AND state = 'active'",
        ))
        .bind(user.company)
        .bind(user.id)
        .bind(email.as_str())
        .bind(email.key())
        .bind(now)
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    // Another one that was asked for before would take it back.
    links::void(connection, user.company, user.id, Purpose::Email).await?;
    // To the address that it no longer is.
    links::void(connection, user.company, user.id, Purpose::Reset).await?;
    if let Some(before) = user.email.clone() {
        let mail = Mail {
            to: before,
            company: Some(user.company),
            template: Template::EmailChanged,
        };
        mail::enqueue(connection, &mail).await?;
    }
    Ok(changed == 1)
}
