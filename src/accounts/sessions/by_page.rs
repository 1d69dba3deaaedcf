//! Sessions of who reads pages: in cookies, and refreshed without being asked.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, HeaderValue, header::SET_COOKIE},
    response::IntoResponse,
};
use secrecy::SecretString;

use super::{
    Sessions,
    answer::forgotten,
    login::{Credentials, unix_seconds},
    logout::Sent,
    row::{IDLE, Kind},
};
use crate::{
    accounts::origin::Origin,
    auth::{Caller, cookies::Cookie, csrf::Binding, device::Device, refresh::RefreshToken},
    edge::{Code, Problem},
    supervision::Piece,
};

/// Who is signed in.
pub struct SignedIn {
    /// Who it is.
    pub caller: Arc<Caller>,
    /// What their forms send along.
    pub csrf_token: String,
    /// Cookies for their browser to keep.
    pub cookies: Vec<HeaderValue>,
}

/// What is known of who asks for a page.
pub enum Found {
    /// Somebody is signed in.
    SignedIn(SignedIn),
    /// Nobody is; the cookies are for the browser to forget those of a session that is over.
    Nobody(Vec<HeaderValue>),
}

impl Sessions {
    /// Who asks for a page. A session whose access token is over is refreshed, as by
    /// `POST /auth/refresh`: nothing but its cookies changes by that, so no csrf token is asked for.
    ///
    /// # Errors
    ///
    /// What keeps a session from being refreshed that may go on later: the database is away, or it was
    /// refreshed too often.
    pub async fn by_page(&self, headers: &HeaderMap, origin: &Origin) -> Result<Found, Problem> {
        if let Some(Ok(caller)) = self.callers.by_cookie(headers) {
            let csrf_token = self.csrf.token(&Binding::of(&caller));
            let is_there = self.csrf.cookies.find(headers, Cookie::Csrf) == Some(&csrf_token);
            let again = || self.csrf.cookies.set(Cookie::Csrf, &csrf_token, idle());
            let cookies = (!is_there).then(again).into_iter().collect();
            return Ok(Found::SignedIn(SignedIn {
                caller,
                csrf_token,
                cookies,
            }));
        }
        let Some(text) = self.csrf.cookies.find(headers, Cookie::Refresh) else {
            return Ok(Found::Nobody(Vec::new()));
        };
        let forget = || Found::Nobody(cookies_of(forgotten(self.csrf.cookies)));
        let Some(token) = RefreshToken::read(text, &self.accounts.keys) else {
            return Ok(forget());
        };
        match self.refresh(token, Kind::Cookie, origin).await {
            Ok(granted) => {
                let cookies = cookies_of(self.answer(&granted, Kind::Cookie)?);
                let caller = self.caller_of(&cookies)?;
                let csrf_token = self.csrf.token(&Binding::of(&caller));
                Ok(Found::SignedIn(SignedIn {
                    caller,
                    csrf_token,
                    cookies,
                }))
            }
            Err(problem) if problem.code.status().as_u16() == 401 => Ok(forget()),
            Err(problem) => Err(problem),
        }
    }

    /// Logs in who has typed this into a page of ours, and gives the cookies to set.
    ///
    /// # Errors
    ///
    /// Those of `POST /auth/login`.
    pub async fn log_in_by_page(
        self: &Arc<Self>,
        headers: &HeaderMap,
        origin: &Origin,
        username: String,
        password: SecretString,
    ) -> Result<Vec<HeaderValue>, Problem> {
        self.csrf.check_origin(headers)?;
        let device = Device::of(headers, &self.accounts.keys, unix_seconds());
        let credentials = Credentials {
            username,
            password,
            kind: Kind::Cookie,
            device,
            replaces: self.session_of_cookies(headers),
        };
        let (sessions, origin) = (self.clone(), origin.clone());
        // Driven to its end, as each login is.
        let attempt = Piece::Login.track(&self.background, async move {
            sessions.log_in(&origin, credentials).await
        });
        let answer = attempt
            .await
            .unwrap_or_else(|error| Err(Problem::from(Code::Internal).with_cause(error)));
        answer.map(cookies_of)
    }

    /// Logs out who has pressed the button of a page of ours, and gives the cookies that the browser is to
    /// forget: also of who is logged out already.
    ///
    /// # Errors
    ///
    /// Those of `POST /auth/logout`.
    pub async fn log_out_by_page(
        &self,
        headers: &HeaderMap,
        origin: &Origin,
        csrf_token: String,
    ) -> Result<Vec<HeaderValue>, Problem> {
        let sent = Sent {
            refresh_token: None,
            csrf_token: Some(csrf_token),
        };
        let ended = match self.by_cookies(headers, &sent) {
            Ok(shown) => self.log_out(shown, origin).await,
            Err(problem) if problem.code.status().as_u16() == 401 => Ok(()),
            Err(problem) => Err(problem),
        };
        match ended {
            // Without a database there are no sessions.
            Err(problem) if problem.code != Code::NoDatabase => Err(problem),
            _ => Ok(cookies_of(forgotten(self.csrf.cookies))),
        }
    }

    fn caller_of(&self, cookies: &[HeaderValue]) -> Result<Arc<Caller>, Problem> {
        let name = self.csrf.cookies.name(Cookie::Access);
        let token = cookies.iter().find_map(|cookie| {
            let (found, rest) = cookie.to_str().ok()?.split_once('=')?;
            (found == name).then(|| rest.split(';').next().unwrap_or_default())
        });
        let caller = self.accounts.tokens.verify(token.unwrap_or_default());
        caller.map_err(|error| Problem::from(Code::Internal).with_cause(error))
    }
}

fn idle() -> std::time::Duration {
    std::time::Duration::from_millis(IDLE.unsigned_abs())
}

fn cookies_of(response: impl IntoResponse) -> Vec<HeaderValue> {
    let response = response.into_response();
    let cookies = response.headers().get_all(SET_COOKIE);
    cookies.iter().cloned().collect()
}
