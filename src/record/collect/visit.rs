//! A visit of a page, from what was sent to how it ended.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{
            ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ORIGIN, USER_AGENT, VARY,
        },
        request::Parts,
    },
};

use super::{Collect, known::WriteKey, metrics::Reason, unwanted};
use crate::{
    counting::{
        CountError, CounterId, CounterName, Identity, Visit,
        carried::{Carried, Page, Seen},
        identity::IdentityKind,
    },
    edge::{ClientAddress, Code, Problem, RequestContext},
    telemetry::metrics::Label,
};

/// Says why a request was not counted.
pub const NOT_COUNTED: HeaderName = HeaderName::from_static("footfall-not-counted");

/// What a page may read beside what every page may.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("Footfall-Not-Counted, Retry-After, X-Request-ID");

/// What is known of a request beside what the page says.
pub struct Around {
    /// Its header fields.
    pub headers: HeaderMap,
    address: Option<IpAddr>,
    context: Option<RequestContext>,
}

impl<S: Sync> FromRequestParts<S> for Around {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        Ok(Self {
            headers: parts.headers.clone(),
            address,
            context: parts.extensions.get().cloned(),
        })
    }
}

/// How it ended.
pub struct Ended {
    /// The origin of the page, if its key is for it: such a page may read the answer.
    origin: Option<HeaderValue>,
    /// Why it was not counted, if it is no visit of a person.
    pub done: Result<Option<Reason>, Problem>,
}

impl Ended {
    /// The header fields by which its page may read the answer (Fetch standard, 3.3). No credentials
    /// are asked for, so nothing more is needed.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(VARY, HeaderValue::from_name(ORIGIN));
        if let Some(origin) = &self.origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        if let Ok(Some(reason)) = &self.done {
            headers.insert(NOT_COUNTED, HeaderValue::from_static(reason.value()));
        }
        headers
    }
}

impl Collect {
    /// Counts what a page of this origin has sent.
    pub async fn take(
        &self,
        page: Result<Page, Problem>,
        origin: Option<String>,
        around: &Around,
    ) -> Ended {
        let (page, key, origin) = match self.admit(page, origin) {
            Ok(admitted) => admitted,
            Err(problem) => {
                return Ended {
                    origin: None,
                    done: Err(problem),
                };
            }
        };
        Ended {
            origin: HeaderValue::try_from(origin).ok(),
            done: self.count(page, &key, around).await,
        }
    }

    /// Whether such a page may send anything.
    fn admit(
        &self,
        page: Result<Page, Problem>,
        origin: Option<String>,
    ) -> Result<(Page, Arc<WriteKey>, String), Problem> {
        let page = page.map_err(|problem| self.refused(Reason::Fields, problem))?;
        let Some(key) = &page.key else {
            let problem = Problem::from(Code::InvalidVisit)
                .with_detail("`key` is missing: it must be a write key.")
                .of_field("key");
            return Err(self.refused(Reason::Fields, problem));
        };
        let key = self.keys.find(key, &self.revocations);
        let key = key.map_err(|problem| match problem.code {
            Code::InvalidWriteKey => self.refused(Reason::Key, problem),
            _ => problem,
        })?;
        match origin.filter(|origin| key.admits(origin)) {
            Some(origin) => Ok((page, key, origin)),
            None => Err(self.refused(Reason::Origin, Code::OriginNotAllowed)),
        }
    }

    async fn count(
        &self,
        page: Page,
        key: &WriteKey,
        around: &Around,
    ) -> Result<Option<Reason>, Problem> {
        let counter = CounterId {
            company: key.company,
            name: self.counter(page.counter, key)?,
        };
        if let Some(reason) = unwanted::reason(&around.headers) {
            self.metrics.not_counted.of(reason).inc();
            return Ok(Some(reason));
        }
        key.budget.take().map_err(|wait| {
            let detail = "This write key sends more visits than its rate allows; wait as long as Retry-After says. This one was not counted.";
            let problem = Problem::from(Code::TooManyRequests).with_detail(detail);
            self.refused(Reason::Rate, problem.retry_after(wait))
        })?;
        let visit = Visit {
            identity: self.identity(page.id.as_deref(), key, around),
            pass: Some(key.pass.clone()),
            carried: carried(page.carried, around),
        };
        // Pages cannot know what is recorded, and their visits are visits all the same.
        match self.counting.visit_in_any_case(counter, visit).await {
            Ok(_) => Ok(None),
            Err(CountError::Revoked) => Err(self.refused(Reason::Key, Code::InvalidWriteKey)),
            Err(error) => Err(error.into()),
        }
    }

    /// Where it is counted.
    fn counter(&self, named: Option<CounterName>, key: &WriteKey) -> Result<CounterName, Problem> {
        let counter = match named {
            None => key.counters.first(),
            Some(named) => key.counters.iter().find(|known| **known == named),
        };
        counter.cloned().ok_or_else(|| {
            let problem = Problem::from(Code::Forbidden)
                .with_detail("This write key is not for this counter. Nothing was counted. Its counters are listed by GET /api/write-keys.")
                .of_field("counter");
            self.refused(Reason::Counter, problem)
        })
    }

    /// The id that the page gave, else that of the proxy, as for all visits.
    fn identity(&self, id: Option<&str>, key: &WriteKey, around: &Around) -> Option<Identity> {
        if let Some(id) = id {
            return Some(Identity::new(
                IdentityKind::Key,
                &key.subject,
                id.as_bytes(),
            ));
        }
        let id = around.context.as_ref().map(|context| &context.id);
        let id = id.filter(|id| id.is_the_proxys && self.request_ids_identify)?;
        let (kind, value) = (IdentityKind::Request, id.value.as_bytes());
        Some(Identity::new(kind, &key.subject, value))
    }

    fn refused(&self, reason: Reason, problem: impl Into<Problem>) -> Problem {
        self.metrics.not_counted.of(reason).inc();
        problem.into()
    }
}

/// Who gives no name is seen, and told apart for a day.
fn carried(mut carried: Carried, around: &Around) -> Option<Arc<Carried>> {
    if let (None, Some(address)) = (&carried.visitor, around.address) {
        let agent = around.headers.get(USER_AGENT);
        let agent = agent.map_or(&b""[..], HeaderValue::as_bytes);
        carried.seen = Some(Seen {
            address,
            agent: String::from_utf8_lossy(agent).into(),
        });
    }
    carried.unless_empty().map(Arc::new)
}
