//! Whose an API token is: remembered where it was found out, else found out.

use std::{
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lru::LruCache;
use tokio::time::{Instant, sleep};

use super::{
    HASH_BYTES,
    format::{self, is_well_formed},
    table::{self, Found},
};
use crate::{
    auth::{
        SETTINGS_ACCOUNT,
        caller::Caller,
        revocation::{Pass, Revocations, SHORTEST_LIFETIME},
        throttle::{Charge, Guess, Throttle, Verdict},
        token::unix_seconds,
    },
    company::Company,
    config::AuthSettings,
    edge::{Code, Problem},
    storage::sql::Database,
    supervision::Piece,
};

/// Tokens that are remembered. At some 600 bytes each, 2.5 MB at the most.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The least time between two notes that a token was used.
const BETWEEN_NOTES: Duration = Duration::from_mins(1);

/// The least time between two looks at all that is remembered.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(30);

/// How often one who waits for others of its address asks again, and how many times.
const ASK_AGAIN: Duration = Duration::from_millis(50);
const ASKS: usize = 40;

/// What tells good tokens from others, as one thread has it.
#[derive(Clone, Copy)]
pub struct Checks<'a> {
    /// Where what was revoked is known.
    pub revocations: &'a Revocations,
    /// How often an address may be wrong.
    pub throttle: &'a Throttle,
}

/// API tokens, for all threads of a process: what one of them has found out the others need not
/// ask the database, which may be away by then.
pub struct ApiTokens {
    database: Option<Database>,
    settings_username: String,
    /// For so long at least a revocation is known.
    revocations_last: Duration,
    known: Mutex<Known>,
}

struct Known {
    tokens: LruCache<String, Remembered>,
    /// When all of them were last compared with what is revoked.
    swept: Instant,
}

struct Remembered {
    caller: Arc<Caller>,
    noted: Option<Instant>,
}

impl ApiTokens {
    /// Those of this database.
    pub fn new(database: Option<Database>, settings: &AuthSettings) -> Self {
        let known = Known {
            tokens: LruCache::new(REMEMBERED),
            swept: Instant::now(),
        };
        Self {
            database,
            settings_username: settings.admin_username.clone(),
            revocations_last: (settings.token_ttl + settings.token_leeway).max(SHORTEST_LIFETIME),
            known: Mutex::new(known),
        }
    }

    /// Who shows this token, if that is remembered. What was revoked is not; then, as when a role
    /// has changed, it has to be found out.
    ///
    /// # Errors
    ///
    /// If it has expired.
    pub fn remembered(
        &self,
        token: &str,
        revocations: &Revocations,
    ) -> Result<Option<Arc<Caller>>, Problem> {
        let mut known = self.known();
        known.sweep(revocations, self.revocations_last);
        let Some(remembered) = known.tokens.get_mut(token) else {
            return Ok(None);
        };
        let caller = remembered.caller.clone();
        if is_revoked(&caller, revocations) {
            known.tokens.pop(token);
            return Ok(None);
        }
        if caller.expires_at <= unix_seconds() {
            known.tokens.pop(token);
            return Err(Code::ExpiredToken.into());
        }
        let now = Instant::now();
        if remembered.is_to_be_noted(now) {
            remembered.noted = Some(now);
            drop(known);
            self.note_use(&caller);
        }
        Ok(Some(caller))
    }

    /// Who shows this token, as the database knows.
    ///
    /// # Errors
    ///
    /// The problem to answer with: it is none, it is good no longer, too many from this address were
    /// wrong, or the database is away.
    pub async fn look_up(
        &self,
        token: &str,
        client: Option<IpAddr>,
        checks: Checks<'_>,
    ) -> Result<Arc<Caller>, Problem> {
        let charge = match self.charge(token, client, checks).await? {
            Turn::Found(caller) => return Ok(caller),
            Turn::Go(charge) => charge,
        };
        let Some(database) = self.database.as_ref().filter(|_| is_well_formed(token)) else {
            if let Some(charge) = charge {
                checks.throttle.settle(charge, false).await;
            }
            return Err(malformed());
        };
        let hash = format::hash(token);
        let found = database.read("api_token_find", move |connection| {
            Box::pin(table::find(connection, hash))
        });
        let caller = found
            .await
            .map(|found| self.caller(hash, found, checks.revocations));
        if let Some(charge) = charge {
            let is_right = matches!(caller, Ok(Ok(_)) | Err(_));
            checks.throttle.settle(charge, is_right).await;
        }
        let caller = caller??;
        let remembered = Remembered {
            caller: caller.clone(),
            noted: Some(Instant::now()),
        };
        self.known().tokens.put(token.to_owned(), remembered);
        self.note_use(&caller);
        Ok(caller)
    }

    /// Takes it for a wrong one until it is known to be none.
    async fn charge(
        &self,
        token: &str,
        client: Option<IpAddr>,
        checks: Checks<'_>,
    ) -> Result<Turn, Problem> {
        for _ in 0..ASKS {
            match checks.throttle.charge(Guess::ApiToken { client }).await {
                None => return Ok(Turn::Go(None)),
                Some(Verdict::Go(charge)) => return Ok(Turn::Go(Some(charge))),
                Some(Verdict::Locked(wait)) => {
                    return Err(Problem::from(Code::TooManyRequests)
                        .with_detail("Too many wrong API tokens from this address; wait as long as Retry-After says.")
                        .retry_after(wait));
                }
                Some(Verdict::Crowded) => sleep(ASK_AGAIN).await,
            }
            // One of those that are waited for may have been this very token.
            if let Some(caller) = self.remembered(token, checks.revocations)? {
                return Ok(Turn::Found(caller));
            }
        }
        Err(Problem::from(Code::TooManyRequests).retry_after(ASK_AGAIN))
    }

    fn caller(
        &self,
        hash: [u8; HASH_BYTES],
        found: Option<Found>,
        revocations: &Revocations,
    ) -> Result<Arc<Caller>, Problem> {
        let found = found.ok_or_else(unknown)?;
        if !found.is_let_in {
            return Err(unknown());
        }
        let subject = match found.user {
            SETTINGS_ACCOUNT => self.settings_username.clone(),
            user => user.to_string(),
        };
        let expires_at = found
            .expires_at
            .map_or(u64::MAX, |end| end.unsigned_abs() / 1000);
        // By the database's clock, and by the one that remembers it: to the second, so that none is good
        // again after it was not.
        if found.has_expired || expires_at <= unix_seconds() {
            return Err(Code::ExpiredToken.into());
        }
        let pass = Pass {
            session: format::pass_id(&hash),
            user: found.user,
            user_generation: found.user_generation,
            company: found.company,
            company_generation: found.company_generation,
        };
        let caller = Caller {
            subject,
            user: found.user,
            company: Company::from(found.company),
            role: found.role,
            scopes: Some(found.scopes),
            api_token: Some(found.id),
            pass: Some(Arc::new(pass)),
            expires_at,
        };
        match is_revoked(&caller, revocations) {
            true => Err(unknown()),
            false => Ok(Arc::new(caller)),
        }
    }

    /// Notes the use of a token, which nobody waits for.
    fn note_use(&self, caller: &Caller) {
        let (Some(database), Some(id)) = (self.database.clone(), caller.api_token) else {
            return;
        };
        let company = caller.company.id();
        Piece::LastUse.spawn(async move {
            let noted = database.write("api_token_use", move |connection| {
                Box::pin(table::note_use(connection, company, id))
            });
            if let Err(error) = noted.await {
                tracing::debug!(%error, "the last use of an API token was not noted");
            }
        });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Turn {
    Go(Option<Charge>),
    Found(Arc<Caller>),
}

impl Known {
    /// Drops what was revoked. A revocation is known for as long as access tokens live, and these
    /// here live longer: whatever was not compared with it in time has to be found out anew.
    fn sweep(&mut self, revocations: &Revocations, revocations_last: Duration) {
        let age = self.swept.elapsed();
        if age < BETWEEN_SWEEPS.min(revocations_last) {
            return;
        }
        if age >= revocations_last {
            self.tokens.clear();
        }
        let revoked = self
            .tokens
            .iter()
            .filter(|(_, remembered)| is_revoked(&remembered.caller, revocations));
        let revoked: Vec<_> = revoked.map(|(token, _)| token.clone()).collect();
        for token in revoked {
            self.tokens.pop(&token);
        }
        self.swept = Instant::now();
    }
}

impl Remembered {
    fn is_to_be_noted(&self, now: Instant) -> bool {
        self.noted
            .is_none_or(|noted| now.duration_since(noted) >= BETWEEN_NOTES)
    }
}

fn is_revoked(caller: &Caller, revocations: &Revocations) -> bool {
    let pass = caller.pass.as_ref();
    pass.is_some_and(|pass| revocations.is_revoked(pass))
}

fn malformed() -> Problem {
    Problem::from(Code::InvalidToken).with_detail(
        "This begins like an API token, and is none: its checksum is wrong. Was it copied whole?",
    )
}

fn unknown() -> Problem {
    Problem::from(Code::InvalidToken).with_detail(
        "This API token is not valid here: it was ended, or its owner or their company is not let in. POST /auth/tokens makes another.",
    )
}
