//! Pages for people: the home page, the OpenAPI document and Swagger UI.

use axum::{body::Bytes, extract::FromRef};
use utoipa_axum::{router::OpenApiRouter, routes};

mod description;
mod home;
pub mod openapi;
mod security;
pub mod swagger;

pub use self::description::Description;

/// The OpenAPI document, in JSON.
#[derive(Debug, Clone)]
pub struct Document(pub Bytes);

/// The routes of this room that are in the document; Swagger UI has a [router](swagger::router)
/// of its own.
pub fn router<S>() -> OpenApiRouter<S>
where
    Document: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::new()
        .routes(routes!(home::get_home))
        .routes(routes!(openapi::get_openapi))
}
