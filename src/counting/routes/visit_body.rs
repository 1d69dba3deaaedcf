//! What the body of a request says of its one visit.

use axum::{
    body::HttpBody,
    extract::{FromRequest, Request},
};

use crate::{
    counting::carried::{Carried, InvalidVisit},
    edge::{
        Code, Problem,
        body::{check, is_json, text, whole},
    },
};

/// What a visit carries by its body, if there is one.
pub(super) struct VisitBody(pub Option<Carried>);

impl<S: Sync> FromRequest<S> for VisitBody {
    type Rejection = Problem;

    /// Most visits have no body: then there is nothing to wait for.
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        match request.body().is_end_stream() {
            true => Ok(Self(None)),
            // Apart, so that no other request carries the room this takes.
            false => Box::pin(read(request)).await.map(Self),
        }
    }
}

/// In chunks it may still be none, whatever media type it has.
async fn read(mut request: Request) -> Result<Option<Carried>, Problem> {
    let headers = std::mem::take(request.headers_mut());
    let body = whole(request).await?;
    if body.is_empty() {
        return Ok(None);
    }
    // What cannot be kept is refused: counted without it, it would be lost unnoticed.
    check(&headers, is_json)?;
    Carried::from_json(text(&body)?).map_err(Problem::from)
}

impl From<InvalidVisit> for Problem {
    fn from(invalid: InvalidVisit) -> Self {
        let detail = format!("{invalid} The visit was not counted.");
        match invalid {
            InvalidVisit::Syntax(_) => Self::from(Code::InvalidJson).with_detail(detail),
            InvalidVisit::Content { field, .. } => {
                let problem = Self::from(Code::InvalidVisit).with_detail(detail);
                match field {
                    Some(field) => problem.of_field(field),
                    None => problem,
                }
            }
        }
    }
}
