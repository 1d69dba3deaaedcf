//! How a caller shows who it is, as the OpenAPI document says it.

use utoipa::{
    Modify,
    openapi::{
        OpenApi, PathItem,
        path::Operation,
        security::{
            ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
        },
    },
};

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

/// Says of each operation that takes a bearer's token that it takes a session's cookie as well.
pub fn admit_cookies(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
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
}

fn admit(operation: &mut Operation, changes: bool) {
    let Some(security) = &mut operation.security else {
        return;
    };
    let cookie = SecurityRequirement::new("cookie", NO_SCOPES);
    security.push(match changes {
        true => cookie.add("csrf", NO_SCOPES),
        false => cookie,
    });
}

/// Keys have none.
const NO_SCOPES: [&str; 0] = [];
