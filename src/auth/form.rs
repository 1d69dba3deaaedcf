//! What a page's form sends to an operation that else has no body: the csrf token, in a field, since no
//! form can send a header.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use mime::Mime;
use utoipa::ToSchema;

use crate::edge::{Code, Problem};

/// The body of a form that a browser sends along with cookies.
#[derive(Debug, Default, ToSchema)]
#[schema(as = CsrfForm)]
pub struct CsrfForm {
    /// The value of the csrf cookie, in place of the header `X-CSRF-Token`.
    #[schema(value_type = String, required = false, example = "x4lG7Jc2mYbq0mJm1mJrWq8R1mM0C3cQd3rJv1m2oXs")]
    pub(super) csrf_token: Option<String>,
}

impl CsrfForm {
    /// Whether the token may be in a form: no other body is looked at, and none of who sends
    /// `Authorization`, which no form can.
    pub(super) fn is_sent(headers: &HeaderMap) -> bool {
        !headers.contains_key(header::AUTHORIZATION) && is_form(headers)
    }

    fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(body) {
            if name != "csrf_token" {
                return Err(Problem::from(Code::InvalidBody)
                    .with_detail("A form may have the field `csrf_token` here, and no other."));
            }
            if form.csrf_token.replace(value.into_owned()).is_some() {
                return Err(Problem::from(Code::InvalidBody)
                    .with_detail("The field `csrf_token` stands in the form more than once.")
                    .of_field("csrf_token"));
            }
        }
        Ok(form)
    }
}

/// Whether the body is a form.
pub fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    // Nearly everybody says just this: it need not be taken apart.
    let value = value.filter(|value| *value != mime::APPLICATION_JSON.as_ref());
    let media_type = value.and_then(|value| value.to_str().ok()?.parse::<Mime>().ok());
    media_type.is_some_and(|media_type| {
        media_type.essence_str() == mime::APPLICATION_WWW_FORM_URLENCODED.essence_str()
    })
}

/// Where there is no form nothing is read.
impl<S: Sync> FromRequest<S> for CsrfForm {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_form(request.headers()) {
            return Ok(Self::default());
        }
        let body = Bytes::from_request(request, &()).await;
        let body = body.map_err(|rejection| {
            Problem::of_status(rejection.status()).unwrap_or(Code::BadRequest.into())
        })?;
        Self::read(&body)
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::HeaderValue};

    use super::*;

    #[test]
    fn fields() {
        for (body, expected) in [
            ("", Ok(None)),
            ("&&", Ok(None)),
            ("csrf_token=", Ok(Some(""))),
            ("csrf_token=a%2Bb+c", Ok(Some("a+b c"))),
            ("csrf%5Ftoken=a", Ok(Some("a"))),
            ("csrf_token=a&csrf_token=a", Err(Code::InvalidBody)),
            ("csrf_token=a&b=c", Err(Code::InvalidBody)),
            ("b", Err(Code::InvalidBody)),
            ("CSRF_TOKEN=a", Err(Code::InvalidBody)),
            ("{\"csrf_token\":\"a\"}", Err(Code::InvalidBody)),
        ] {
            let read = CsrfForm::read(body.as_bytes());
            let read = read.as_ref().map(|form| form.csrf_token.as_deref());
            assert_eq!(read.map_err(|problem| problem.code), expected, "{body}");
        }
    }

    #[tokio::test]
    async fn no_other_body_is_read() {
        const FORM: &str = "application/x-www-form-urlencoded";
        for (media_type, authorization, is_read) in [
            (Some(FORM), None, true),
            (
                Some("Application/X-WWW-Form-URLEncoded; charset=utf-8"),
                None,
                true,
            ),
            (Some(FORM), Some("Bearer x"), true),
            (Some("application/x-www-form-urlencodedx"), None, false),
            (Some("multipart/form-data; boundary=x"), None, false),
            (Some("text/plain"), None, false),
            (Some("application/json"), None, false),
            (None, None, false),
        ] {
            let mut request = Request::new(Body::from("a=b"));
            for (name, value) in [
                (header::CONTENT_TYPE, media_type),
                (header::AUTHORIZATION, authorization),
            ] {
                let value = value.map(HeaderValue::from_static);
                value.map(|value| request.headers_mut().insert(name, value));
            }
            let read = CsrfForm::from_request(request, &()).await;
            assert_eq!(read.is_err(), is_read, "{media_type:?} {authorization:?}");
        }
    }
}
