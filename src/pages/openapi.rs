//! The OpenAPI document: what is not written at a handler.

use utoipa::OpenApi;

use super::security::Schemes;
use crate::edge::problem::ProblemDocument;

/// The frame of the document; the routes add their parts.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Footfall",
        description = "Counts visits exactly, however many replicas serve them. People have the [console](../console/) for it.\n\n\
            **First steps.** Get a token from `POST /auth/login`, press **Authorize** and paste it; then `GET /api/count` counts a visit. \
            In a browser `POST /auth/login?mode=cookie` does without pasting: it sets cookies, and this page sends what they need.\n\n\
            **Accounts.** `POST /auth/register` founds a company; the mail that follows has a link whose token `POST /auth/confirm` takes. \
            Tokens live for minutes: `POST /auth/refresh` gives the next one. Programs use API tokens from `POST /auth/tokens`. \
            You only ever see your own company: what belongs to another one is answered 404.\n\n\
            Errors are problem documents (RFC 9457) with a stable `code`.",
        license(name = "MIT", identifier = "MIT")
    ),
    servers((url = "./", description = "This server, under whatever prefix the document was found")),
    components(schemas(ProblemDocument)),
    tags(
        (name = "counting", description = "Count visits and read counters"),
        (name = "collect", description = "Count visits of web pages, and the keys by which they send them"),
        (name = "record", description = "What is recorded of visits, and what it amounts to"),
        (name = "audiences", description = "Which visitors did what, and did not: built, saved, counted, listed"),
        (name = "presets", description = "Filters of visitors that are kept to be used again"),
        (name = "auth", description = "Register, log in and out, refresh, and what belongs to your own account: password, sessions"),
        (name = "tokens", description = "API tokens for programs"),
        (name = "users", description = "The people of your company: invite, change, delete"),
        (name = "companies", description = "Your company, and, for operators, all of them"),
        (name = "audit", description = "Who did what, when and from where"),
        (name = "service", description = "The service itself")
    ),
    modifiers(&Schemes)
)]
pub struct Frame;
