//! Authorization, visible in a handler's signature.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use std::sync::Arc;

use super::token::{Claims, TokenError, Tokens};
use crate::http::{Code, Problem};

/// The bearer of a valid token (RFC 6750). A handler that takes one is closed
/// to everyone else.
#[derive(Debug, Clone)]
pub struct Bearer(pub Arc<Claims>);

impl<S> FromRequestParts<S> for Bearer
where
    S: Sync,
    Arc<Tokens>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = token(&parts.headers)?;
        let claims = Arc::<Tokens>::from_ref(state)
            .verify(token)
            .map_err(|error| match error {
                TokenError::Expired => Code::ExpiredToken,
                TokenError::Invalid => Code::InvalidToken,
            })?;
        Ok(Self(claims))
    }
}

/// The token of the one `Authorization` header. Schemes are case-insensitive (RFC 9110, 11.1).
fn token(headers: &HeaderMap) -> Result<&str, Code> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Code::MissingToken)?;
    if values.next().is_some() {
        return Err(Code::InvalidToken);
    }
    let value = value.to_str().map_err(|_| Code::InvalidToken)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        None if value.eq_ignore_ascii_case("bearer") => Err(Code::InvalidToken),
        _ => Err(Code::MissingToken),
    }
}
