//! `POST /api/visitors/erase`

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::StatusCode,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Erasure;
use crate::{
    accounts::{by::By, fields::Text, origin::Origin},
    auth::{Callers, May, permission},
    counting::carried::{Member, Sent},
    edge::{Code, DescribedRouter, JsonBody, Problem},
    routes,
};

/// The route of this room.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Callers>: FromRef<S>,
    Arc<Erasure>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(erase_visitor))
}

/// Who is to be erased. Not in a URL, which is logged on its way.
#[derive(Deserialize, ToSchema)]
#[schema(as = VisitorToErase)]
#[serde(deny_unknown_fields)]
struct Body {
    /// The visitor, as visits name them.
    #[serde(default)]
    #[schema(value_type = String, required = true, min_length = 1, max_length = 512, example = "customer 8071")]
    visitor: Text,
}

impl Body {
    /// A name that a visit can have: nobody has another.
    fn name(self) -> Result<Box<str>, Problem> {
        let text = self.visitor.required("visitor")?;
        let invalid = |detail: String| {
            Problem::from(Code::InvalidBody)
                .with_detail(detail)
                .of_field("visitor")
        };
        let mut sent = Sent::default();
        let put = sent.put(Member::Visitor, text.into());
        put.map_err(|error| invalid(error.to_string()))?;
        let empty = || invalid("The field `visitor` must not be empty.".to_owned());
        sent.visitor.map(Into::into).ok_or_else(empty)
    }
}

crate::problem_responses!(EraseProblems:
    InvalidJson, MissingToken, InvalidToken, ExpiredToken, Forbidden, CsrfFailed, MethodNotAllowed, UnsupportedMediaType,
    UnsupportedContentEncoding, InvalidBody, RecordingBehind, StoreUnavailable, OutcomeUnknown, NoDatabase,
    DatabaseUnavailable);

/// Erase a visitor.
///
/// Once this is answered, nothing is kept of who the visitor was and of what their visits carried that were
/// counted before the request. The visits stay counted. The answer is the same for a visitor whom nobody
/// knows. Whatever the answer, the request may be sent again.
#[utoipa::path(
    post,
    path = "/api/visitors/erase",
    tag = "record",
    security(("bearer" = [])),
    request_body = Body,
    responses((status = 204, description = "Nothing is known of them"), EraseProblems)
)]
async fn erase_visitor(
    State(erasure): State<Arc<Erasure>>,
    caller: May<permission::EraseVisitors>,
    origin: Origin,
    JsonBody(body): JsonBody<Body>,
) -> Result<StatusCode, Problem> {
    let visitor = body.name()?;
    if erasure.database.is_none() {
        return Err(Code::NoDatabase.into());
    }
    let company = caller.company;
    erasure.is_drained(company).await?;
    let keys = erasure.keys(company, &visitor)?;
    let by = By::caller(&caller, origin);
    erasure.erase(company.id(), keys, by).await?;
    Ok(StatusCode::NO_CONTENT)
}
