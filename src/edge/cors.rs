//! Cross-origin requests (CORS, the Fetch standard): which pages of other origins may ask, and read the answers.
//!
//! Only those of `FOOTFALL_CORS_ORIGINS`, which are trusted like pages of our own: with
//! credentials. Without such a list nothing of this happens, and `OPTIONS` is what it always is.
//! The origin of the service itself needs none: its pages are not of another one.

use axum::http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, ORIGIN, VARY,
    },
};

use crate::config::Origin;

/// What a page may send. With credentials `*` would mean a header of that name.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Idempotency-Key, X-CSRF-Token, X-Request-ID",
);

/// What a page may read, beyond what every page may.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Allow, Footfall-As-Of, Footfall-At, Footfall-Counters, Idempotent-Replayed, Retry-After, WWW-Authenticate, X-Request-ID",
);

/// For how many seconds a browser need not ask again: as long as an origin that was taken off the
/// list may go on sending, without reading what it is answered.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origins whose pages may ask.
#[derive(Debug)]
pub struct Cors {
    origins: Box<[HeaderValue]>,
}

/// What a request asks.
#[derive(Debug)]
pub struct Asked {
    /// Its origin, if it is one of the list.
    origin: Option<HeaderValue>,
    /// Whether a browser asks if it may send another request.
    pub is_preflight: bool,
}

impl Cors {
    /// These; `None` if there are none.
    pub fn new(origins: &[Origin]) -> Option<Self> {
        let origins = origins.iter().map(|origin| {
            let value = HeaderValue::from_str(origin.as_str());
            value.expect("an origin is visible ASCII")
        });
        let origins: Box<[_]> = origins.collect();
        (!origins.is_empty()).then_some(Self { origins })
    }

    /// What this request asks. An origin that is sent twice is none.
    pub fn of<B>(&self, request: &Request<B>) -> Asked {
        let mut sent = request.headers().get_all(ORIGIN).iter();
        let origin = match (sent.next(), sent.next()) {
            (Some(origin), None) => self.origins.iter().find(|known| *known == origin).cloned(),
            _ => None,
        };
        Asked {
            is_preflight: origin.is_some()
                && request.method() == Method::OPTIONS
                && request
                    .headers()
                    .contains_key(ACCESS_CONTROL_REQUEST_METHOD),
            origin,
        }
    }
}

impl Asked {
    /// Adds what the browser must know. The methods of a path are those its `Allow` has.
    pub fn answer(self, headers: &mut HeaderMap) {
        // Also where the origin is not one of the list, or sent none: a cache would give that answer to others.
        let vary = HeaderValue::from_name(ORIGIN);
        if !headers.get_all(VARY).iter().any(|said| *said == vary) {
            headers.append(VARY, vary);
        }
        let Some(origin) = self.origin else {
            return;
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let yes = HeaderValue::from_static("true");
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        if !self.is_preflight {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        } else if let Some(methods) = headers.get(ALLOW).cloned() {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
    }
}
