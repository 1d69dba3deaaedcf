//! What the body of a request says of its one visit.

use axum::{
    body::HttpBody,
    extract::{FromRequest, Request},
};

use crate::{
    auth::{CsrfForm, is_form},
    counting::carried::{Carried, InvalidVisit},
    edge::{
        Code, Problem,
        body::{check, is_json, text, whole},
    },
};

/// What the body says, if there is one.
#[derive(Default)]
pub(super) struct VisitBody {
    /// What the visit carries.
    pub carried: Option<Carried>,
    /// What a page's form has.
    pub form: CsrfForm,
}

impl<S: Sync> FromRequest<S> for VisitBody {
    type Rejection = Problem;

    /// Most visits have no body: then there is nothing to wait for.
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        match request.body().is_end_stream() {
            true => Ok(Self::default()),
            // Apart, so that no other request carries the room this takes.
            false => Box::pin(read(request)).await,
        }
    }
}

/// In chunks it may still be none, whatever media type it has.
async fn read(mut request: Request) -> Result<VisitBody, Problem> {
    if is_form(request.headers()) {
        let form = CsrfForm::from_request(request, &()).await?;
        let carried = None;
        return Ok(VisitBody { carried, form });
    }
    let headers = std::mem::take(request.headers_mut());
    let body = whole(request).await?;
    if body.is_empty() {
        return Ok(VisitBody::default());
    }
    // What cannot be kept is refused: counted without it, it would be lost unnoticed.
    check(&headers, is_json)?;
    let carried = Carried::from_json(text(&body)?)?;
    let form = CsrfForm::default();
    Ok(VisitBody { carried, form })
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
