//! `POST /api/build-filter` and `POST /api/build-audience`: what a filter says and whom it means, without
//! saving it.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use axum::{Json, extract::FromRef};
use serde::{Serialize, de::IgnoredAny};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    filter::{Filter, words},
    saved::read_filter,
    schema::FilterSchema,
};
use crate::{
    auth::{Callers, May, permission},
    edge::{Code, JsonBody, Problem},
};

/// The routes of this file.
pub fn router<S>() -> OpenApiRouter<S>
where
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::new().routes(routes!(post_build_filter))
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
