//! Where a request comes from.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header::USER_AGENT, request::Parts},
};

use super::once::Once;
use crate::{
    audit::Entry,
    edge::{ClientAddress, RequestContext},
};

/// Longest `User-Agent` that is kept, in characters: enough to tell one's devices apart.
const MAX_USER_AGENT: usize = 200;

/// What is known of a request beside what it asks.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Under it the log knows the request.
    pub request_id: String,
    /// The client's address, if anybody told.
    pub address: Option<IpAddr>,
    /// What the client says that it is.
    pub user_agent: Option<String>,
    context: Option<RequestContext>,
}

impl Origin {
    /// The operation, if a proxy vouches for the request's id; see [`Once`].
    pub fn once(&self, operation: &'static str, caller: &str) -> Option<Once> {
        Once::new(self.context.as_ref()?, operation, caller)
    }

    /// As if a proxy vouched for this id: that of a form, which its reader may send more than once. Only
    /// where the caller is known, to whom the id is bound.
    #[must_use]
    pub fn under(mut self, id: HeaderValue) -> Self {
        if let Some(context) = &mut self.context {
            context.id.value = id;
            context.id.is_the_proxys = true;
        }
        self
    }

    /// Tells in an entry of the audit trail where it came from.
    #[must_use]
    pub fn of(&self, entry: Entry) -> Entry {
        entry.from_request(self.request_id.clone(), self.address)
    }
}

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        let context = parts.extensions.get::<RequestContext>().cloned();
        let id = context.as_ref().map(|context| context.id.value.as_bytes());
        let user_agent = parts.headers.get(USER_AGENT);
        Ok(Self {
            request_id: String::from_utf8_lossy(id.unwrap_or_default()).into_owned(),
            address,
            user_agent: user_agent.and_then(|agent| {
                let agent = agent.to_str().ok()?;
                Some(agent.chars().take(MAX_USER_AGENT).collect())
            }),
            context,
        })
    }
}
