//! `/auth/login`, `/auth/refresh`, `/auth/logout` and `/auth/sessions`

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{FromRef, FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::{
    Sessions,
    answer::Answer,
    list::{self, OwnSessions},
    login::{self, unix_seconds},
    logout::{Sent, Shown},
    row::{Granted, Kind, Owner},
};
use crate::{
    accounts::{
        fields::{self, Text},
        origin::Origin,
        path::Id,
    },
    auth::{
        Callers, May, cookies::Cookie, csrf::Binding, device::Device, permission,
        refresh::RefreshToken,
    },
    edge::{Code, DescribedRouter, JsonBody, Problem, QueryOf, page::PageQuery},
    routes,
    supervision::Piece,
};

/// The routes of sessions.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Sessions>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .routes(routes!(post_login))
        .routes(routes!(post_refresh))
        .routes(routes!(post_logout))
        .routes(routes!(post_logout_all))
        .routes(routes!(get_sessions))
        .routes(routes!(delete_session))
}

/// Who wants a token.
#[derive(Deserialize, ToSchema)]
struct Credentials {
    /// Name of the account: that of the settings, `company/username`, a username of the company
    /// `default`, or an e-mail address.
    #[schema(value_type = String, required = true, example = "admin")]
    #[serde(default)]
    username: Text,
    /// Its password.
    #[schema(value_type = String, required = true, format = Password, example = "password")]
    #[serde(default)]
    password: Text,
}

/// How somebody wants their tokens.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ModeQuery {
    /// `cookie` has the tokens set as cookies, for pages in a browser; without it they are in the
    /// body.
    #[param(pattern = "^(bearer|cookie)?$")]
    mode: Option<String>,
}

impl ModeQuery {
    /// Forms send what was left empty, so empty is absent.
    fn kind(&self) -> Result<Kind, Problem> {
        match self.mode.as_deref().unwrap_or_default() {
            "" | "bearer" => Ok(Kind::Bearer),
            "cookie" => Ok(Kind::Cookie),
            _ => Err(Problem::from(Code::InvalidQuery)
                .with_detail("mode must be `cookie` or `bearer`, or be left out.")),
        }
    }
}

crate::problem_responses!(LoginProblems:
    [JSON] InvalidQuery, InvalidCredentials, EmailUnconfirmed, CsrfFailed, MethodNotAllowed, TooManyLogins,
    LoginBusy, DatabaseUnavailable);

/// Get a token.
///
/// Failed logins are limited per client address and per user name.
#[utoipa::path(
    post,
    path = "/auth/login",
    tag = "auth",
    params(ModeQuery),
    request_body = Credentials,
    responses((status = 200, description = "Tokens; with `?mode=cookie` they are in cookies", body = Answer), LoginProblems)
)]
async fn post_login(
    State(sessions): State<Arc<Sessions>>,
    origin: Origin,
    QueryOf(query): QueryOf<ModeQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let kind = query.kind()?;
    if kind == Kind::Cookie {
        sessions.csrf.check_origin(request.headers())?;
    }
    let device = Device::of(request.headers(), &sessions.accounts.keys, unix_seconds());
    let of_cookies = sessions.session_of_cookies(request.headers());
    // With the body: once it has arrived, there is no moment at which to hang up would help.
    let tracker = sessions.background.clone();
    let attempt = Piece::Login.track(&tracker, async move {
        // Not for longer than anybody waits: whoever holds the body holds the connection.
        let body = JsonBody::from_request(request, &());
        let body = timeout(sessions.request_timeout, body).await;
        let JsonBody(Credentials { username, password }) =
            body.map_err(|_| Code::RequestTimeout)??;
        let credentials = login::Credentials {
            username: username.required("username")?,
            password: password.secret("password")?,
            kind,
            device,
            replaces: of_cookies.filter(|_| kind == Kind::Cookie),
        };
        sessions.log_in(&origin, credentials).await
    });
    attempt
        .await
        .unwrap_or_else(|error| Err(Problem::from(Code::Internal).with_cause(error)))
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
struct Refresh {
    /// `refresh_token` of the last answer; left out where it is in a cookie.
    #[schema(
        value_type = Option<String>,
        nullable = false,
        example = "ffr_AZqltX0efBGaVT8dCktsjgAAAAAAAAAAWm9vdGZhbGwgc2hvd3MgaG93IGEgdG9rZW4gbG9va3M"
    )]
    #[serde(default)]
    refresh_token: Text,
}

/// A refresh token, where no cookie has one.
#[derive(ToSchema)]
#[schema(as = RefreshToken)]
#[allow(dead_code, reason = "only documents the body")]
struct RefreshInBody {
    /// `refresh_token` of the last answer.
    #[schema(
        example = "ffr_AZqltX0efBGaVT8dCktsjgAAAAAAAAAAWm9vdGZhbGwgc2hvd3MgaG93IGEgdG9rZW4gbG9va3M"
    )]
    refresh_token: String,
}

crate::problem_responses!(RefreshProblems:
    [JSON, DATABASE] InvalidRefreshToken, RefreshTokenReused, SessionEnded, CsrfFailed, MethodNotAllowed,
    TooManyRequests);

/// Get the next tokens.
///
/// A refresh token is good once; for 30 seconds it gives the same next one again. Of an older one
/// somebody must have a copy: it ends the session.
#[utoipa::path(
    post,
    path = "/auth/refresh",
    tag = "auth",
    request_body(content = RefreshInBody, description = "Left out where the refresh token is in a cookie"),
    responses((status = 200, description = "The next tokens, the way the session has them", body = Answer), RefreshProblems)
)]
async fn post_refresh(
    State(sessions): State<Arc<Sessions>>,
    origin: Origin,
    request: Request,
) -> Result<Response, Problem> {
    sessions.accounts.database()?;
    let headers = request.headers().clone();
    let cookie = sessions.csrf.cookies.find(&headers, Cookie::Refresh);
    let sent = match cookie {
        Some(_) => sent(request).await?.1,
        None => {
            let JsonBody(Refresh { refresh_token }) = JsonBody::from_request(request, &()).await?;
            Sent {
                refresh_token: refresh_token
                    .unless_left_out("refresh_token")?
                    .map(SecretString::from),
                csrf_token: None,
            }
        }
    };
    let (text, kind) = match (&sent.refresh_token, cookie) {
        (Some(token), _) => (token.expose_secret(), Kind::Bearer),
        (None, Some(token)) => (token, Kind::Cookie),
        (None, None) => return Err(fields::missing("refresh_token")),
    };
    let token = sessions.read_genuine(text)?;
    if kind == Kind::Cookie {
        let binding = Binding::of_session(token.session);
        let field = sent.csrf_token.as_deref();
        sessions.csrf.check_sent(&headers, &binding, field)?;
    }
    let granted = sessions.refresh(token, kind, &origin).await?;
    sessions.answer(&granted, kind)
}

impl Sessions {
    /// A login and its answer. To be driven to its end.
    pub(super) async fn log_in(
        &self,
        origin: &Origin,
        credentials: login::Credentials,
    ) -> Result<Response, Problem> {
        let (kind, device) = (credentials.kind, credentials.device.clone());
        let granted = self.login(origin, credentials).await?;
        let answer = self.answer(&granted, kind)?;
        Ok(self.remember(device, &granted, answer))
    }

    /// Has the device known as one that this user has logged in on. Without a database there is
    /// only the one account, and the answer is as ever.
    fn remember(&self, device: Device, granted: &Granted, mut answer: Response) -> Response {
        let user = granted.user.as_ref();
        if let Some(user) = user.map(|user| user.id) {
            let (keys, secure) = (&self.accounts.keys, self.csrf.cookies.are_secure());
            let cookie = device.logged_in(user, keys, unix_seconds(), secure);
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
        answer
    }

    fn read_genuine(&self, text: &str) -> Result<RefreshToken, Problem> {
        RefreshToken::read(text, &self.accounts.keys).ok_or_else(|| {
            use crate::auth::metrics::RefreshOutcome;
            self.metrics.refreshes.of(RefreshOutcome::Invalid).inc();
            Code::InvalidRefreshToken.into()
        })
    }
}

crate::problem_responses!(LogoutProblems:
    [JSON, DATABASE] MissingToken, InvalidToken, ExpiredToken, InvalidRefreshToken, CsrfFailed, MethodNotAllowed,
    StoreUnavailable);

/// Log out.
///
/// Ends the session of the access token, of the refresh token in the body, or of the cookies. To do it
/// again changes nothing.
#[utoipa::path(
    post,
    path = "/auth/logout",
    tag = "auth",
    security(("bearer" = [])),
    request_body(content = Option<Refresh>, description = "A refresh token, where the access token has expired"),
    responses((status = 204, description = "The session has ended"), LogoutProblems)
)]
async fn post_logout(
    State(sessions): State<Arc<Sessions>>,
    origin: Origin,
    request: Request,
) -> Result<Response, Problem> {
    let shown = shown(&sessions, request).await?;
    sessions.logged_out(sessions.log_out(shown, &origin).await)
}

/// Log out everywhere.
///
/// Ends all sessions of whoever asks, by what `POST /auth/logout` takes.
#[utoipa::path(
    post,
    path = "/auth/logout/all",
    tag = "auth",
    security(("bearer" = [])),
    request_body(content = Option<Refresh>, description = "A refresh token, where the access token has expired"),
    responses((status = 204, description = "All sessions have ended"), LogoutProblems)
)]
async fn post_logout_all(
    State(sessions): State<Arc<Sessions>>,
    origin: Origin,
    request: Request,
) -> Result<Response, Problem> {
    let shown = shown(&sessions, request).await?;
    sessions.logged_out(sessions.log_out_everywhere(shown, &origin).await)
}

async fn shown(sessions: &Sessions, request: Request) -> Result<Shown, Problem> {
    let (headers, sent) = sent(request).await?;
    sessions.shown(&headers, &sent)
}

/// What is in the body of a request about a session that may be in cookies: nothing, JSON, or a form.
async fn sent(request: Request) -> Result<(HeaderMap, Sent), Problem> {
    let headers = request.headers().clone();
    let Some(media_type) = headers.get(header::CONTENT_TYPE) else {
        return Ok((headers, Sent::default()));
    };
    let is_form = media_type.to_str().is_ok_and(|kind| {
        kind.trim()
            .to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded")
    });
    let sent = match is_form {
        true => {
            let body = Bytes::from_request(request, &()).await;
            let body = body.map_err(|rejection| {
                Problem::of_status(rejection.status()).unwrap_or(Code::BadRequest.into())
            })?;
            Sent {
                refresh_token: None,
                csrf_token: crate::auth::csrf::field(&body),
            }
        }
        false => {
            let JsonBody(body) = JsonBody::<Option<Refresh>>::from_request(request, &()).await?;
            let token = body.map(|body| body.refresh_token.unless_left_out("refresh_token"));
            Sent {
                refresh_token: token.transpose()?.flatten().map(SecretString::from),
                csrf_token: None,
            }
        }
    };
    Ok((headers, sent))
}

crate::problem_responses!(ListProblems: [CALLER, DATABASE] InvalidQuery, MethodNotAllowed);

/// List one's own sessions.
#[utoipa::path(
    get,
    path = "/auth/sessions",
    tag = "auth",
    security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, description = "A page of sessions, the newest first", body = OwnSessions), ListProblems)
)]
pub async fn get_sessions(
    State(sessions): State<Arc<Sessions>>,
    caller: May<permission::OwnAccount>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<OwnSessions>, Problem> {
    let page = query.page()?;
    let owner = Owner {
        company: caller.company.id(),
        user: caller.user,
    };
    let current = caller.pass.as_ref().map(|pass| pass.session);
    let listed = sessions.accounts.read("list_sessions", move |connection| {
        Box::pin(async move {
            connection.within(owner.company).await?;
            list::list(connection, owner, current, page).await
        })
    });
    Ok(Json(listed.await?))
}

crate::problem_responses!(EndProblems: [CALLER, DATABASE] CsrfFailed, NotFound, MethodNotAllowed, StoreUnavailable);

/// End one of one's own sessions.
///
/// To do it again changes nothing.
#[utoipa::path(
    delete,
    path = "/auth/sessions/{id}",
    tag = "auth",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the session.", example = "019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e")),
    responses((status = 204, description = "The session has ended"), EndProblems)
)]
pub async fn delete_session(
    State(sessions): State<Arc<Sessions>>,
    caller: May<permission::OwnAccount>,
    Id(id): Id,
    origin: Origin,
) -> Result<StatusCode, Problem> {
    sessions.end_own(&caller, id, &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}
