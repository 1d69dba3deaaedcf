//! What a login and a refresh answer: tokens in the body, or in cookies.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderName, HeaderValue, header::SET_COOKIE},
    response::{AppendHeaders, IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Sessions,
    logged_in::LoggedIn,
    row::{Granted, Kind},
};
use crate::{
    auth::{
        cookies::{Cookie, Cookies},
        csrf::Binding,
    },
    edge::{Code, Problem},
};

/// A token (RFC 6750, section 4).
#[derive(Serialize, ToSchema)]
pub struct Token {
    /// Send it as `Authorization: Bearer <token>`.
    #[schema(
        example = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6IjVmN2Y4ZTJhIn0.eyJpc3MiOiJmb290ZmFsbCJ9.c2lnbmF0dXJl"
    )]
    token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until it expires.
    #[schema(example = 900, minimum = 1)]
    expires_in: u64,
    /// Send it to `POST /auth/refresh` for the next tokens. Absent where there is no database.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "ffr_AZqltX0efBGaVT8dCktsjgAAAAAAAAAAWm9vdGZhbGwgc2hvd3MgaG93IGEgdG9rZW4gbG9va3M"
    )]
    refresh_token: Option<String>,
    /// Seconds until it expires, if it is not used before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 604_800, minimum = 1)]
    refresh_expires_in: Option<u64>,
}

/// Who has logged in; the tokens are in cookies.
#[derive(Serialize, ToSchema)]
pub struct LoggedInByCookie {
    /// Who it is.
    user: LoggedIn,
    /// Send it as `X-CSRF-Token` with all that changes something. It is in the csrf cookie, too.
    #[schema(example = "c2lnbmF0dXJlIG9mIHRoZSBzZXNzaW9uIG9mIGEgdXM")]
    csrf_token: String,
}

/// Either of the two.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only documents the answer")]
pub enum Answer {
    /// By default.
    Bearer(Token),
    /// With `?mode=cookie`.
    Cookie(LoggedInByCookie),
}

/// A response with cookies.
pub type Headers = AppendHeaders<Vec<(HeaderName, HeaderValue)>>;

impl Sessions {
    /// The tokens, the way that was asked for.
    ///
    /// # Errors
    ///
    /// If a token cannot be signed, which is a bug.
    pub fn answer(&self, granted: &Granted, kind: Kind) -> Result<Response, Problem> {
        let settings_username = self.accounts.passwords.settings_username();
        let (subject, role) = granted.subject_and_role(settings_username);
        let session = granted.session.as_ref();
        let tokens = &self.accounts.tokens;
        let token = tokens.issue(&subject, role, session.map(|session| &session.pass));
        let token = token.map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
        let refresh = session.map(|session| {
            let lives_for = Duration::from_millis(session.lives_for.max(0).unsigned_abs());
            (session.refresh.write(&self.accounts.keys), lives_for)
        });
        let user = LoggedIn::of(granted.user.as_ref(), settings_username);
        match kind {
            Kind::Bearer => Ok(self.in_body(token, refresh)),
            Kind::Cookie => self.in_cookies(user, &token, refresh),
        }
    }

    fn in_body(&self, token: String, refresh: Option<(String, Duration)>) -> Response {
        let (refresh_token, refresh_expires_in) = refresh
            .map(|(token, lives_for)| (token, lives_for.as_secs()))
            .unzip();
        let body = Token {
            token,
            token_type: "Bearer",
            expires_in: self.accounts.tokens.ttl().as_secs(),
            refresh_token,
            refresh_expires_in,
        };
        Json(body).into_response()
    }

    fn in_cookies(
        &self,
        user: LoggedIn,
        token: &str,
        refresh: Option<(String, Duration)>,
    ) -> Result<Response, Problem> {
        let caller = self.accounts.tokens.verify(token);
        let caller = caller.map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
        let csrf_token = self.csrf.token(&Binding::of(&caller));
        let (cookies, ttl) = (self.csrf.cookies, self.accounts.tokens.ttl());
        let longest = refresh.as_ref().map_or(ttl, |(_, lives_for)| *lives_for);
        let refresh = match &refresh {
            Some((token, lives_for)) => cookies.set(Cookie::Refresh, token, *lives_for),
            None => cookies.clear(Cookie::Refresh),
        };
        let values = [
            cookies.set(Cookie::Access, token, ttl),
            refresh,
            cookies.set(Cookie::Csrf, &csrf_token, longest),
        ];
        let headers: Headers = AppendHeaders(values.map(|value| (SET_COOKIE, value)).into());
        Ok((headers, Json(LoggedInByCookie { user, csrf_token })).into_response())
    }
}

/// Has a browser forget the cookies of its session.
pub fn forgotten(cookies: Cookies) -> Headers {
    let all = [Cookie::Access, Cookie::Refresh, Cookie::Csrf];
    AppendHeaders(all.map(|cookie| (SET_COOKIE, cookies.clear(cookie))).into())
}
