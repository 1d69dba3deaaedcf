//! Authorization, visible in a handler's signature: finds out who calls, and lets in who may.

use std::{marker::PhantomData, ops::Deref, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};

use super::{
    api_token::{self, ApiTokens, Checks},
    bearer,
    caller::Caller,
    cookies::Cookie,
    csrf::{Binding, Csrf},
    form::CsrfForm,
    permission::{Permission, Rule},
    revocation::Revocations,
    throttle::Throttle,
    token::{TokenError, Tokens},
};
use crate::edge::{Code, Problem, RequestContext};

/// Is told who may not do what they asked for.
type Told = Box<dyn Fn(&Caller, &Parts, Rule) + Send + Sync>;

/// Finds out who calls, on one worker thread.
pub struct Callers {
    tokens: Arc<Tokens>,
    revocations: Revocations,
    api_tokens: Arc<ApiTokens>,
    throttle: Throttle,
    denied: Option<Told>,
    csrf: Arc<Csrf>,
}

impl Callers {
    /// Puts the parts together.
    pub fn new(
        tokens: Arc<Tokens>,
        revocations: Revocations,
        api_tokens: Arc<ApiTokens>,
        throttle: Throttle,
        csrf: Arc<Csrf>,
    ) -> Self {
        Self {
            tokens,
            revocations,
            api_tokens,
            throttle,
            csrf,
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

    /// Who sent this request, which is about what `rule` is for. A token in `Authorization` wins
    /// over a cookie.
    ///
    /// # Errors
    ///
    /// The problem to answer with.
    pub async fn of(&self, parts: &Parts, rule: Rule) -> Result<Arc<Caller>, Problem> {
        let (caller, is_by_cookie) = self.before_csrf(parts, rule).await?;
        if is_by_cookie {
            self.check_csrf(&caller, parts, rule, None)?;
        }
        Ok(caller)
    }

    /// Who the access cookie says has sent this; what changes something is to be looked at with
    /// [`check_csrf`](Self::check_csrf) as well. `None` if there is no such cookie.
    ///
    /// # Errors
    ///
    /// `invalid_token`, `expired_token`
    pub fn by_cookie(&self, headers: &HeaderMap) -> Option<Result<Arc<Caller>, Problem>> {
        let token = self.csrf.cookies.find(headers, Cookie::Access)?;
        Some(self.living(token))
    }

    /// Lets in who may do this.
    ///
    /// # Errors
    ///
    /// The problem to answer with.
    pub fn admit<P: Permission>(
        &self,
        caller: Arc<Caller>,
        parts: &Parts,
    ) -> Result<May<P>, Problem> {
        self.check_may::<P>(&caller, parts)?;
        Ok(May {
            caller,
            permission: PhantomData,
        })
    }

    /// Who sent this request, and whether a cookie says so: then it is still to be checked that it comes
    /// from a page of ours, if it is to change something.
    async fn before_csrf(&self, parts: &Parts, rule: Rule) -> Result<(Arc<Caller>, bool), Problem> {
        let caller = match bearer::token(&parts.headers) {
            Ok(token) if token.starts_with(api_token::PREFIX) => self.machine(token, parts).await,
            Ok(token) => self.living(token),
            Err(problem) if parts.headers.contains_key(header::AUTHORIZATION) => Err(problem),
            Err(problem) => {
                let token = self.csrf.cookies.find(&parts.headers, Cookie::Access);
                let caller = self.living(token.ok_or(problem)?)?;
                return Ok((caller, rule.changes(&parts.method)));
            }
        };
        Ok((caller?, false))
    }

    /// Lets through what a page of ours asks. `field` is what a form sends in place of the header.
    ///
    /// # Errors
    ///
    /// `csrf_failed`
    pub fn check_csrf(
        &self,
        caller: &Caller,
        parts: &Parts,
        rule: Rule,
        field: Option<&str>,
    ) -> Result<(), Problem> {
        let binding = Binding::of(caller);
        let is_ours = self.csrf.check_sent(&parts.headers, &binding, field);
        if is_ours.is_err()
            && let Some(denied) = &self.denied
        {
            // It is not the permission that they lack.
            let name = Code::CsrfFailed.as_str();
            denied(caller, parts, Rule { name, ..rule });
        }
        is_ours
    }

    /// Lets through who may do this.
    fn check_may<P: Permission>(&self, caller: &Caller, parts: &Parts) -> Result<(), Problem> {
        caller.may::<P>().inspect_err(|_| {
            if let Some(denied) = &self.denied {
                denied(caller, parts, P::RULE);
            }
        })
    }

    /// Whose access token is in `Authorization`, also if it has been ended: to log out is not
    /// refused to who has. `None` if there is no such field.
    ///
    /// # Errors
    ///
    /// The problem to answer with.
    pub fn shown(&self, headers: &HeaderMap) -> Result<Option<Arc<Caller>>, Problem> {
        if !headers.contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        self.verify(bearer::token(headers)?).map(Some)
    }

    fn verify(&self, token: &str) -> Result<Arc<Caller>, Problem> {
        self.tokens.verify(token).map_err(|error| match error {
            TokenError::Expired => Code::ExpiredToken.into(),
            TokenError::Invalid => bearer::refusal(token),
        })
    }

    /// Whose token it is, if it has not been revoked.
    fn living(&self, token: &str) -> Result<Arc<Caller>, Problem> {
        let caller = self.verify(token)?;
        match caller.pass.as_deref() {
            Some(pass) if self.revocations.is_revoked(pass) => Err(Code::InvalidToken.into()),
            _ => Ok(caller),
        }
    }

    /// Whose API token it is.
    async fn machine(&self, token: &str, parts: &Parts) -> Result<Arc<Caller>, Problem> {
        if let Some(caller) = self.api_tokens.remembered(token, &self.revocations)? {
            return Ok(caller);
        }
        let context = parts.extensions.get::<RequestContext>();
        let client = context.and_then(|context| context.peer.client(&parts.headers));
        let checks = Checks {
            revocations: &self.revocations,
            throttle: &self.throttle,
        };
        // Apart, so that no other request carries the room this takes.
        Box::pin(self.api_tokens.look_up(token, client, checks)).await
    }
}

/// A caller who may do this. A handler that takes one is closed to everyone else.
#[derive(Debug, Clone)]
pub struct May<P> {
    caller: Arc<Caller>,
    permission: PhantomData<P>,
}

impl<P: Permission> May<P> {
    /// This caller, if they may: for who calls one handler from another.
    ///
    /// # Errors
    ///
    /// The problem to answer with.
    pub fn of(caller: Arc<Caller>) -> Result<Self, Problem> {
        caller.may::<P>()?;
        Ok(Self {
            caller,
            permission: PhantomData,
        })
    }
}

impl<P> May<P> {
    /// The same once more.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            caller: self.caller.clone(),
            permission: PhantomData,
        }
    }
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
        let caller = callers.of(parts, P::RULE).await?;
        callers.admit(caller, parts)
    }
}

/// As [`May`], where a page's form may send its csrf token in a field: who calls is not told before
/// that has been looked at ([`proven`](Self::proven)).
pub struct MayByForm<P> {
    caller: Arc<Caller>,
    /// What is to be checked once the form has been read.
    owed: Option<Box<(Arc<Callers>, Parts)>>,
    permission: PhantomData<P>,
}

impl<P: Permission> MayByForm<P> {
    /// The caller, if a page of ours has asked.
    ///
    /// # Errors
    ///
    /// `csrf_failed`
    pub fn proven(self, form: &CsrfForm) -> Result<Arc<Caller>, Problem> {
        if let Some(owed) = self.owed {
            let (callers, parts) = *owed;
            let field = form.csrf_token.as_deref();
            callers.check_csrf(&self.caller, &parts, P::RULE, field)?;
        }
        Ok(self.caller)
    }
}

impl<S, P> FromRequestParts<S> for MayByForm<P>
where
    S: Sync,
    P: Permission,
    Arc<Callers>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let callers = Arc::<Callers>::from_ref(state);
        let (caller, is_by_cookie) = callers.before_csrf(parts, P::RULE).await?;
        let mut owed = None;
        if is_by_cookie && CsrfForm::is_sent(&parts.headers) {
            owed = Some(Box::new((callers.clone(), parts.clone())));
        } else if is_by_cookie {
            callers.check_csrf(&caller, parts, P::RULE, None)?;
        }
        callers.check_may::<P>(&caller, parts)?;
        Ok(Self {
            caller,
            owed,
            permission: PhantomData,
        })
    }
}
