//! How a caller shows who it is, as the OpenAPI document says it.

use std::collections::BTreeSet;

use utoipa::{
    Modify,
    openapi::{
        OpenApi, PathItem, RefOr, Response,
        path::Operation,
        security::{
            ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
        },
    },
};

use crate::edge::{Code, problem::documented};

/// What the "Authorize" button asks for.
pub(super) struct Schemes;

impl Modify for Schemes {
    fn modify(&self, openapi: &mut OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some(
            "A token from `POST /auth/login`, or an API token (`ffk_…`) from `POST /auth/tokens`."
                .to_owned(),
        );
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = "Nothing is to be entered here: `POST /auth/login?mode=cookie` sets the cookie, and the browser sends it. \
                      In development over plain HTTP its name is `footfall-access`.";
        let cookie = ApiKeyValue::with_description("__Host-footfall-access", cookie);
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let csrf = "Nothing is to be entered here: on this page it is sent by itself. With the cookie, a request that changes something \
                    (`GET /api/count` is one) carries the value of the cookie `__Host-footfall-csrf`, in development `footfall-csrf`, \
                    which scripts of this origin can read.";
        let csrf = ApiKeyValue::with_description("X-CSRF-Token", csrf);
        components.add_security_scheme("csrf", SecurityScheme::ApiKey(ApiKey::Header(csrf)));
    }
}

/// Says of each operation that takes a bearer's token that it takes a session's cookie as well, and what
/// else may come of either, whatever the operation is.
pub(super) fn admit_cookies(path: &str, item: &mut PathItem) {
    // Reading, but for one.
    let get_changes = path == "/api/count";
    let PathItem {
        get,
        head,
        put,
        post,
        patch,
        delete,
        ..
    } = item;
    for (operation, changes) in [(get, get_changes), (head, false)]
        .into_iter()
        .chain([put, post, patch, delete].map(|operation| (operation, true)))
    {
        if let Some(operation) = operation {
            admit(operation, changes);
        }
    }
}

fn admit(operation: &mut Operation, changes: bool) {
    let Some(security) = &mut operation.security else {
        return;
    };
    let cookie = SecurityRequirement::new("cookie", NO_SCOPES);
    let (cookie, refusals) = match changes {
        true => (cookie.add("csrf", NO_SCOPES), &REFUSALS[..]),
        false => (cookie, &REFUSALS[1..]),
    };
    security.push(cookie);
    let responses = &mut operation.responses.responses;
    let named: BTreeSet<_> = responses.values().flat_map(problems).collect();
    let all = Code::ALL.iter().copied();
    let all: Vec<_> = all
        .filter(|code| refusals.contains(code) || named.contains(code.as_str()))
        .collect();
    responses.extend(documented(&all));
}

/// What a caller may be refused for: the first with cookies, the others with API tokens, which are limited
/// where they are wrong and looked up where they are new.
const REFUSALS: [Code; 3] = [
    Code::CsrfFailed,
    Code::TooManyRequests,
    Code::DatabaseUnavailable,
];

/// The codes of the problems that a response documents.
fn problems(response: &RefOr<Response>) -> Vec<String> {
    let RefOr::T(response) = response else {
        return Vec::new();
    };
    let contents = response
        .content
        .values()
        .filter_map(|content| match content {
            RefOr::T(content) => Some(content.examples.keys().cloned()),
            RefOr::Ref(_) => None,
        });
    contents.flatten().collect()
}

/// Keys have none.
const NO_SCOPES: [&str; 0] = [];
