//! What a problem tells programs beside its code: places that are wrong, and what is in the way.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a problem tells programs beside its code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Particulars {
    /// What is wrong, place by place.
    pub errors: Vec<WrongPlace>,
    /// What is there already.
    pub existing: Option<Thing>,
    /// What would be left without it.
    pub used_by: Vec<Thing>,
}

/// A place in a JSON document, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WrongPlace {
    /// Where: a JSON Pointer (RFC 6901) within the filter, which is empty for the filter itself.
    #[schema(example = "/include/all/0/did/counter")]
    pub pointer: String,
    /// What was expected there.
    #[schema(example = "the name of a counter")]
    pub detail: String,
    /// What may have been meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub suggestion: Option<String>,
}

/// Something that is named in a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Thing {
    /// `audience` or `preset`.
    #[schema(example = "audience")]
    pub kind: &'static str,
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    #[schema(example = "Customers in Austria")]
    pub name: String,
}
