//! The OpenAPI document: what is not written at a handler.

use axum::{extract::State, http::header, response::IntoResponse};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use super::Document;
use crate::edge::problem::ProblemDocument;

/// The frame of the document; the routers add their paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Footfall",
        description = "Counts visits exactly, however many replicas serve them.\n\nGet a token from `POST /auth/login`, press **Authorize** and paste it; then `GET /api/count` counts a visit. Errors are problem documents (RFC 9457) with a stable `code`.",
        license(name = "MIT", identifier = "MIT")
    ),
    servers((url = "./", description = "This server, under whatever prefix the document was found")),
    components(schemas(ProblemDocument)),
    tags(
        (name = "counting", description = "Count visits and read counters"),
        (name = "auth", description = "Get a token"),
        (name = "tokens", description = "API tokens for machines"),
        (name = "users", description = "The users of your company"),
        (name = "companies", description = "Your company, and for operators all of them"),
        (name = "audit", description = "Who did what"),
        (name = "service", description = "The service itself")
    ),
    modifiers(&BearerScheme)
)]
pub struct Frame;

/// What the "Authorize" button asks for.
struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.bearer_format = Some("JWT".to_owned());
        scheme.description = Some("A token from `POST /auth/login`.".to_owned());
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

crate::problem_responses!(DocumentProblems: MethodNotAllowed);

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "service",
    responses((status = 200, description = "The OpenAPI document", body = Object, content_type = "application/json"), DocumentProblems)
)]
pub async fn get_openapi(State(Document(document)): State<Document>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document)
}
