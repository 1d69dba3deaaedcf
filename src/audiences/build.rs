//! `POST /api/build-filter` and `POST /api/build-audience`: what a filter says and whom it means, without
//! saving it.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{FromRef, State},
};
use serde::{Serialize, de::IgnoredAny};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    evaluate::Engine,
    filter::{Filter, words},
    members::{AsOfQuery, sample},
    placed::as_sent,
    saved::{read_filter, sentence},
    schema::FilterSchema,
};
use crate::{
    accounts::Accounts,
    audit::time,
    auth::{Callers, May, permission},
    edge::{Code, DescribedRouter, JsonBody, Problem, QueryOf},
    routes,
};

/// Members that are shown of an audience that is not saved.
const SAMPLE: usize = 10;

/// The routes of this file.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    Engine: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .routes(routes!(post_build_filter))
        .routes(routes!(build_audience_as_sent))
}

/// A filter, in its canonical form.
#[derive(Serialize, ToSchema)]
pub struct BuiltFilter {
    /// Its canonical form.
    #[schema(value_type = FilterSchema)]
    filter: Box<RawValue>,
    /// The SHA-256 of that, in hexadecimal: filters with the same hash are the same.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
    /// The filter in words.
    sentence: String,
}

impl BuiltFilter {
    fn new(filter: Filter, sentence: String) -> Result<Self, Problem> {
        let json = RawValue::from_string(filter.canonical);
        Ok(Self {
            filter: json.map_err(|error| Problem::from(Code::Internal).with_cause(error))?,
            hash: filter.hash,
            sentence,
        })
    }
}

/// A filter that is yet to be built may leave its version out: it is then of the newest.
fn with_version(json: &str) -> Cow<'_, str> {
    let says_none = |sent: BTreeMap<String, IgnoredAny>| !sent.contains_key("version");
    let lacks_it = serde_json::from_str(json).is_ok_and(says_none);
    match json.trim_start().strip_prefix('{').filter(|_| lacks_it) {
        Some(rest) if rest.trim_start().starts_with('}') => format!("{{\"version\":1{rest}").into(),
        Some(rest) => format!("{{\"version\":1,{rest}").into(),
        None => json.into(),
    }
}

crate::problem_responses!(BuildProblems: [CALLER, JSON] MethodNotAllowed, InvalidFilter);

/// Build a filter.
///
/// From what includes visitors and what excludes them: its canonical form, the hash by which equal filters are known, and one
/// sentence that says whom it means. Nothing is looked up: audiences to which it refers are named by their ids.
#[utoipa::path(
    post,
    path = "/api/build-filter",
    tag = "audiences",
    security(("bearer" = [])),
    request_body(content = FilterSchema, content_type = "application/json"),
    responses((status = 200, description = "The filter", body = BuiltFilter), BuildProblems)
)]
async fn post_build_filter(
    _caller: May<permission::ReadRecord>,
    JsonBody(body): JsonBody<Box<RawValue>>,
) -> Result<Json<BuiltFilter>, Problem> {
    let filter = read_filter(&with_version(body.get()), "")?;
    let sentence = words::sentence(&filter.tree, &|_| None);
    BuiltFilter::new(filter, sentence).map(Json)
}

/// A filter, and whom it means.
#[derive(Serialize, ToSchema)]
pub struct BuiltAudience {
    /// Its canonical form.
    #[schema(value_type = FilterSchema)]
    pub filter: Box<RawValue>,
    /// The SHA-256 of that, in hexadecimal: filters with the same hash are the same.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub hash: String,
    /// The filter in words.
    pub sentence: String,
    /// How many visitors it means.
    #[schema(minimum = 0, example = 1234)]
    pub size: u64,
    /// Some of them, as visits show them: the first of its members.
    #[schema(max_items = 10, example = json!(["#Zm9vdGZhbGwgdmlzaXRvcg"]))]
    pub sample: Vec<String>,
    /// Sent again as `as_of`, the answer is the same.
    pub as_of: String,
    /// The moment in it: `within` goes back from there (RFC 3339).
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    pub at: String,
    /// The numbers in it: up to which visit each counter was looked at.
    #[schema(example = json!({"signup": 4711}))]
    pub counters: BTreeMap<String, u64>,
}

crate::problem_responses!(AudienceProblems:
    [CALLER, JSON, DATABASE] InvalidQuery, MethodNotAllowed, InvalidFilter, VisitorsOfADay, TooManyCounters, AsOfTooOld,
    Overloaded, QueryTooSlow);

/// Build an audience.
///
/// As a filter is built, and with how many visitors are meant and who the first ten of them are, now or as of an earlier
/// answer. Nothing is saved.
#[utoipa::path(
    post,
    path = "/api/build-audience",
    operation_id = "post_build_audience",
    tag = "audiences",
    security(("bearer" = [])),
    params(AsOfQuery),
    request_body(content = FilterSchema, content_type = "application/json"),
    responses((status = 200, description = "The filter, and whom it means", body = BuiltAudience), AudienceProblems)
)]
async fn build_audience_as_sent(
    accounts: State<Arc<Accounts>>,
    engine: State<Engine>,
    caller: May<permission::ReadRecord>,
    query: QueryOf<AsOfQuery>,
    JsonBody(body): JsonBody<Box<RawValue>>,
) -> Result<Json<BuiltAudience>, Problem> {
    let sent = body.clone();
    let built = post_build_audience(accounts, engine, caller, query, JsonBody(body)).await;
    built.map_err(|problem| match read_filter(&with_version(sent.get()), "") {
        Ok(filter) => as_sent(problem, sent.get(), &filter),
        Err(_) => problem,
    })
}

/// Builds an audience.
///
/// # Errors
///
/// Those of `POST /api/build-audience`. What is wrong with a filter that can be read is told by places of its canonical form.
pub async fn post_build_audience(
    State(accounts): State<Arc<Accounts>>,
    State(engine): State<Engine>,
    caller: May<permission::ReadRecord>,
    QueryOf(query): QueryOf<AsOfQuery>,
    JsonBody(body): JsonBody<Box<RawValue>>,
) -> Result<Json<BuiltAudience>, Problem> {
    let as_of = query.read()?;
    let filter = read_filter(&with_version(body.get()), "")?;
    let company = caller.company.id();
    let evaluated = engine.evaluate(caller.company, &filter, as_of.as_ref());
    let evaluated = evaluated.await?;
    let sample = sample(accounts.database()?, company, &evaluated.visitors, SAMPLE).await?;
    let sentence = sentence(&accounts, company, &filter.tree).await?;
    let built = BuiltFilter::new(filter, sentence)?;
    Ok(Json(BuiltAudience {
        filter: built.filter,
        hash: built.hash,
        sentence: built.sentence,
        size: evaluated.visitors.len(),
        sample,
        as_of: evaluated.as_of.to_string(),
        at: time::format(evaluated.as_of.instant),
        counters: evaluated.counters,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_added_where_there_is_none() {
        for (sent, expected) in [
            ("{}", r#"{"version":1}"#),
            (" { } ", r#"{"version":1 } "#),
            (r#"{"include":{}}"#, r#"{"version":1,"include":{}}"#),
            (r#"{"version":2}"#, r#"{"version":2}"#),
            (
                r#"{"include":{"version":1}}"#,
                r#"{"version":1,"include":{"version":1}}"#,
            ),
            (
                r#"{"version":1,"version":1}"#,
                r#"{"version":1,"version":1}"#,
            ),
            ("1", "1"),
            ("\"{\"", "\"{\""),
        ] {
            assert_eq!(with_version(sent), expected, "{sent}");
        }
        // `null` is no version, and is not there twice.
        assert_eq!(with_version(r#"{"version":null}"#), r#"{"version":null}"#);
    }
}
