//! Bodies of requests, JSON above all.

use std::{future::poll_fn, pin::Pin};

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use mime::Mime;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{Code, Problem};
use crate::text;

/// The body, read as JSON (RFC 8259): UTF-8, whatever mark of its encoding it begins with.
#[derive(Debug, Clone, Copy)]
pub struct JsonBody<T>(pub T);

impl<S, T> FromRequest<S> for JsonBody<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check(request.headers(), is_json)?;
        parse(&whole(request).await?).map(Self)
    }
}

/// The body, once it has arrived to its end.
///
/// # Errors
///
/// If it is larger than the route's policy says, or cut off.
pub async fn whole(request: Request) -> Result<Bytes, Problem> {
    // With the head it was compared with the limit, if it says how long it is.
    if request.body().size_hint().exact().is_some() {
        let body = of_known_length(request.into_body()).await;
        return body.map_err(|_| Code::BadRequest.into());
    }
    let body = Bytes::from_request(request, &()).await;
    body.map_err(|rejection| {
        Problem::of_status(rejection.status()).unwrap_or(Code::BadRequest.into())
    })
}

/// Most are short and come with their head: these are taken as they are, and need no room of their own.
async fn of_known_length(mut body: Body) -> Result<Bytes, axum::Error> {
    let first = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
    let first = first.transpose()?.and_then(|frame| frame.into_data().ok());
    let first = first.unwrap_or_default();
    if body.is_end_stream() {
        return Ok(first);
    }
    let rest = to_bytes(body, usize::MAX).await?;
    Ok([first, rest].concat().into())
}

/// Whether a media type is that of JSON, or that of text, by which pages of another origin send JSON without
/// asking first (Fetch standard, 2.2.2).
pub fn is_json_or_text(media_type: &Mime) -> bool {
    is_json(media_type) || media_type.essence_str() == mime::TEXT_PLAIN
}

/// Whether a media type is that of JSON.
pub fn is_json(media_type: &Mime) -> bool {
    let is_json = media_type.subtype() == mime::JSON || media_type.suffix() == Some(mime::JSON);
    media_type.type_() == mime::APPLICATION && is_json
}

/// Checks what the head says of the body: that it is as it was written, of a media type that is
/// expected here, and UTF-8.
///
/// # Errors
///
/// `unsupported_content_encoding`, `unsupported_media_type`
pub fn check(headers: &HeaderMap, is_expected: fn(&Mime) -> bool) -> Result<(), Problem> {
    check_coding(headers)?;
    check_media_type(headers, is_expected)
}

/// RFC 9110, 8.4. `identity` is what is said by those who mean none.
fn check_coding(headers: &HeaderMap) -> Result<(), Code> {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_none = |coding: &[u8]| {
        let coding = coding.trim_ascii();
        coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
    };
    match codings.all(is_none) {
        true => Ok(()),
        false => Err(Code::UnsupportedContentEncoding),
    }
}

fn check_media_type(headers: &HeaderMap, is_expected: fn(&Mime) -> bool) -> Result<(), Problem> {
    let unsupported = || Problem::from(Code::UnsupportedMediaType);
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(unsupported());
    };
    // Nearly everybody says just this: it need not be taken apart.
    if value == mime::APPLICATION_JSON.as_ref() && is_expected(&mime::APPLICATION_JSON) {
        return Ok(());
    }
    let text = value.to_str().map_err(|_| unsupported())?;
    let media_type: Mime = text.parse().map_err(|_| unsupported())?;
    if !is_expected(&media_type) {
        return Err(unsupported());
    }
    let charset = media_type.get_param(mime::CHARSET);
    match charset.is_none_or(|charset| is_utf8(charset.as_str())) {
        true => Ok(()),
        false => Err(unsupported().with_detail(
            "The body must be UTF-8, as JSON is: leave `charset` out of Content-Type, or say utf-8.",
        )),
    }
}

/// ASCII is UTF-8, too.
fn is_utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii"]
        .iter()
        .any(|known| charset.eq_ignore_ascii_case(known))
}

/// The body as text.
///
/// # Errors
///
/// `invalid_json`, if it is none.
pub fn text(body: &[u8]) -> Result<&str, Problem> {
    text::decode(body).map_err(|error| {
        let detail = format!("The body must be UTF-8 text, as JSON is: {error}.");
        Problem::from(Code::InvalidJson).with_detail(detail)
    })
}

/// The parser's own message may quote the body, which may hold a password.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let text = self::text(body)?;
    // A list would be taken for an object's fields in their order.
    if text.trim_start().starts_with('[') {
        return Err(Code::InvalidBody.into());
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => of_another_shape(&error),
        Category::Syntax | Category::Eof | Category::Io => Code::InvalidJson.into(),
    })
}

/// Of a member that is not known here it says where it is and which are known, and not how it is called: that may be
/// a password too.
fn of_another_shape(error: &serde_json::Error) -> Problem {
    let problem = Problem::from(Code::InvalidBody);
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let text = text.strip_suffix(&format!(" at line {line} column {column}"));
    let unknown = text.filter(|text| text.starts_with("unknown field"));
    match unknown.and_then(|text| text.rsplit_once(", expected ")) {
        Some((_, known)) => problem.with_detail(format!(
            "The JSON has a member that is not known here; its name ends at line {line}, column {column}. Known: {known}."
        )),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct One {
        a: u8,
    }

    async fn read(headers: &[(&str, &str)], body: &[u8]) -> Result<u8, &'static str> {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_vec())).unwrap();
        let read = JsonBody::<One>::from_request(request, &()).await;
        read.map(|body| body.0.a)
            .map_err(|problem| problem.code.as_str())
    }

    #[tokio::test]
    async fn media_types() {
        const TYPE: &str = "content-type";
        for (headers, accepted) in [
            (&[(TYPE, "application/json")][..], true),
            (&[(TYPE, "Application/JSON")], true),
            (&[(TYPE, "application/json;charset=utf-8")], true),
            (&[(TYPE, "application/json; Charset=\"UTF-8\"")], true),
            (&[(TYPE, "application/merge-patch+json")], true),
            (&[(TYPE, "application/json; charset=utf-16")], false),
            (&[(TYPE, "application/json; charset=iso-8859-1")], false),
            (&[(TYPE, "text/json")], false),
            (&[(TYPE, "application/x-www-form-urlencoded")], false),
            (&[(TYPE, "json")], false),
            (&[(TYPE, "")], false),
            (&[], false),
            (
                &[(TYPE, "application/json"), (TYPE, "application/json")],
                false,
            ),
        ] {
            let expected = match accepted {
                true => Ok(1),
                false => Err("unsupported_media_type"),
            };
            assert_eq!(read(headers, br#"{"a":1}"#).await, expected, "{headers:?}");
        }
    }

    #[tokio::test]
    async fn content_codings() {
        for (coding, accepted) in [
            ("identity", true),
            ("Identity", true),
            ("", true),
            ("gzip", false),
            ("br", false),
            ("identity, gzip", false),
        ] {
            let json = ("content-type", "application/json");
            let expected = match accepted {
                true => Ok(1),
                false => Err("unsupported_content_encoding"),
            };
            let headers = [json, ("content-encoding", coding)];
            assert_eq!(read(&headers, br#"{"a":1}"#).await, expected, "{coding}");
        }
    }

    /// An unknown member is found by its place, and its name is not repeated, whatever it looks like.
    #[test]
    fn members_that_are_not_known() {
        for (body, place) in [
            ("{\"a\":1,\"hunter2\":1}", "line 1, column 16"),
            ("{\"hunter2\":1}", "line 1, column 10"),
            (
                "{\n\"a\":1,\n\"hunter2, expected `x` at line 1 column 2\":1}",
                "line 3, column 42",
            ),
        ] {
            let problem = parse::<One>(body.as_bytes()).err().unwrap();
            assert_eq!(problem.code, Code::InvalidBody);
            let detail = format!(
                "The JSON has a member that is not known here; its name ends at {place}. Known: `a`."
            );
            assert_eq!(problem.detail, detail);
        }
    }

    #[tokio::test]
    async fn texts() {
        for (body, expected) in [
            (&br#"{"a":1}"#[..], Ok(1)),
            (b" {\"a\":1}\r\n", Ok(1)),
            (b"\xef\xbb\xbf{\"a\":1}", Ok(1)),
            (b"\xef\xbb\xbf\xef\xbb\xbf{\"a\":1}", Err("invalid_json")),
            (b"\xff\xfe{\x00}\x00", Err("invalid_json")),
            (b"{\"a\":1}\xff", Err("invalid_json")),
            (b"{\"a\":1} {}", Err("invalid_json")),
            (b"{\"a\":1", Err("invalid_json")),
            (b"", Err("invalid_json")),
            (b"{\"a\":256}", Err("invalid_body")),
            (b"{}", Err("invalid_body")),
            (b"[1]", Err("invalid_body")),
            (b" [1]", Err("invalid_body")),
            (b"1", Err("invalid_body")),
        ] {
            let headers = [("content-type", "application/json")];
            assert_eq!(read(&headers, body).await, expected, "{body:?}");
        }
    }
}
