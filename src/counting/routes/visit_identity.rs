//! Which visit it is, as the headers of a request say.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderName, HeaderValue, request::Parts},
};

use super::CountingState;
use crate::{
    auth::Caller,
    counting::{
        Identity, Visit,
        identity::{IdentityKind, is_valid_key},
    },
    edge::{Code, Problem, RequestContext},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What the headers say about a visit's identity: the client's
/// `Idempotency-Key`, else the trusted proxy's `X-Request-ID`, else nothing.
pub(super) struct VisitIdentity(Option<(IdentityKind, HeaderValue)>);

impl VisitIdentity {
    /// The one visit of a request.
    pub fn visit(&self, caller: &Caller) -> Visit {
        let identity = self.0.as_ref();
        let identity =
            identity.map(|(kind, value)| Identity::new(*kind, &caller.subject, value.as_bytes()));
        let pass = caller.pass.clone();
        Visit {
            identity,
            pass,
            carried: None,
        }
    }

    /// The identity of a line of a request, where the line has none of its own. It is no other line's, and
    /// no whole request's: a header's value has no line end.
    pub fn of_line(&self, caller: &Caller, number: usize) -> Option<Identity> {
        let (kind, value) = self.0.as_ref()?;
        let value = [value.as_bytes(), format!("\n{number}").as_bytes()].concat();
        Some(Identity::new(*kind, &caller.subject, &value))
    }
}

impl<S> FromRequestParts<S> for VisitIdentity
where
    Arc<CountingState>: FromRef<S>,
    S: Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let mut keys = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        if let Some(key) = keys.next() {
            if keys.next().is_some() || !is_valid_key(key.as_bytes()) {
                return Err(Code::InvalidIdempotencyKey.into());
            }
            return Ok(Self(Some((IdentityKind::Key, key.clone()))));
        }
        let context = parts.extensions.get::<RequestContext>();
        let id = context.map(|context| &context.id);
        let id = id.filter(|id| {
            id.is_the_proxys && Arc::<CountingState>::from_ref(state).request_ids_identify
        });
        Ok(Self(id.map(|id| (IdentityKind::Request, id.value.clone()))))
    }
}
