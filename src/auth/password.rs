//! Passwords: Argon2id, off the async threads, a few at a time.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use argon2::{Argon2, Block, password_hash::PasswordHasher};
use prometheus::IntCounter;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::strength::{self, Weakness};
use crate::config::phc::{self, Hash};
use crate::config::{AdminCredential, AuthSettings};
use crate::supervision::{Panicked, Piece};

/// Logins that may wait for their turn. At some 20 ms each, the last of them
/// waits a second or two.
const WAITING_LIMIT: usize = 64;

/// Makes the PHC string of a password, with the crate's parameters, which are
/// those OWASP recommends: Argon2id, 19 MiB, 2 passes, 1 lane.
///
/// # Errors
///
/// If the system has no randomness for a salt.
pub fn hash(password: &str) -> argon2::password_hash::Result<String> {
    Ok(Argon2::default()
        .hash_password(password.as_bytes())?
        .to_string())
}

/// Too many logins are waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// Checks passwords.
#[derive(Clone)]
pub struct Passwords {
    account: Arc<Account>,
    /// Hashing takes a core and, commonly, 19 MiB ([`phc::at_once`]).
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    hashed: IntCounter,
}

struct Account {
    username: String,
    credential: AdminCredential,
    /// A password from the settings is hashed at the first login, not at each start.
    hash: OnceLock<SecretString>,
    /// With today's parameters, as users have them: those of the settings' hash may be others.
    of_nobody: OnceLock<SecretString>,
    /// Memory of hashes, as many as run at a time, kept for the next ones. glibc finds no use for
    /// such blocks once they are given back: each login would take 19 MiB more.
    memory: Mutex<Vec<Vec<Block>>>,
}

/// Whose password it would be.
#[derive(Debug, Clone)]
pub enum Whose {
    /// The settings' account.
    Settings,
    /// A user with this hash.
    User(SecretString),
    /// No user is called so.
    Nobody,
    /// Nobody is, where there are no users beside the settings' account.
    NobodyElse,
}

/// A place in the queue of those whose passwords will be checked.
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Passwords {
    /// Knows the account of the settings, and counts the hashes that it computes.
    pub fn new(settings: &AuthSettings, hashed: IntCounter) -> Self {
        let blocks = match &settings.admin_credential {
            AdminCredential::Hash(hash) => Hash::parse(hash.expose_secret()).ok(),
            AdminCredential::Password(_) => None,
        }
        .map_or(argon2::Params::DEFAULT.block_count(), |hash| hash.blocks());
        let account = Account {
            username: settings.admin_username.clone(),
            credential: settings.admin_credential.clone(),
            hash: OnceLock::new(),
            of_nobody: OnceLock::new(),
            memory: Mutex::default(),
        };
        Self {
            account: Arc::new(account),
            running: Arc::new(Semaphore::new(phc::at_once(blocks).max(1))),
            waiting: Arc::new(Semaphore::new(WAITING_LIMIT)),
            hashed,
        }
    }

    /// A place in the queue.
    ///
    /// # Errors
    ///
    /// If too many wait already.
    pub fn queue(&self) -> Result<Place, Busy> {
        match self.waiting.clone().try_acquire_owned() {
            Ok(permit) => Ok(Place { _permit: permit }),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => Err(Busy),
        }
    }

    /// The name of the settings' account.
    pub fn settings_username(&self) -> &str {
        &self.account.username
    }

    /// Whether this is the password, once it is this one's turn. That of nobody costs the same
    /// work as a wrong one, so that nothing tells them apart.
    ///
    /// # Errors
    ///
    /// If there is a bug.
    pub async fn verify(
        &self,
        place: Place,
        whose: Whose,
        password: SecretString,
    ) -> Result<bool, Panicked> {
        let account = self.account.clone();
        self.hashed.inc();
        let is_right = move || account.is_password(&whose, &password);
        Ok(self.work(place, is_right).await?.unwrap_or(false))
    }

    /// The PHC string of a user's password, once it is this one's turn.
    ///
    /// # Errors
    ///
    /// If there is a bug, or the system has no randomness.
    pub async fn hash(&self, place: Place, password: SecretString) -> Result<String, Panicked> {
        let password = strength::normalized(&password);
        self.hashed.inc();
        let hashed = self.work(place, move || hash(password.expose_secret()).ok());
        let hashed = hashed.await?.flatten();
        hashed.ok_or(Panicked(Piece::PasswordHash))
    }

    /// Why this password is not good enough for a new one, if it is not, once it is this one's
    /// turn. See [`strength`].
    ///
    /// # Errors
    ///
    /// If there is a bug.
    pub async fn judge(
        &self,
        place: Place,
        password: SecretString,
        min_chars: usize,
        context: Vec<String>,
    ) -> Result<Option<Weakness>, Panicked> {
        let judging = move || strength::weakness(&password, min_chars, &context);
        Ok(self.work(place, judging).await?.flatten())
    }

    /// Computes off the async threads, a few at a time; `None` while the process ends.
    async fn work<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>, Panicked> {
        let Ok(turn) = self.running.clone().acquire_owned().await else {
            return Ok(None);
        };
        drop(place);
        let work = move || {
            // Held until the work is done, even if nobody waits for it.
            let _turn = turn;
            work()
        };
        let done = Piece::PasswordHash.blocking(work).await;
        done.map(Some).map_err(|_| Panicked(Piece::PasswordHash))
    }
}

impl Account {
    fn is_password(&self, whose: &Whose, password: &SecretString) -> bool {
        let hash = match (whose, &self.credential) {
            (Whose::User(hash), _) => hash,
            (Whose::Nobody, _) => self.hash_of_nobody(),
            (_, AdminCredential::Hash(hash)) => hash,
            (_, AdminCredential::Password(password)) => self.hash.get_or_init(|| {
                // Without randomness no hash matches, and nobody gets in.
                SecretString::from(hash(password.expose_secret()).unwrap_or_default())
            }),
        };
        let normalized = match whose {
            Whose::Settings => None,
            _ => Some(strength::normalized(password)),
        };
        let password = normalized.as_ref().unwrap_or(password);
        let matches = self.matches(hash, password);
        // Where the settings' hash takes other work than those of users, everybody's password takes both:
        // else time would tell by which name the settings' account logs in.
        match (whose, self.odd_hash()) {
            (Whose::NobodyElse, _) | (_, None) => {}
            (Whose::Settings, Some(_)) => drop(self.matches(self.hash_of_nobody(), password)),
            (Whose::User(_) | Whose::Nobody, Some(odd)) => drop(self.matches(odd, password)),
        }
        // Not before the hash, which would spare nobody's password the work and so give it away.
        matches & !matches!(whose, Whose::Nobody | Whose::NobodyElse)
    }

    /// With today's parameters, and no password's.
    fn hash_of_nobody(&self) -> &SecretString {
        self.of_nobody
            .get_or_init(|| SecretString::from(hash("").unwrap_or_default()))
    }

    /// The hash in the settings, if it has other parameters than those of users.
    fn odd_hash(&self) -> Option<&SecretString> {
        match &self.credential {
            AdminCredential::Hash(hash) => {
                let parsed = Hash::parse(hash.expose_secret());
                let is_odd = parsed.is_ok_and(|parsed| !parsed.is_of_today());
                is_odd.then_some(hash)
            }
            AdminCredential::Password(_) => None,
        }
    }

    /// Whether a hash is that of a password.
    fn matches(&self, hash: &SecretString, password: &SecretString) -> bool {
        Hash::parse(hash.expose_secret()).is_ok_and(|hash| {
            #[cfg(test)]
            tests::HASHED.with_borrow_mut(|hashed| hashed.push(hash.blocks()));
            let mut memory = self.memory().pop().unwrap_or_default();
            let matches = hash.matches(password.expose_secret().as_bytes(), &mut memory);
            self.memory().push(memory);
            matches
        })
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::config::Settings;

    thread_local! {
        /// Password hashes computed on this thread, by the blocks of memory that each took.
        pub(super) static HASHED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    #[test]
    fn a_wrong_name_costs_the_same_work_as_a_wrong_password() {
        let account = Account {
            username: "admin".to_owned(),
            credential: AdminCredential::Hash(SecretString::from(hash("right").unwrap())),
            hash: OnceLock::new(),
            of_nobody: OnceLock::new(),
            memory: Mutex::default(),
        };
        let user = || Whose::User(SecretString::from(hash("theirs").unwrap()));
        for (whose, password, matches) in [
            (Whose::Settings, "right", true),
            (Whose::Settings, "wrong", false),
            (user(), "theirs", true),
            (user(), "right", false),
            (Whose::Nobody, "right", false),
            (Whose::Nobody, "wrong", false),
            (Whose::Nobody, "", false),
            (Whose::NobodyElse, "right", false),
            (Whose::NobodyElse, "", false),
        ] {
            HASHED.take();
            assert_eq!(
                account.is_password(&whose, &SecretString::from(password)),
                matches
            );
            assert_eq!(HASHED.take().len(), 1, "{whose:?} {password}");
        }
    }

    /// The hash of the settings may take other work than those of users: whoever is meant, both are done.
    #[test]
    fn every_name_costs_the_same_whatever_the_hash_of_the_settings_costs() {
        let cheap = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA";
        let account = Account {
            username: "admin".to_owned(),
            credential: AdminCredential::Hash(SecretString::from(cheap)),
            hash: OnceLock::new(),
            of_nobody: OnceLock::new(),
            memory: Mutex::default(),
        };
        let ours = argon2::Params::DEFAULT.block_count();
        let user = Whose::User(SecretString::from(hash("theirs").unwrap()));
        for (whose, expected) in [
            // Without a database there are no users to look like.
            (Whose::NobodyElse, &[8][..]),
            (Whose::Settings, &[8, ours]),
            (Whose::Nobody, &[8, ours]),
            (user.clone(), &[8, ours]),
        ] {
            HASHED.take();
            account.is_password(&whose, &SecretString::from("any"));
            let mut hashed = HASHED.take();
            hashed.sort_unstable();
            assert_eq!(hashed, expected, "{whose:?}");
        }
        assert!(account.is_password(&user, &SecretString::from("theirs")));
    }

    fn counter() -> IntCounter {
        IntCounter::new("hashes", "hashes").unwrap()
    }

    #[tokio::test]
    async fn what_is_typed_the_same_is_the_same_password_of_a_user() {
        let (composed, decomposed) = (
            "caf\u{e9} caf\u{e9} caf\u{e9}",
            "cafe\u{301} cafe\u{301} cafe\u{301}",
        );
        let settings = Settings::of(&[]).auth;
        let settings = AuthSettings {
            admin_credential: AdminCredential::Password(SecretString::from(decomposed)),
            ..settings
        };
        let passwords = Passwords::new(&settings, counter());
        let place = || passwords.queue().unwrap();
        let hash = passwords
            .hash(place(), SecretString::from(decomposed))
            .await;
        let user = Whose::User(SecretString::from(hash.unwrap()));
        for (whose, password, expected) in [
            (&user, composed, true),
            (&user, decomposed, true),
            (&user, "cafe cafe cafe", false),
            // As it stands in the settings.
            (&Whose::Settings, decomposed, true),
            (&Whose::Settings, composed, false),
        ] {
            let verified = passwords.verify(place(), whose.clone(), SecretString::from(password));
            assert_eq!(verified.await, Ok(expected), "{whose:?} {password}");
        }
    }

    #[tokio::test]
    async fn a_new_password_is_judged() {
        let passwords = Passwords::new(&Settings::of(&[]).auth, counter());
        let judged = async |password: &str| {
            let context = vec!["ada@example.org".to_owned()];
            let place = passwords.queue().unwrap();
            let judged = passwords.judge(place, SecretString::from(password), 15, context);
            judged.await.unwrap()
        };
        assert_eq!(judged("short").await, Some(Weakness::TooShort(15)));
        assert_eq!(judged("correct horse battery staple").await, None);
    }
}
