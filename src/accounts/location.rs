//! Where something new is found (RFC 9110, 15.3.2).

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponseParts, ResponseParts},
};
use uuid::Uuid;

use crate::edge::{Code, Problem};

/// The header `Location` of a 201.
///
/// Relative to the path that was asked (RFC 9110, 10.2.2): under which prefix a proxy publishes the
/// service, the service does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location(String);

impl Location {
    /// Of the thing with this id in the list of this name: the last part of the path that makes one.
    pub fn of(list: &'static str, id: Uuid) -> Self {
        Self(format!("{list}/{id}"))
    }
}

impl IntoResponseParts for Location {
    type Error = Problem;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Problem> {
        let value = HeaderValue::try_from(self.0);
        let value = value.map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
        parts.headers_mut().insert(header::LOCATION, value);
        Ok(parts)
    }
}
