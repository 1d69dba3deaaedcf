//! Errors as clients see them: problem documents (RFC 9457).
//!
//! A handler returns a [`Problem`]. It travels in the response's extensions to
//! the edge, which knows the request id and writes the document. The cause, if
//! there is one, goes to the log and never to the client.

use std::{borrow::Cow, collections::BTreeMap};

use axum::{
    Json,
    body::Body,
    extract::rejection::QueryRejection,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder,
        example::ExampleBuilder, schema::Type,
    },
};

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $status:ident, $detail:literal;)+) => {
        /// What went wrong, as a stable code that programs may rely on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[doc = $doc])+ $variant,)+ }

        impl Code {
            /// All codes, in the order of their statuses.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code as it stands in the document.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The status of the response.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// What it means, and what to do about it, where nothing more is known.
            pub fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)+ }
            }
        }
    };
}

codes! {
    /// The body is not JSON.
    InvalidJson = "invalid_json", BAD_REQUEST, "The body is not valid JSON.";
    /// A parameter of the query is wrong.
    InvalidQuery = "invalid_query", BAD_REQUEST, "A parameter of the query is wrong.";
    /// No counter can have this name.
    InvalidCounterName = "invalid_counter_name", BAD_REQUEST, "A counter's name is 1 to 64 of a-z, 0-9, `.`, `_` and `-`, the first of them a letter or digit.";
    /// The `Idempotency-Key` is malformed.
    InvalidIdempotencyKey = "invalid_idempotency_key", BAD_REQUEST, "Idempotency-Key must be sent once and be 1 to 255 visible ASCII characters.";
    /// Any other malformed request.
    BadRequest = "bad_request", BAD_REQUEST, "The request is malformed.";
    /// No token was sent.
    MissingToken = "missing_token", UNAUTHORIZED, "This needs a token: send `Authorization: Bearer <token>` with one from POST /auth/login.";
    /// The token is not one of ours.
    InvalidToken = "invalid_token", UNAUTHORIZED, "The token is not valid here; get a new one from POST /auth/login.";
    /// The token has expired.
    ExpiredToken = "expired_token", UNAUTHORIZED, "The token has expired; get a new one from POST /auth/login.";
    /// Wrong name or password.
    InvalidCredentials = "invalid_credentials", UNAUTHORIZED, "The user name or the password is wrong.";
    /// There is nothing at this path.
    NotFound = "not_found", NOT_FOUND, "There is nothing at this path; the public listener's GET /openapi.json lists what there is.";
    /// Nothing was ever counted under this name.
    CounterNotFound = "counter_not_found", NOT_FOUND, "Nothing was ever counted under this name; POST counts the first visit.";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "This path does not know this method; the Allow header lists those it knows.";
    /// The request did not arrive, or was not served, in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The request took too long to arrive or to serve. If it was a visit, it may have been counted; to repeat it with the same Idempotency-Key is safe.";
    /// The body is too large.
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "The body is larger than 16 KiB.";
    /// The URI is too long.
    UriTooLong = "uri_too_long", URI_TOO_LONG, "The request target is longer than 8 KiB.";
    /// The body is not declared to be JSON.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body must be sent as `Content-Type: application/json`.";
    /// The body is compressed.
    UnsupportedContentEncoding = "unsupported_content_encoding", UNSUPPORTED_MEDIA_TYPE, "The body must be sent as it is, without a Content-Encoding such as gzip.";
    /// The body is JSON, but not the right one.
    InvalidBody = "invalid_body", UNPROCESSABLE_ENTITY, "The JSON does not have the fields, or the types, that GET /openapi.json describes.";
    /// Too many requests of one kind.
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests of this kind from this address, or with this session or token; wait as long as Retry-After says.";
    /// Too many failed logins.
    TooManyLogins = "too_many_logins", TOO_MANY_REQUESTS, "Too many failed logins from this address or for this user; wait as long as Retry-After says.";
    /// The header fields are too large.
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The header fields are larger than 16 KiB together.";
    /// A bug of ours.
    Internal = "internal_error", INTERNAL_SERVER_ERROR, "Something went wrong inside; the log has the details under this request id.";
    /// Too many requests are waiting for the store.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too many requests are waiting for the store. Nothing was counted; try again.";
    /// Too many logins are waiting.
    LoginBusy = "login_busy", SERVICE_UNAVAILABLE, "Too many logins are waiting; try again.";
    /// The store is away, and the visit was not counted.
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, "The store cannot be reached, or refuses. Nothing was counted; try again.";
    /// The store did not answer, and the visit may have been counted.
    OutcomeUnknown = "outcome_unknown", SERVICE_UNAVAILABLE, "The store did not answer in time, or failed. The visit may have been counted; to repeat it with the same Idempotency-Key is safe.";
    /// As many identities are remembered as may be.
    IdentitiesFull = "identities_full", SERVICE_UNAVAILABLE, "There is no room to remember another Idempotency-Key or request id. This visit was not counted; there is room again after the seconds that Retry-After says.";
    /// The process has not taken its addresses yet.
    Starting = "starting", SERVICE_UNAVAILABLE, "This replica is starting: its public addresses do not lead to it yet.";
    /// The process is shutting down.
    Draining = "draining", SERVICE_UNAVAILABLE, "This replica is shutting down.";
    /// A thread of the process is stuck.
    ReplicaStuck = "replica_stuck", SERVICE_UNAVAILABLE, "A thread of this replica has not moved for two seconds, so some of its answers may never come. Restart it.";
    /// The counter is new, and there are as many as there may be.
    CountersFull = "counters_full", INSUFFICIENT_STORAGE, "There is no counter of this name, and no room for another one. Nothing was counted, and trying again would not help; FOOTFALL_COUNTER_LIMIT bounds them.";
}

/// An error on its way to the client.
#[derive(Debug, Clone)]
pub struct Problem {
    /// What went wrong.
    pub code: Code,
    /// For people; [`Code::detail`] unless more is known.
    pub detail: Cow<'static, str>,
    /// For the log only.
    pub cause: Option<String>,
    retry_after: Option<u64>,
    /// What kind of mistake is in `Authorization`, beyond what the code says.
    authorization_is_malformed: bool,
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        let retry_after = (code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self {
            code,
            detail: code.detail().into(),
            cause: None,
            retry_after,
            authorization_is_malformed: false,
        }
    }
}

impl Problem {
    /// The problem a status stands for, where the framework gave nothing but that.
    pub fn of_status(status: StatusCode) -> Option<Self> {
        let code = match status {
            StatusCode::BAD_REQUEST => Code::BadRequest,
            status if status.is_server_error() => Code::Internal,
            status => *Code::ALL.iter().find(|code| code.status() == status)?,
        };
        Some(code.into())
    }

    /// Says more than the code alone.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn with_cause(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The challenge names `invalid_request` (RFC 6750, 3.1): what is wrong is not the token.
    #[must_use]
    pub fn malformed_authorization(mut self) -> Self {
        self.authorization_is_malformed = true;
        self
    }

    /// When to come back, in whole seconds, rounded up.
    #[must_use]
    pub fn retry_after(mut self, wait: std::time::Duration) -> Self {
        self.retry_after = Some(wait.as_millis().div_ceil(1000).max(1) as u64);
        self
    }

    /// The document, and the headers that go with it.
    pub fn into_document(self, request_id: &str) -> Response<Body> {
        let status = self.code.status();
        let document = ProblemDocument {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            request_id,
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some((name, value)) = self.challenge() {
            headers.insert(name, value);
        }
        if self.code == Code::UnsupportedContentEncoding {
            // RFC 9110, 12.5.3: what would be accepted.
            headers.insert(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            );
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }

    /// RFC 6750, section 3: a request without a token gets no `error`.
    fn challenge(&self) -> Option<(HeaderName, HeaderValue)> {
        let challenge = match self.code {
            _ if self.authorization_is_malformed => {
                r#"Bearer realm="footfall", error="invalid_request", error_description="The Authorization header is malformed""#
            }
            Code::InvalidToken => {
                r#"Bearer realm="footfall", error="invalid_token", error_description="The token is not valid""#
            }
            Code::ExpiredToken => {
                r#"Bearer realm="footfall", error="invalid_token", error_description="The token has expired""#
            }
            code if code.status() == StatusCode::UNAUTHORIZED => r#"Bearer realm="footfall""#,
            _ => return None,
        };
        Some((
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        ))
    }
}

impl IntoResponse for Problem {
    /// Leaves the document to the edge.
    fn into_response(self) -> Response<Body> {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Code {
    fn into_response(self) -> Response<Body> {
        Problem::from(self).into_response()
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::from(Code::InvalidQuery).with_detail(rejection.body_text())
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument<'a> {
    /// Always `about:blank`: `code` tells problems apart.
    #[schema(example = "about:blank")]
    r#type: &'a str,
    /// The phrase of the status.
    title: &'a str,
    /// The status of the response.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong and what to do about it.
    detail: &'a str,
    /// A stable code for programs.
    #[schema(schema_with = any_code)]
    code: &'a str,
    /// The request's `X-Request-ID`, under which the log knows it.
    request_id: &'a str,
}

/// The schema of `code`: one of all there are.
fn any_code() -> utoipa::openapi::Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("A stable code for programs."))
        .enum_values(Some(Code::ALL.iter().map(|code| code.as_str())))
        .build()
}

/// What any route may answer.
const ANYWHERE: &[Code] = &[
    Code::BadRequest,
    Code::RequestTimeout,
    Code::PayloadTooLarge,
    Code::UriTooLong,
    Code::HeadersTooLarge,
    Code::Internal,
];

/// The OpenAPI entries of problems, one per status, with an example per code.
pub fn documented(codes: &[Code]) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes.iter().chain(ANYWHERE) {
        by_status
            .entry(code.status().as_u16())
            .or_default()
            .push(*code);
    }
    by_status
        .into_iter()
        .map(|(status, codes)| {
            let phrase = codes[0].status().canonical_reason().unwrap_or_default();
            let names: Vec<_> = codes
                .iter()
                .map(|code| format!("`{}`", code.as_str()))
                .collect();
            let examples = codes.iter().map(|code| (code.as_str(), example(*code)));
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .examples_from_iter(examples)
                .build();
            let mut response = ResponseBuilder::new()
                .description(format!("{phrase}: {}", names.join(", ")))
                .content(MEDIA_TYPE, content);
            for (name, description) in headers_of(codes[0].status()) {
                response = response.header(name, header_of(description));
            }
            let response = response.build();
            (status.to_string(), RefOr::T(response))
        })
        .collect()
}

/// The headers of an error, beyond those of the document itself.
fn headers_of(status: StatusCode) -> Vec<(&'static str, &'static str)> {
    let own = match status {
        StatusCode::UNAUTHORIZED => {
            Some(("WWW-Authenticate", "`Bearer`, with the reason (RFC 6750)"))
        }
        StatusCode::METHOD_NOT_ALLOWED => Some(("Allow", "The methods this path knows")),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some((
            "Accept-Encoding",
            "`identity`, if the body has a Content-Encoding",
        )),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Some(("Retry-After", "Seconds to wait"))
        }
        _ => None,
    };
    own.into_iter()
        .chain([("X-Request-ID", "The request's id")])
        .collect()
}

fn header_of(description: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description))
        .build()
}

fn example(code: Code) -> utoipa::openapi::example::Example {
    let document = ProblemDocument {
        r#type: "about:blank",
        title: code.status().canonical_reason().unwrap_or_default(),
        status: code.status().as_u16(),
        detail: code.detail(),
        code: code.as_str(),
        request_id: super::request_id::EXAMPLE,
    };
    ExampleBuilder::new()
        .value(serde_json::to_value(document).ok())
        .build()
}

/// Declares the problems a route may answer beyond those of every route.
#[macro_export]
macro_rules! problem_responses {
    ($name:ident: $($code:ident),*) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::Response>,
            > {
                $crate::edge::problem::documented(&[$($crate::edge::Code::$code),*])
            }
        }
    };
}
