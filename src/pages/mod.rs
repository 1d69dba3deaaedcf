//! Pages for people: the home page, the OpenAPI document and Swagger UI.

use axum::extract::FromRef;

use crate::edge::DescribedRouter;

mod description;
mod document;
mod home;
pub mod openapi;
mod security;
pub mod swagger;

pub use self::{description::Description, document::Document};

/// The routes of this room that are in the document; Swagger UI has a [router](swagger::router)
/// of its own.
pub fn router<S>() -> DescribedRouter<S>
where
    Document: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    home::router().merge(document::router())
}
