//! `GET /footfall.js`

use std::sync::LazyLock;

use axum::{
    http::{
        HeaderMap, HeaderName, StatusCode,
        header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use crate::{edge::DescribedRouter, routes};

/// As it is served.
pub const SCRIPT: &str = include_str!("footfall.js");

/// How long a browser need not ask whether there is a newer one.
const CACHED: &str = "public, max-age=3600";

/// Pages that isolate themselves (COEP) may load it.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The beginning of its SHA-256.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let hash = Sha256::digest(SCRIPT);
    let digits: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
});

/// The route.
pub fn router<S>() -> DescribedRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(get_script))
}

crate::problem_responses!(ScriptProblems: MethodNotAllowed);

/// The script for web pages.
///
/// Sends a visit by `POST /collect` for each view of the page that it is on.
#[utoipa::path(
    get,
    path = "/footfall.js",
    tag = "collect",
    responses(
        (status = 200, description = "The script", body = String, content_type = "text/javascript"),
        (status = 304, description = "It is the one that `If-None-Match` names"),
        ScriptProblems
    )
)]
async fn get_script(headers: HeaderMap) -> Response {
    let known = [
        (ETAG, TAG.as_str()),
        (CACHE_CONTROL, CACHED),
        // Any page may load it, and compare it with a hash (Subresource Integrity).
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (RESOURCE_POLICY, "cross-origin"),
    ];
    match is_known(&headers) {
        true => (StatusCode::NOT_MODIFIED, known).into_response(),
        false => (
            known,
            [(CONTENT_TYPE, "text/javascript; charset=utf-8")],
            SCRIPT,
        )
            .into_response(),
    }
}

/// RFC 9110, 13.1.2: compared weakly, since a proxy that compresses makes a tag a weak one.
fn is_known(headers: &HeaderMap) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter();
    let mut tags = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tags.any(|tag| {
        let tag = tag.trim_ascii();
        let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
        tag == b"*" || tag == TAG.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn it_is_short_as_it_is_served() {
        assert!(SCRIPT.len() < 2000, "{}", SCRIPT.len());
        for never in ["cookie", "localStorage", "sessionStorage", "indexedDB"] {
            let code = SCRIPT
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            assert!(!code.collect::<String>().contains(never), "{never}");
        }
    }

    #[test]
    fn a_browser_that_has_it_is_told_so() {
        let tag = TAG.as_str();
        for (value, expected) in [
            (tag.to_owned(), true),
            (format!("W/{tag}"), true),
            (format!("\"x\", {tag}"), true),
            ("*".to_owned(), true),
            ("\"x\"".to_owned(), false),
            (tag.trim_matches('"').to_owned(), false),
            (String::new(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_str(&value).unwrap());
            assert_eq!(is_known(&headers), expected, "{value}");
        }
        assert!(!is_known(&HeaderMap::new()));
    }
}
