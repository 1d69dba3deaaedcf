//! What a problem tells programs beside its code: places that are wrong, and what is in the way.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Code;

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
    /// Where in the body: a JSON Pointer (RFC 6901), which is empty for the body itself.
    #[schema(example = "/filter/include/all/0/did/counter")]
    pub pointer: String,
    /// What was expected there.
    #[schema(example = "Expected the name of a counter.")]
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

impl Particulars {
    /// Those of the example of a code in the OpenAPI document.
    pub(super) fn example(code: Code) -> Self {
        let thing = |kind, name: &str| Thing {
            kind,
            id: Uuid::from_u128(0x019a_a5b2_7d1e_7c11_9a55_3f1d_0a4b_6c8e),
            name: name.to_owned(),
        };
        let mut example = Self::default();
        match code {
            Code::InvalidFilter => example.errors.push(WrongPlace {
                pointer: "/filter/include/did/counter".to_owned(),
                detail: "Expected the name of a counter.".to_owned(),
                suggestion: None,
            }),
            Code::AudienceNameTaken | Code::AudienceFilterExists => {
                example.existing = Some(thing("audience", "Pro customers in Austria"));
            }
            Code::PresetNameTaken | Code::PresetFilterExists => {
                example.existing = Some(thing("preset", "Pro customers in Austria"));
            }
            Code::AudienceInUse => example.used_by.push(thing("preset", "Newsletter")),
            _ => {}
        }
        example
    }
}
