//! Logging in: throttle, password, session.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    Sessions,
    logout::Shown,
    lookup::{Found, Who, look_up},
    row::{Granted, IDLE, Kind, Opening, Owner, owner},
};
use crate::{
    accounts::{
        Change,
        once::{Once, Turn},
        origin::Origin,
        user::User,
    },
    audit::{self, Action, Actor, Details, Entry, Kind as Object},
    auth::{
        SETTINGS_ACCOUNT,
        device::Device,
        metrics::LoginOutcome,
        throttle::{Charge, Guess, Verdict},
    },
    company,
    config::phc::Hash,
    edge::{Code, Problem},
    storage::sql::{Connection, DatabaseError},
};

/// How often a login that waits for others of its address or user asks again. They are
/// through within some 20 ms each, perhaps on another replica, of which nothing is heard.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Who wants to log in.
pub struct Credentials {
    /// What they call themselves.
    pub username: String,
    /// Their password.
    pub password: SecretString,
    /// How they want their tokens.
    pub kind: Kind,
    /// What they log in with.
    pub device: Device,
    /// The session whose cookies the next ones take the place of, and which ends.
    pub replaces: Option<Uuid>,
}

/// The time as device cookies have it.
pub(super) fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

impl Sessions {
    /// A session, or for the settings' account without a database a token, if the password is right.
    ///
    /// To be driven to its end even if the client has gone: else who hangs up
    /// would try passwords at no charge.
    ///
    /// # Errors
    ///
    /// The problem to answer with.
    pub(super) async fn login(
        &self,
        origin: &Origin,
        credentials: Credentials,
    ) -> Result<Granted, Problem> {
        let replaces = credentials.replaces;
        let result = self.attempt(origin, credentials).await;
        let outcome = match result.as_ref().map_err(|problem| problem.code) {
            Ok(_) => LoginOutcome::Success,
            Err(Code::EmailUnconfirmed) => LoginOutcome::Unconfirmed,
            Err(Code::TooManyLogins) => LoginOutcome::Throttled,
            Err(Code::LoginBusy) => LoginOutcome::Shed,
            Err(_) => LoginOutcome::Failure,
        };
        self.metrics.logins.of(outcome).inc();
        let begun = result.as_ref().ok().and_then(|granted| granted.session);
        if let (Some(begun), Some(before)) = (begun, replaces)
            && begun.pass.session != before
        {
            self.log_out(Shown::Session(before), origin).await?;
        }
        result
    }

    async fn attempt(&self, origin: &Origin, credentials: Credentials) -> Result<Granted, Problem> {
        let Credentials {
            username,
            password,
            kind,
            device,
            replaces: _,
        } = credentials;
        let passwords = &self.accounts.passwords;
        let place = passwords.queue().map_err(|_| Code::LoginBusy)?;
        // The stores are asked before and after, never by one that keeps others from hashing.
        let (charge, found) = self.find_and_charge(origin, &username, &device).await?;
        let whose = found.whose(self.accounts.database.is_some());
        let is_right = passwords.verify(place, whose, password.clone());
        let succeeded = is_right.await.map_err(internal)? && found.may_log_in();
        let is_registered = match succeeded {
            true => Ok(false),
            false => self.is_registered(&username, &found, &password).await,
        };
        if let Some(charge) = charge {
            // Also while the database is away: else who could be charged would be the settings' account.
            let gives_back = succeeded || matches!(is_registered, Ok(true));
            self.accounts.throttle.settle(charge, gives_back).await;
        }
        if is_registered? {
            return Err(Code::EmailUnconfirmed.into());
        }
        if succeeded && let Some(granted) = self.let_in(origin, &found, kind, password).await? {
            return Ok(granted);
        }
        if !succeeded {
            self.note_failure(origin, &found);
        }
        // The settings' account is known without the database; that nobody else is must not show.
        Err(found
            .error
            .map_or(Code::InvalidCredentials.into(), Problem::from))
    }

    /// Whether this is the password of a registration that waits. Whoever has made one for the address of
    /// an account gets to hear the same as for any other; and a failure costs the same hashes,
    /// whatever there is.
    async fn is_registered(
        &self,
        username: &str,
        found: &Found,
        password: &SecretString,
    ) -> Result<bool, Problem> {
        if !username.contains('@') {
            return Ok(false);
        }
        let passwords = &self.accounts.passwords;
        let place = passwords.queue().map_err(|_| Code::LoginBusy)?;
        let whose = found.whose_registration();
        let verified = passwords.verify(place, whose, password.clone()).await;
        verified.map_err(internal)
    }

    /// What somebody gets whose password is right; `None` if they may not log in by now.
    async fn let_in(
        &self,
        origin: &Origin,
        found: &Found,
        kind: Kind,
        password: SecretString,
    ) -> Result<Option<Granted>, Problem> {
        match &found.who {
            Who::Settings => self.of_settings(origin, kind).await.map(Some),
            Who::User(user) => {
                let new_hash = self.renewed_hash(user, password).await;
                self.open(origin, opening(user, new_hash, kind, origin))
                    .await
            }
            Who::Nobody => Ok(None),
        }
    }

    /// Who is meant, and what is charged for it. Strangers are charged first, so that who tries too
    /// often costs the database nothing; for a device that is known it must be known who is meant.
    async fn find_and_charge(
        &self,
        origin: &Origin,
        username: &str,
        device: &Device,
    ) -> Result<(Option<Charge>, Found), Problem> {
        if !device.is_known() {
            let charge = self.charge(origin, username, None).await?;
            return Ok((charge, self.find(username).await));
        }
        let found = self.find(username).await;
        let device = found.user().and_then(|user| device.known_to(user));
        let charge = self.charge(origin, username, device).await?;
        Ok((charge, found))
    }

    /// Takes the attempt for a failure until it is known to be none. `None` if the
    /// store cannot say: then it goes on, and what may have been charged is given back.
    async fn charge(
        &self,
        origin: &Origin,
        username: &str,
        device: Option<Uuid>,
    ) -> Result<Option<Charge>, Problem> {
        let deadline = Instant::now() + self.request_timeout;
        let guess = Guess::Login {
            client: origin.address,
            username,
            device,
        };
        loop {
            match self.accounts.throttle.charge(guess).await {
                None => return Ok(None),
                Some(Verdict::Go(charge)) => return Ok(Some(charge)),
                Some(Verdict::Locked(wait)) => {
                    return Err(Problem::from(Code::TooManyLogins).retry_after(wait));
                }
                Some(Verdict::Crowded) if Instant::now() < deadline => sleep(ASK_AGAIN).await,
                Some(Verdict::Crowded) => return Err(Code::LoginBusy.into()),
            }
        }
    }

    /// Who is meant. The database is asked the same for every name, that of the settings' account
    /// included, so that no time tells which there are.
    async fn find(&self, username: &str) -> Found {
        let of_settings = username == self.accounts.passwords.settings_username();
        let nobody = Found::without_database(of_settings);
        let Some(database) = &self.accounts.database else {
            return nobody;
        };
        match look_up(database, username.to_owned()).await {
            Ok(found) if !of_settings => found,
            Ok(_) => nobody,
            Err(error) => Found {
                error: Some(error),
                ..nobody
            },
        }
    }

    /// The settings' account gets in also while the database is away.
    async fn of_settings(&self, origin: &Origin, kind: Kind) -> Result<Granted, Problem> {
        if self.accounts.database.is_none() {
            return Ok(Granted::without_session());
        }
        let opened = self.open_of_settings(origin, kind).await;
        match opened {
            Ok(granted) => Ok(granted),
            Err(problem) if problem.code == Code::DatabaseUnavailable => {
                tracing::warn!(
                    cause = problem.cause,
                    "the account of the settings logs in without a session"
                );
                Ok(Granted::without_session())
            }
            Err(problem) => Err(problem),
        }
    }

    async fn open_of_settings(&self, origin: &Origin, kind: Kind) -> Result<Granted, Problem> {
        let user = self.accounts.read("find_settings_account", |connection| {
            Box::pin(async move {
                connection.within(company::DEFAULT_ID).await?;
                User::find(connection, company::DEFAULT_ID, SETTINGS_ACCOUNT).await
            })
        });
        let user = user.await?.ok_or_else(missing)?;
        let opened = self.open(origin, opening(&user, None, kind, origin));
        opened.await?.ok_or_else(missing)
    }

    /// Begins a session: once for each request, however often a proxy sends it.
    async fn open(&self, origin: &Origin, opening: Opening) -> Result<Option<Granted>, Problem> {
        let once = origin.once("POST /auth/login", &opening.user.to_string());
        let entry = login_entry(Some((opening.company, opening.user)), origin, opening.kind);
        let opened = self.accounts.change("login", move |connection| {
            Box::pin(async move {
                connection.within(opening.company).await?;
                begin_once(connection, once, opening, entry)
                    .await
                    .map(Change::of)
            })
        });
        opened.await
    }

    /// A hash with today's parameters, if the one that is kept has others.
    async fn renewed_hash(&self, user: &User, password: SecretString) -> Option<SecretString> {
        let kept = user.password_hash.as_ref()?.expose_secret();
        if Hash::parse(kept).is_ok_and(|hash| hash.is_of_today()) {
            return None;
        }
        // It can be done the next time as well.
        let place = self.accounts.passwords.queue().ok()?;
        let hash = self.accounts.passwords.hash(place, password).await;
        hash.ok().map(SecretString::from)
    }

    /// Tells of a failure, soon: nobody waits for it, whether the account is known or not.
    fn note_failure(&self, origin: &Origin, found: &Found) {
        let owner = match &found.who {
            Who::User(user) => Some((user.company, user.id)),
            Who::Settings => Some((company::DEFAULT_ID, SETTINGS_ACCOUNT)),
            Who::Nobody => None,
        };
        self.audit.note(failure_entry(owner, origin));
    }
}

fn opening(user: &User, new_hash: Option<SecretString>, kind: Kind, origin: &Origin) -> Opening {
    Opening {
        company: user.company,
        user: user.id,
        generation: user.generation,
        new_hash,
        kind,
        user_agent: origin.user_agent.clone(),
        address: origin.address,
    }
}

async fn begin_once(
    connection: &mut Connection<'_>,
    once: Option<Once>,
    opening: Opening,
    entry: Entry,
) -> Result<Option<Granted>, DatabaseError> {
    let of = Owner {
        company: opening.company,
        user: opening.user,
    };
    if let Turn::Repeated(session) = Once::begin(once.as_ref(), connection).await? {
        let session = session.and_then(|session| session.parse().ok());
        let Some(session) = session else {
            return Ok(None);
        };
        let goes_on = owner(connection, session).await? == Some((of, true));
        let user = User::find(connection, of.company, of.user).await?;
        let user = user.filter(|user| goes_on && user.may_log_in());
        return Ok(user.map(|user| Granted::of(user, session, 0, IDLE)));
    }
    let Some(granted) = opening.begin(connection).await? else {
        return Ok(None);
    };
    if let Some(session) = &granted.session {
        let session = session.refresh.session;
        let outcome = session.to_string();
        Once::end(once.as_ref(), connection, &outcome).await?;
        let entry = entry.on(Object::Session, session);
        audit::record(connection, &entry).await?;
    }
    Ok(Some(granted))
}

fn login_entry(owner: Option<(Uuid, Uuid)>, origin: &Origin, kind: Kind) -> Entry {
    let (company, actor) = match owner {
        Some((company, user)) => (company, Actor::person(user)),
        None => (company::DEFAULT_ID, Actor::Anonymous),
    };
    let entry = Entry::new(company, actor, Action::SessionLogin).because(Details {
        method: Some(kind.as_str()),
        ..Details::default()
    });
    origin.of(entry)
}

/// Nobody is known by a wrong password; whose account was tried is the object.
fn failure_entry(owner: Option<(Uuid, Uuid)>, origin: &Origin) -> Entry {
    let company = owner.map_or(company::DEFAULT_ID, |(company, _)| company);
    let mut entry = Entry::new(company, Actor::Anonymous, Action::SessionLogin);
    if let Some((_, user)) = owner {
        entry = entry.on(Object::User, user);
    }
    let entry = entry.ended(audit::Outcome::Failure).because(Details {
        reason: Some(Code::InvalidCredentials.as_str()),
        ..Details::default()
    });
    origin.of(entry)
}

fn internal(cause: impl std::fmt::Display) -> Problem {
    Problem::from(Code::Internal).with_cause(cause)
}

fn missing() -> Problem {
    internal("the row of the settings' account, which a migration has made, is not there")
}
