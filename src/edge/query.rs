//! What stands in the query of a request's target, the same for all routes.

use std::borrow::Cow;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::{Code, Problem};

/// The parameters of a query; one that is wrong is `invalid_query`.
#[derive(Debug, Clone, Copy)]
pub struct QueryOf<T>(pub T);

impl<S, T> FromRequestParts<S> for QueryOf<T>
where
    S: Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(invalid(rejection.body_text())),
        }
    }
}

/// A parameter's value. Forms send what was left empty, so empty is absent.
pub fn given(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty())
}

/// A parameter that is wrong; the text begins with its name.
pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::from(Code::InvalidQuery).with_detail(detail)
}
