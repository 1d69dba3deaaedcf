//! Links that are asked for: the one of a registration or an invitation again, or one for a new
//! password. Whether anybody has the address is not to be seen: the same is written and a mail is
//! sent either way, which says to whoever has the address what there is.

use std::net::IpAddr;

use uuid::Uuid;

use super::waiting::Waiting;
use crate::{
    accounts::{
        Accounts,
        links::{self, Purpose, Subject},
        metrics::Step,
        once::{Once, Turn},
        origin::Origin,
        user::{State, User},
    },
    audit::{self, Action, Actor, Entry, Kind},
    auth::throttle::Action as Limited,
    company::DEFAULT_ID,
    edge::Problem,
    mail::{self, EmailAddress, Mail, Template},
    storage::sql::{Connection, DatabaseError},
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
        let limit = wanted.limit(origin.address, &key);
        let allowed = self.throttle.allow(limit).await?;
        let is_told = allowed.is_told;
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
        let done = async { Ok(done.await?) };
        let is_first = self.counted(allowed, done).await?;
        self.wake_mailer();
        if is_first && wanted == Wanted::Password {
            self.metrics.password_resets.of(Step::Asked).inc();
        }
        Ok(())
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
