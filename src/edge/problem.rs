//! Errors as clients see them: problem documents (RFC 9457).
//!
//! A handler returns a [`Problem`]. It travels in the response's extensions to
//! the edge, which knows the request id and writes the document. The cause, if
//! there is one, goes to the log and never to the client.

use std::{borrow::Cow, collections::BTreeMap};

use axum::{
    Json,
    body::Body,
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

use super::{
    Code,
    particulars::{Particulars, Thing, WrongPlace},
};

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error on its way to the client.
#[derive(Debug, Clone)]
pub struct Problem {
    /// What went wrong.
    pub code: Code,
    /// For people; [`Code::detail`] unless more is known.
    pub detail: Cow<'static, str>,
    /// For the log only.
    pub cause: Option<String>,
    /// The field of the body that is wrong.
    pub field: Option<Cow<'static, str>>,
    /// What else programs are told. Few problems have any, so it takes no room in the others.
    particulars: Option<Box<Particulars>>,
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
            field: None,
            particulars: None,
            retry_after,
            authorization_is_malformed: false,
        }
    }
}

impl Problem {
    /// Whether nothing was done, for a reason that is not in what was asked.
    pub fn is_failure(&self) -> bool {
        self.code.status().is_server_error() && self.code != Code::OutcomeUnknown
    }

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

    /// Names the field of the body that is wrong.
    #[must_use]
    pub fn of_field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Tells programs more.
    #[must_use]
    pub fn telling(mut self, particulars: Particulars) -> Self {
        self.particulars = Some(Box::new(particulars));
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

    /// The document. What else a client must know of it is in headers: [`Self::wait`].
    pub fn document<'a>(&'a self, request_id: &'a str) -> ProblemDocument<'a> {
        let status = self.code.status();
        let told = self.particulars.as_deref();
        ProblemDocument {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            field: self.field.as_deref(),
            errors: told.map_or(&[], |told| &told.errors),
            existing: told.and_then(|told| told.existing.as_ref()),
            used_by: told.map_or(&[], |told| &told.used_by),
            request_id,
        }
    }

    /// What is wrong, place by place, where more than one may be.
    pub fn errors(&self) -> &[WrongPlace] {
        let told = self.particulars.as_deref();
        told.map_or(&[], |told| &told.errors)
    }

    /// What has the name or the filter already, if something has.
    pub fn existing(&self) -> Option<&Thing> {
        self.particulars.as_deref()?.existing.as_ref()
    }

    /// What refers to it, if that is in the way.
    pub fn used_by(&self) -> &[Thing] {
        let told = self.particulars.as_deref();
        told.map_or(&[], |told| &told.used_by)
    }

    /// `Retry-After`, in seconds.
    pub fn wait(&self) -> Option<u64> {
        self.retry_after
    }

    /// The document, and the headers that go with it.
    pub fn into_document(self, request_id: &str) -> Response<Body> {
        let document = Json(self.document(request_id));
        let mut response = (self.code.status(), document).into_response();
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
    /// The field of the body that is wrong, if it is one: its name, or of one within another a JSON Pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<&'a str>,
    /// What is wrong with the filter, place by place, if it is that.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [WrongPlace],
    /// What has the name or the filter already, if something has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    existing: Option<&'a Thing>,
    /// What refers to it, if that is in the way.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    used_by: &'a [Thing],
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

/// What a route answers that wants to know who calls.
pub const CALLER: &[Code] = &[
    Code::MissingToken,
    Code::InvalidToken,
    Code::ExpiredToken,
    Code::Forbidden,
];

/// What a route answers that takes JSON.
pub const JSON: &[Code] = &[
    Code::InvalidJson,
    Code::UnsupportedMediaType,
    Code::UnsupportedContentEncoding,
    Code::InvalidBody,
];

/// What a route answers that needs the database.
pub const DATABASE: &[Code] = &[Code::NoDatabase, Code::DatabaseUnavailable];

/// The OpenAPI entries of problems, one per status, with an example per code, in the order of [`Code::ALL`].
pub fn documented(codes: &[Code]) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    let is_answered = |code: &&Code| codes.contains(code) || ANYWHERE.contains(code);
    for code in Code::ALL.iter().filter(is_answered) {
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
    let told = Particulars::example(code);
    let document = ProblemDocument {
        r#type: "about:blank",
        title: code.status().canonical_reason().unwrap_or_default(),
        status: code.status().as_u16(),
        detail: code.detail(),
        code: code.as_str(),
        field: None,
        errors: &told.errors,
        existing: told.existing.as_ref(),
        used_by: &told.used_by,
        request_id: super::request_id::EXAMPLE,
    };
    ExampleBuilder::new()
        .value(serde_json::to_value(document).ok())
        .build()
}

/// Declares the problems a route may answer beyond those of every route: groups of them, and single ones.
#[macro_export]
macro_rules! problem_responses {
    ($name:ident: $([$($group:ident),+])? $($code:ident),*) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::Response>,
            > {
                let groups: &[&[$crate::edge::Code]] = &[
                    $($($crate::edge::problem::$group,)+)?
                    &[$($crate::edge::Code::$code),*],
                ];
                $crate::edge::problem::documented(&groups.concat())
            }
        }
    };
}
