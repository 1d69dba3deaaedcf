//! JSON in the body of a request.

use axum::{
    body::Bytes,
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

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check_coding(request.headers())?;
        check_media_type(request.headers())?;
        parse(&bytes(request, state).await?).map(Self)
    }
}

/// The bytes of a body that is JSON, declared as such or as `text/plain`, which a page of another origin may
/// send without asking first (Fetch standard, 2.2.2).
#[derive(Debug, Clone)]
pub struct SimpleBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for SimpleBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check_coding(request.headers())?;
        if !is_plain_text(request.headers()) {
            check_media_type(request.headers()).map_err(|problem| match problem.code {
                Code::UnsupportedMediaType => problem.with_detail(
                    "The body must be JSON in UTF-8, sent as `Content-Type: text/plain` or `application/json`.",
                ),
                _ => problem,
            })?;
        }
        bytes(request, state).await.map(Self)
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let body = Bytes::from_request(request, state).await;
    body.map_err(|rejection| {
        Problem::of_status(rejection.status()).unwrap_or(Code::BadRequest.into())
    })
}

fn is_plain_text(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let media_type = value
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Mime>().ok());
    media_type.is_some_and(|media_type| {
        let charset = media_type.get_param(mime::CHARSET);
        media_type.essence_str() == mime::TEXT_PLAIN
            && charset.is_none_or(|charset| is_utf8(charset.as_str()))
    })
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

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = || Problem::from(Code::UnsupportedMediaType);
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(unsupported());
    };
    let text = value.to_str().map_err(|_| unsupported())?;
    let media_type: Mime = text.parse().map_err(|_| unsupported())?;
    let is_json = media_type.subtype() == mime::JSON || media_type.suffix() == Some(mime::JSON);
    if media_type.type_() != mime::APPLICATION || !is_json {
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

/// The parser's own message may quote the body, which may hold a password.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let text = text::decode(body).map_err(|error| {
        let detail = format!("The body must be UTF-8 text, as JSON is: {error}.");
        Problem::from(Code::InvalidJson).with_detail(detail)
    })?;
    // A list would be taken for an object's fields in their order.
    if text.trim_start().starts_with('[') {
        return Err(Code::InvalidBody.into());
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => Code::InvalidBody.into(),
        Category::Syntax | Category::Eof | Category::Io => Code::InvalidJson.into(),
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[derive(serde::Deserialize)]
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
