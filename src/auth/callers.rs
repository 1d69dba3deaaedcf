//! Authorization, visible in a handler's signature: finds out who calls, and lets in who may.

use std::{marker::PhantomData, ops::Deref, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};

use super::{
    bearer,
    caller::Caller,
    permission::{Permission, Rule},
    revocation::Revocations,
    token::{TokenError, Tokens},
};
use crate::edge::{Code, Problem};

/// Is told who may not do what they asked for.
type Told = Box<dyn Fn(&Caller, &Parts, Rule) + Send + Sync>;

/// Finds out who calls, on one worker thread.
pub struct Callers {
    tokens: Arc<Tokens>,
    revocations: Revocations,
    denied: Option<Told>,
}

impl Callers {
    /// Puts the parts together.
    pub fn new(tokens: Arc<Tokens>, revocations: Revocations) -> Self {
        Self {
            tokens,
            revocations,
            denied: None,
        }
    }

    /// Tells this of each caller who may not do what they asked for.
    #[must_use]
    pub fn telling(
        mut self,
        denied: impl Fn(&Caller, &Parts, Rule) + Send + Sync + 'static,
    ) -> Self {
        self.denied = Some(Box::new(denied));
        self
    }

    /// Who sent this request.
    ///
    /// # Errors
    ///
    /// The problem to answer with.
    pub async fn of(&self, parts: &Parts) -> Result<Arc<Caller>, Problem> {
        let token = bearer::token(&parts.headers)?;
        let caller = self.tokens.verify(token).map_err(|error| match error {
            TokenError::Expired => Code::ExpiredToken.into(),
            TokenError::Invalid => bearer::refusal(token),
        })?;
        match caller.pass.as_deref() {
            Some(pass) if self.revocations.is_revoked(pass) => Err(Code::InvalidToken.into()),
            _ => Ok(caller),
        }
    }
}

/// A caller who may do this. A handler that takes one is closed to everyone else.
#[derive(Debug, Clone)]
pub struct May<P> {
    caller: Arc<Caller>,
    permission: PhantomData<P>,
}

impl<P> Deref for May<P> {
    type Target = Arc<Caller>;

    fn deref(&self) -> &Arc<Caller> {
        &self.caller
    }
}

impl<S, P> FromRequestParts<S> for May<P>
where
    S: Sync,
    P: Permission,
    Arc<Callers>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let callers = Arc::<Callers>::from_ref(state);
        let caller = callers.of(parts).await?;
        caller.may::<P>().inspect_err(|_| {
            if let Some(denied) = &callers.denied {
                denied(&caller, parts, P::RULE);
            }
        })?;
        Ok(Self {
            caller,
            permission: PhantomData,
        })
    }
}
