//! The OpenAPI document: every change of the API shows as a diff.

use serde_json::Value;

fn document() -> Value {
    serde_json::from_slice(&footfall::app::description().to_json()).unwrap()
}

#[test]
fn the_document_is_the_one_reviewed() {
    // To accept a change: INSTA_UPDATE=always cargo test openapi
    insta::assert_snapshot!(
        "openapi",
        serde_json::to_string_pretty(&document()).unwrap()
    );
}

/// Every operation with its path and method.
fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods
            .iter()
            .map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

#[test]
fn every_promised_route_is_documented() {
    let document = document();
    let documented: Vec<_> = operations(&document).map(|(name, _)| name).collect();
    for route in [
        "get /",
        "get /api/ping",
        "post /auth/login",
        "post /auth/refresh",
        "post /auth/logout",
        "post /auth/logout/all",
        "get /auth/sessions",
        "delete /auth/sessions/{id}",
        "get /api/count",
        "head /api/count",
        "get /api/counters",
        "get /api/counters/{name}",
        "post /api/counters/{name}",
        "post /api/visits",
        "get /healthz",
        "get /openapi.json",
    ] {
        assert!(documented.iter().any(|name| name == route), "{route}");
    }
}

#[test]
fn every_error_is_documented_with_an_example() {
    let document = document();
    for (name, operation) in operations(&document) {
        assert!(operation["summary"].is_string(), "{name} has a summary");
        for (status, response) in operation["responses"].as_object().unwrap() {
            if !status.starts_with(['4', '5']) {
                continue;
            }
            if name == "get /collect.gif" {
                // Its errors are images, which say the code beside them.
                let code = &response["headers"]["Footfall-Not-Counted"];
                assert!(code.is_object(), "{name} {status}");
                continue;
            }
            let content = &response["content"]["application/problem+json"];
            assert_eq!(
                content["schema"]["$ref"], "#/components/schemas/Problem",
                "{name} {status}"
            );
            for (code, example) in content["examples"].as_object().unwrap() {
                assert_eq!(
                    example["value"]["code"].as_str(),
                    Some(code.as_str()),
                    "{name} {status}"
                );
                assert_eq!(
                    example["value"]["status"].to_string(),
                    *status,
                    "{name} {code}"
                );
            }
        }
    }
}

#[test]
fn what_wants_a_token_says_so() {
    let document = document();
    for (name, operation) in operations(&document) {
        let path = name.split(' ').nth(1).unwrap();
        // What one does to be let in.
        let opens = [
            "/auth/login",
            "/auth/refresh",
            "/auth/register",
            "/auth/confirm",
            "/auth/confirm/resend",
            "/auth/password/forgot",
            "/auth/password/reset",
        ];
        let opens = opens.contains(&path);
        let is_closed = path.starts_with("/api/") || path.starts_with("/auth/");
        let closed = is_closed && path != "/api/ping" && !opens;
        assert_eq!(
            operation["security"][0]["bearer"].is_array(),
            closed,
            "{name}"
        );
        let takes_credentials = ["/auth/login", "/auth/refresh", "/auth/confirm"].contains(&path);
        assert_eq!(
            operation["responses"]["401"].is_object(),
            closed || takes_credentials,
            "{name}"
        );
    }
}

/// Whatever an operation does: a cookie may come without its token, and an API token be one too many.
#[test]
fn what_a_caller_is_refused_for_is_documented() {
    let document = document();
    for (name, operation) in operations(&document) {
        let security = operation["security"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let wants = |scheme: &str| security.iter().any(|one| one[scheme].is_array());
        for (status, code, wanted) in [
            ("403", "csrf_failed", wants("csrf")),
            ("429", "too_many_requests", wants("bearer")),
            ("503", "database_unavailable", wants("bearer")),
        ] {
            let content = &operation["responses"][status]["content"]["application/problem+json"];
            let is_there = content["examples"][code].is_object();
            assert!(is_there || !wanted, "{name}: {code}");
        }
    }
}

#[test]
fn no_parameter_is_documented_twice() {
    let document = document();
    for (name, operation) in operations(&document) {
        let parameters = operation["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let names: Vec<_> = parameters
            .iter()
            .map(|parameter| (&parameter["in"], &parameter["name"]))
            .collect();
        let distinct: std::collections::HashSet<_> =
            names.iter().map(|name| format!("{name:?}")).collect();
        assert_eq!(distinct.len(), names.len(), "{name}: {names:?}");
    }
}
