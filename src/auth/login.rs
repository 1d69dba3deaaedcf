//! Logging in: throttle, password, token.

use std::{net::IpAddr, sync::Arc, time::Duration};

use secrecy::SecretString;

use super::{
    password::Passwords,
    throttle::Throttle,
    token::{Role, Tokens},
};
use crate::ops::metrics::{LoginOutcome, Metrics};

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
    /// The token could not be signed.
    #[error("the token could not be signed: {0}")]
    Signing(String),
}

/// Logs users in, on one worker thread.
#[derive(Clone)]
pub struct Login {
    passwords: Passwords,
    throttle: Throttle,
    tokens: Arc<Tokens>,
    metrics: Arc<Metrics>,
}

impl Login {
    /// Puts the parts together.
    pub fn new(
        passwords: Passwords,
        throttle: Throttle,
        tokens: Arc<Tokens>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            passwords,
            throttle,
            tokens,
            metrics,
        }
    }

    /// A token for the user, if the password is right.
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
        self.metrics.count_login(match &result {
            Ok(_) => LoginOutcome::Success,
            Err(LoginError::Throttled(_)) => LoginOutcome::Throttled,
            Err(LoginError::Busy) => LoginOutcome::Shed,
            Err(LoginError::Credentials | LoginError::Signing(_)) => LoginOutcome::Failure,
        });
        result
    }

    async fn attempt(
        &self,
        client: Option<IpAddr>,
        username: String,
        password: SecretString,
    ) -> Result<String, LoginError> {
        // Asked only when it is this login's turn: however many arrive at once, no more slip
        // past the limit than are checked at a time.
        let turn = self.passwords.turn().await.map_err(|_| LoginError::Busy)?;
        if let Some(wait) = self.throttle.must_wait(client, &username).await {
            return Err(LoginError::Throttled(wait));
        }
        if !self
            .passwords
            .verify(turn, username.clone(), password)
            .await
        {
            self.throttle.record_failure(client, &username).await;
            return Err(LoginError::Credentials);
        }
        self.tokens
            .issue(&username, Role::Admin)
            .map_err(|error| LoginError::Signing(error.to_string()))
    }
}
