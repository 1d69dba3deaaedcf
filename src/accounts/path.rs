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
        // With hyphens (RFC 9562, 4), and not in the other forms that the crate takes.
        let id = Uuid::try_parse(&text).ok().filter(|_| text.len() == 36);
        id.map(Self).ok_or_else(|| Code::NotFound.into())
    }
}
