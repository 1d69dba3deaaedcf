//! `POST /auth/login`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, FromRequest, Request, State},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    login::{Login, LoginError},
    throttle::Refusal,
};
use crate::edge::{ClientAddress, Code, JsonBody, Problem};

/// The routes of this room.
pub fn router<S>() -> OpenApiRouter<S>
where
    Arc<Login>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::new().routes(routes!(post_login))
}

/// Who wants a token.
#[derive(Deserialize, ToSchema)]
struct Credentials {
    /// Name of the account.
    #[schema(example = "admin")]
    username: String,
    /// Its password.
    #[schema(value_type = String, format = Password, example = "password")]
    password: SecretString,
}

/// A token (RFC 6750, section 4).
#[derive(Serialize, ToSchema)]
struct Token {
    /// Send it as `Authorization: Bearer <token>`.
    #[schema(
        example = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6IjVmN2Y4ZTJhIn0.eyJpc3MiOiJmb290ZmFsbCJ9.c2lnbmF0dXJl"
    )]
    token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until it expires.
    #[schema(example = 3600, minimum = 1)]
    expires_in: u64,
}

crate::problem_responses!(LoginProblems:
    InvalidJson, InvalidCredentials, MethodNotAllowed, UnsupportedMediaType, UnsupportedContentEncoding, InvalidBody, TooManyLogins, LoginBusy);

/// Get a token.
///
/// Failed logins are limited per client address and per user name.
#[utoipa::path(
    post,
    path = "/auth/login",
    tag = "auth",
    request_body = Credentials,
    responses((status = 200, description = "A token", body = Token), LoginProblems)
)]
async fn post_login(
    State(login): State<Arc<Login>>,
    ClientAddress(client): ClientAddress,
    request: Request,
) -> Result<Json<Token>, Problem> {
    // With the body: once it has arrived, there is no moment at which to hang up would help.
    let attempt = login.clone().in_background(async move {
        // Not for longer than anybody waits: whoever holds the body holds the connection.
        let body = JsonBody::from_request(request, &());
        let body = timeout(login.request_timeout(), body).await;
        let JsonBody(Credentials { username, password }) =
            body.map_err(|_| Code::RequestTimeout)??;
        let token = login.login(client, username, password).await?;
        Ok(Json(Token {
            token,
            token_type: "Bearer",
            expires_in: login.token_ttl().as_secs(),
        }))
    });
    attempt
        .await
        .unwrap_or_else(|error| Err(Problem::from(Code::Internal).with_cause(error)))
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Credentials => Code::InvalidCredentials.into(),
            LoginError::Throttled(wait) => Self::from(Code::TooManyLogins).retry_after(wait),
            LoginError::Busy => Code::LoginBusy.into(),
            LoginError::Panicked(cause) => Self::from(Code::Internal).with_cause(cause),
            LoginError::Signing(cause) => Self::from(Code::Internal).with_cause(cause),
        }
    }
}

impl From<Refusal> for Problem {
    /// Not of [`Refusal::Quietly`], where the route can answer as if it were done.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooMany(wait) => Self::from(Code::TooManyRequests).retry_after(wait),
            Refusal::Quietly => Code::TooManyRequests.into(),
            Refusal::Unavailable => Self::from(Code::StoreUnavailable)
                .with_detail("The store cannot be reached, and without it nobody knows how often this was done. Nothing was done; try again."),
        }
    }
}
