//! Logging in: throttle, password, token.

use std::{net::IpAddr, sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::task::TaskTracker;

use super::{
    metrics::{AuthMetrics, LoginOutcome},
    password::{Passwords, Whose},
    role::Role,
    throttle::{Charge, Guess, Throttle, Verdict},
    token::Tokens,
};
use crate::supervision::{Panicked, Piece};

/// How often a login that waits for others of its address or user asks again. They are
/// through within some 20 ms each, perhaps on another replica, of which nothing is heard.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Why nobody was logged in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Wrong name or wrong password; which of them is not told.
    #[error("wrong user name or password")]
    Credentials,
    /// Too many failures; the time to wait.
    #[error("too many failed logins")]
    Throttled(Duration),
    /// Too many logins at once.
    #[error("too many logins at once")]
    Busy,
    /// A bug: whether the password is right is unknown.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// The token could not be signed.
    #[error("the token could not be signed: {0}")]
    Signing(String),
}

/// Logs users in, on one worker thread.
pub struct Login {
    passwords: Passwords,
    throttle: Throttle,
    tokens: Arc<Tokens>,
    metrics: Arc<AuthMetrics>,
    request_timeout: Duration,
    background: TaskTracker,
}

impl Login {
    /// Puts the parts together. Nobody waits for longer than `request_timeout`; what `background`
    /// tracks is driven to its end.
    pub fn new(
        passwords: Passwords,
        throttle: Throttle,
        tokens: Arc<Tokens>,
        metrics: Arc<AuthMetrics>,
        request_timeout: Duration,
        background: TaskTracker,
    ) -> Self {
        Self {
            passwords,
            throttle,
            tokens,
            metrics,
            request_timeout,
            background,
        }
    }

    /// How long its client is served (`FOOTFALL_REQUEST_TIMEOUT`).
    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// How long the tokens are valid.
    pub fn token_ttl(&self) -> Duration {
        self.tokens.ttl()
    }

    /// Goes on with an attempt also when its client has gone.
    pub fn in_background<T: Send + 'static>(
        &self,
        attempt: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        Piece::Login.track(&self.background, attempt)
    }

    /// A token for the user, if the password is right.
    ///
    /// To be driven to its end even if the client has gone: else who hangs up
    /// would try passwords at no charge.
    ///
    /// # Errors
    ///
    /// See [`LoginError`].
    pub async fn login(
        &self,
        client: Option<IpAddr>,
        username: String,
        password: SecretString,
    ) -> Result<String, LoginError> {
        let result = self.attempt(client, username, password).await;
        let outcome = match &result {
            Ok(_) => LoginOutcome::Success,
            Err(LoginError::Throttled(_)) => LoginOutcome::Throttled,
            Err(LoginError::Busy) => LoginOutcome::Shed,
            Err(_) => LoginOutcome::Failure,
        };
        self.metrics.logins.of(outcome).inc();
        result
    }

    async fn attempt(
        &self,
        client: Option<IpAddr>,
        username: String,
        password: SecretString,
    ) -> Result<String, LoginError> {
        let place = self.passwords.queue().map_err(|_| LoginError::Busy)?;
        let charge = self.charge(client, &username).await?;
        // The store is asked before and after, never by one that keeps others from hashing.
        let whose = match username == self.passwords.settings_username() {
            true => Whose::Settings,
            false => Whose::Nobody,
        };
        let is_right = self.passwords.verify(place, whose, password);
        let is_right = is_right.await?;
        if let Some(charge) = charge {
            self.throttle.settle(charge, is_right).await;
        }
        if !is_right {
            return Err(LoginError::Credentials);
        }
        self.tokens
            .issue(&username, Role::Admin, None)
            .map_err(|error| LoginError::Signing(error.to_string()))
    }

    /// Takes the attempt for a failure until it is known to be none. `None` if the
    /// store cannot say: then it goes on, and what may have been charged is given back.
    async fn charge(
        &self,
        client: Option<IpAddr>,
        username: &str,
    ) -> Result<Option<Charge>, LoginError> {
        let deadline = Instant::now() + self.request_timeout;
        let guess = Guess::Login {
            client,
            username,
            device: None,
        };
        loop {
            match self.throttle.charge(guess).await {
                None => return Ok(None),
                Some(Verdict::Go(charge)) => return Ok(Some(charge)),
                Some(Verdict::Locked(wait)) => return Err(LoginError::Throttled(wait)),
                Some(Verdict::Crowded) if Instant::now() < deadline => sleep(ASK_AGAIN).await,
                Some(Verdict::Crowded) => return Err(LoginError::Busy),
            }
        }
    }
}
