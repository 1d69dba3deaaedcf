//! `POST /api/visits`: many visits in one request, each by itself.

use std::sync::Arc;

use axum::{
    Extension,
    body::Bytes,
    extract::{FromRef, FromRequest, Request, State},
    http::header,
    response::IntoResponse,
};
use futures_util::future::join_all;
use mime::Mime;
use serde::Serialize;

use super::{
    CountingState, IdentityHeaders,
    schemas::{LineOutcome, VisitLine},
    visit_identity::VisitIdentity,
};
use crate::{
    auth::{Caller, Callers, May, permission},
    counting::{
        Counted, CounterId, CounterName, Identity, Visit,
        carried::{InvalidVisit, Line},
        identity::IdentityKind,
    },
    edge::{
        Code, DescribedRouter, Policy, Problem, RequestContext,
        body::{check, whole},
        problem::ProblemDocument,
    },
    routes, text,
};

/// Visits in a request.
const MAX_LINES: usize = 1000;

/// The media type of both bodies: JSON texts, a line each.
const NDJSON: &str = "application/x-ndjson";

/// What else clients call it.
const ALIASES: [&str; 3] = ["application/ndjson", "application/jsonl", NDJSON];

/// The route.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<CountingState>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(post_visits))
}

/// This route alone takes more than a small body.
pub fn policy() -> Policy {
    Policy {
        max_body: 1024 * 1024,
        ..Policy::default()
    }
}

/// A body of lines, once all of it is there.
struct Lines(Bytes);

impl<S: Sync> FromRequest<S> for Lines {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check(request.headers(), is_ndjson).map_err(|problem| match problem.code {
            Code::UnsupportedMediaType => problem.with_detail(format!(
                "The body must be sent as `Content-Type: {NDJSON}`, in UTF-8."
            )),
            _ => problem,
        })?;
        whole(request).await.map(Self)
    }
}

fn is_ndjson(media_type: &Mime) -> bool {
    ALIASES.contains(&media_type.essence_str())
}

impl Lines {
    /// Those that have anything, with their numbers, from 1.
    fn numbered(&self) -> Result<Vec<(usize, &[u8])>, Problem> {
        let lines = (1..).zip(self.0.split(|byte| *byte == b'\n'));
        let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
        // One more than may be: enough to know.
        let lines: Vec<_> = lines.take(MAX_LINES + 1).collect();
        match lines.len() > MAX_LINES {
            true => Err(Problem::from(Code::InvalidVisit).with_detail(format!(
                "There are more than {MAX_LINES} lines. Nothing was counted: send them in several requests."
            ))),
            false => Ok(lines),
        }
    }
}

crate::problem_responses!(LinesProblems:
    InvalidIdempotencyKey, UnsupportedMediaType, UnsupportedContentEncoding, InvalidVisit, MissingToken, InvalidToken,
    ExpiredToken, Forbidden, MethodNotAllowed, Overloaded);

/// Count many visits.
///
/// Each line of the body is a visit: on which `counter` it is counted, and what it carries. A line's `key` makes it one visit
/// however often it is sent, as an `Idempotency-Key` does; without one the line is the same visit where the whole request is
/// repeated under the same `Idempotency-Key`.
///
/// The answer has a line for each, in their order, with the number of the visit or the problem, whatever became of the others:
/// the status is 200 also where no visit was counted. Lines count from 1; empty ones are skipped.
#[utoipa::path(
    post,
    path = "/api/visits",
    tag = "counting",
    security(("bearer" = [])),
    params(IdentityHeaders),
    request_body(
        content = VisitLine,
        content_type = "application/x-ndjson",
        description = "JSON objects, a line each: at most 1000 lines and 1 MiB. `application/ndjson` and `application/jsonl` are the same"
    ),
    responses(
        (status = 200, description = "What became of each line, a line each", body = LineOutcome, content_type = "application/x-ndjson"),
        LinesProblems
    )
)]
async fn post_visits(
    State(state): State<Arc<CountingState>>,
    caller: May<permission::Count>,
    identity: VisitIdentity,
    Extension(context): Extension<RequestContext>,
    lines: Lines,
) -> Result<impl IntoResponse, Problem> {
    let lines = lines.numbered()?;
    let _room = state.room_for(lines.len()).await?;
    let counting = lines
        .iter()
        .map(|(number, line)| count(&state, &caller, &identity, *number, line));
    // All at once, so that they share round trips to the store.
    let outcomes = join_all(counting).await;
    let request_id = context.id.value.to_str().unwrap_or_default();
    let mut answer = Vec::with_capacity(outcomes.len() * 64);
    for ((line, _), outcome) in lines.iter().zip(&outcomes) {
        write(&mut answer, *line, outcome, request_id);
    }
    Ok(([(header::CONTENT_TYPE, NDJSON)], answer))
}

type Outcome = Result<(CounterName, Counted), Problem>;

async fn count(
    state: &CountingState,
    caller: &Caller,
    identity: &VisitIdentity,
    number: usize,
    line: &[u8],
) -> Outcome {
    let line = read(line)?;
    let identity = match line.key {
        Some(key) => Some(Identity::new(
            IdentityKind::Key,
            &caller.subject,
            key.as_bytes(),
        )),
        None => identity.of_line(caller, number),
    };
    let visit = Visit {
        identity,
        pass: caller.pass.clone(),
        carried: state.kept(line.carried)?,
    };
    let counter = CounterId {
        company: caller.company,
        name: line.counter.clone(),
    };
    let counted = state.counting.visit(counter, visit).await?;
    Ok((line.counter, counted))
}

/// A line that is no JSON is a visit that is none: the body as a whole is no JSON anyway.
fn read(line: &[u8]) -> Result<Line, Problem> {
    let invalid = |why: String| Problem::from(Code::InvalidVisit).with_detail(why);
    let line = text::decode(line).map_err(|error| {
        invalid(format!(
            "A line must be UTF-8 text, as JSON is: {error}. The visit was not counted."
        ))
    })?;
    Line::from_json(line).map_err(|error| match error {
        InvalidVisit::Syntax(_) => invalid(format!("{error} The visit was not counted.")),
        InvalidVisit::Content { .. } => error.into(),
    })
}

/// One line of the answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Counted {
        line: usize,
        counter: &'a CounterName,
        visits: u64,
        replayed: bool,
    },
    Failed {
        line: usize,
        #[serde(flatten)]
        problem: ProblemDocument<'a>,
        /// What `Retry-After` is for a whole response.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
}

fn write(answer: &mut Vec<u8>, line: usize, outcome: &Outcome, request_id: &str) {
    let written = match outcome {
        Ok((counter, counted)) => Answer::Counted {
            line,
            counter,
            visits: counted.number,
            replayed: counted.replayed,
        },
        Err(problem) => Answer::Failed {
            line,
            problem: problem.document(request_id),
            retry_after: problem.wait(),
        },
    };
    serde_json::to_writer(&mut *answer, &written).expect("it is made of texts and numbers");
    answer.push(b'\n');
}
