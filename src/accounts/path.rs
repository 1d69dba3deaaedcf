//! Ids in paths.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use uuid::Uuid;

use crate::edge::{Code, Problem};

/// The id in the path. What cannot be one is as one that is not there.
#[derive(Debug, Clone, Copy)]
pub struct Id(pub Uuid);

impl<S: Sync + Send> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| Code::NotFound)?;
        let id = Uuid::try_parse(&text).ok();
        // As answers have it (RFC 9562, 4: with hyphens, in lower case), and not in the other forms that
        // the crate takes: what is one thing has one path.
        let id = id.filter(|id| id.to_string() == text);
        id.map(Self).ok_or_else(|| Code::NotFound.into())
    }
}
