//! Links that are asked for: the one of a registration or an invitation again, or one for a new
//! password. Whether anybody has the address is not to be seen: the same is written and a mail is
//! sent either way, which says to whoever has the address what there is.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{
    Accounts, Change,
    ending::{end_sessions, renew_user},
    links::{self, Purpose, Subject},
    metrics::Step,
    once::{Once, Turn},
    origin::Origin,
    registration::Waiting,
    user::{State, User},
};
use crate::{
    audit::{self, Action, Actor, Entry, Kind},
    auth::throttle::{Action as Limited, Refusal},
    company::DEFAULT_ID,
    edge::{Code, Problem},
    mail::{self, EmailAddress, Mail, Template},
    storage::sql::{Connection, DatabaseError, on_either, schema},
};

/// Who invites, in the second mail of an invitation.
const INVITER: &str = "An administrator";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The mail of a registration or an invitation once more.
    Confirmation,
    /// A new password. Who has not confirmed their address yet gets that mail once more.
    Password,
}

impl Wanted {
    fn operation(self) -> &'static str {
        match self {
            Self::Confirmation => "resend",
            Self::Password => "forgot",
        }
    }

    fn limit(self, client: Option<IpAddr>, email: &str) -> Limited<'_> {
        match self {
            Self::Confirmation => Limited::Resend { client, email },
            Self::Password => Limited::Forgot { client, email },
        }
    }
}

impl Accounts {
    /// Sends a mail to this address, whoever has it.
    ///
    /// # Errors
    ///
    /// `too_many_requests` if too much was asked for from where this comes, and those of the database.
    pub async fn send_link(
        &self,
        origin: &Origin,
        wanted: Wanted,
        email: EmailAddress,
    ) -> Result<(), Problem> {
        self.database()?;
        let key = email.key();
        let once = origin.once(wanted.operation(), &key);
        if self.was_done(once.as_ref()).await? {
            return Ok(());
        }
        let is_told = match self
            .throttle
            .allow(wanted.limit(origin.address, &key))
            .await
        {
            Err(Refusal::Quietly) => false,
            allowed => allowed.map(|()| true)?,
        };
        let from = origin.clone();
        let done = self
            .database()?
            .write(wanted.operation(), move |connection| {
                Box::pin(async move {
                    connection.across_companies().await?;
                    if Once::begin(once.as_ref(), connection).await? != Turn::First {
                        return Ok(false);
                    }
                    let (mail, entry) = prepare(connection, wanted, &email).await?;
                    if is_told {
                        mail::enqueue(connection, &mail).await?;
                    }
                    audit::record(connection, &from.of(entry)).await?;
                    Ok(true)
                })
            });
        let is_first = done.await?;
        self.wake_mailer();
        if is_first && wanted == Wanted::Password {
            self.metrics.password_resets.of(Step::Asked).inc();
        }
        Ok(())
    }

    /// Which link a token is of that sets a password.
    pub fn reset_by(&self, token: &str) -> Option<Uuid> {
        links::verify(&self.keys, Purpose::Reset, token)
    }

    /// Sets a new password, and ends all sessions.
    ///
    /// # Errors
    ///
    /// `link_invalid`, `weak_password`, `login_busy`, and those of the database.
    pub async fn reset(
        &self,
        origin: &Origin,
        token: &str,
        password: SecretString,
    ) -> Result<(), Problem> {
        self.database()?;
        let link = self.reset_by(token).ok_or(Code::LinkInvalid)?;
        let once = origin.once("reset", &link.to_string());
        if self.was_done(once.as_ref()).await? {
            return Ok(());
        }
        let done = self.read("find_link", move |connection| {
            Box::pin(owner(connection, link))
        });
        let user = done.await?;
        let user = user.ok_or(Code::LinkInvalid)?;
        let context = [
            user.company_name.as_str(),
            user.email.as_deref().unwrap_or_default(),
            user.username.as_deref().unwrap_or_default(),
        ];
        self.check_strength(&password, "password", &context).await?;
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

/// Writes the link, and gives the mail and what there is to note in the trail. Who is disabled is
/// nobody.
async fn prepare(
    connection: &mut Connection<'_>,
    wanted: Wanted,
    email: &EmailAddress,
) -> Result<(Mail, Entry), DatabaseError> {
    let key = email.key();
    let owner = User::find_by_email(connection, &key).await?;
    let invited = User::find_invited(connection, &key).await?;
    let waiting = Waiting::newest_of(connection, &key).await?;
    // What is newest is what its reader waits for: an invitation that somebody asked for in between, or a
    // registration, must not hide the other for good.
    let is_newest = |user: &User| waiting.as_ref().is_none_or(|waiting| waiting.id < user.id);
    let is_owned = owner.is_some();
    let user = match owner {
        Some(owner) => Some(owner).filter(User::may_log_in),
        None => invited.filter(is_newest),
    };
    let entry = entry(user.as_ref(), wanted);
    let company = user.as_ref().map(|user| user.company);
    let waiting = waiting.filter(|_| !is_owned);
    let (purpose, subject, template) = plan(user, waiting, wanted);
    let link = links::create(connection, purpose, subject, None).await?;
    let mail = Mail {
        to: email.as_str().to_owned(),
        company,
        template: template(link),
    };
    Ok((mail, entry))
}

/// A mail, when its link is known.
type Linked = Box<dyn FnOnce(Uuid) -> Template + Send>;

/// Which link is made, and what the mail says.
fn plan(
    user: Option<User>,
    waiting: Option<Waiting>,
    wanted: Wanted,
) -> (Purpose, Subject, Linked) {
    let of = |user: &User| Subject::User {
        company: user.company,
        id: user.id,
    };
    match (user, waiting) {
        (Some(user), _) if user.state == State::Invited => {
            let (subject, company) = (of(&user), user.company_name);
            let by = INVITER.to_owned();
            let mail = move |link| Template::Invitation { link, company, by };
            (Purpose::Invitation, subject, Box::new(mail))
        }
        (Some(user), _) if wanted == Wanted::Password => (
            Purpose::Reset,
            of(&user),
            Box::new(|link| Template::Reset { link }),
        ),
        (Some(_), _) => (
            Purpose::Reset,
            Subject::Nobody,
            Box::new(|_| Template::AlreadyRegistered),
        ),
        (None, Some(waiting)) => {
            let subject = Subject::Registration(waiting.id);
            let (company, username) = (waiting.company, waiting.username);
            let mail = move |link| Template::Confirm {
                link,
                company,
                username,
            };
            (Purpose::Registration, subject, Box::new(mail))
        }
        (None, None) => (
            Purpose::Reset,
            Subject::Nobody,
            Box::new(|_| Template::NoAccount),
        ),
    }
}

fn entry(user: Option<&User>, wanted: Wanted) -> Entry {
    let action = match wanted {
        Wanted::Confirmation => Action::AccountResend,
        Wanted::Password => Action::AccountForgot,
    };
    match user {
        Some(user) => Entry::new(user.company, Actor::Anonymous, action).on(Kind::User, user.id),
        None => Entry::new(DEFAULT_ID, Actor::Anonymous, action),
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
    links::void(connection, id, Purpose::Reset).await?;
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

/// Gives an active user a new password, unless it has changed since they were read.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn set_password(
    connection: &mut Connection<'_>,
    user: &User,
    hash: &str,
) -> Result<bool, DatabaseError> {
    let now = schema::now(connection).await?;
    let set = on_either!(connection, |database| {
        sqlx::query(
            "UPDATE users SET password_hash = $3, updated_at = $4
             WHERE company_id = $1 AND id = $2 AND state = 'active' AND password_hash = $5",
        )
        .bind(user.company)
        .bind(user.id)
        .bind(hash)
        .bind(now)
        .bind(user.password_hash.as_ref().map(ExposeSecret::expose_secret))
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(set == 1)
}

/// Tells the owner of an account by mail that it has a new password.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn tell_of_password(
    connection: &mut Connection<'_>,
    user: &User,
) -> Result<(), DatabaseError> {
    let Some(to) = user.email.clone() else {
        return Ok(());
    };
    let mail = Mail {
        to,
        company: Some(user.company),
        template: Template::PasswordChanged,
    };
    mail::enqueue(connection, &mail).await
}
