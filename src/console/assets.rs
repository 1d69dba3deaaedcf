//! Styles and scripts: in the binary, under names that change with what is in them, so that browsers
//! never ask for them again.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use sha2::{Digest, Sha256};

use super::pages::Pages;
use crate::edge::Code;

/// Names that are in the address of the same file no more than a year ago.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The files, each before those that import it.
const SOURCES: &[(&str, &str)] = &[
    ("console.css", include_str!("assets/console.css")),
    ("console.js", include_str!("assets/console.js")),
    ("audiences.js", include_str!("assets/audiences.js")),
    ("icon.svg", include_str!("assets/icon.svg")),
];

struct Asset {
    name: &'static str,
    hashed: String,
    media_type: &'static str,
    text: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut assets = Vec::<Asset>::new();
    for (name, source) in SOURCES {
        let mut text = (*source).to_owned();
        for other in &assets {
            let import = |name: &str| format!("\"./{name}\"");
            text = text.replace(&import(other.name), &import(&other.hashed));
        }
        let digest = Sha256::digest(&text);
        let hash: String = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        assets.push(Asset {
            name,
            hashed: format!("{stem}-{hash}.{ending}"),
            media_type: match ending {
                "css" => "text/css; charset=utf-8",
                "js" => "text/javascript; charset=utf-8",
                _ => "image/svg+xml",
            },
            text,
        });
    }
    assets
});

/// The name of a file in its address.
///
/// # Panics
///
/// If there is no such file, which each page would show in any test.
pub fn hashed(name: &str) -> &'static str {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    let Some(asset) = found else {
        panic!("there is no file {name} among those of the console");
    };
    &asset.hashed
}

/// The files.
pub fn pages<S: Clone + Send + Sync + 'static>() -> Pages<S> {
    Pages::new().at("assets/{file}", get(file))
}

async fn file(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.hashed == file) else {
        return Code::NotFound.into_response();
    };
    let tag = HeaderValue::try_from(format!("\"{}\"", asset.hashed));
    let Ok(tag) = tag else {
        return Code::Internal.into_response();
    };
    let is_known = is_known(&headers, &tag);
    let cached = [(header::CACHE_CONTROL, CACHE_CONTROL), (header::ETAG, tag)];
    match is_known {
        true => (StatusCode::NOT_MODIFIED, cached).into_response(),
        false => {
            let media_type = [(header::CONTENT_TYPE, asset.media_type)];
            (cached, media_type, asset.text.as_str()).into_response()
        }
    }
}

/// Whether the client has it (RFC 9110, 13.1.2). A proxy that compresses makes a tag weak.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter();
    let tags = lines.filter_map(|line| line.to_str().ok());
    let mut tags = tags.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|sent| sent == "*" || sent.strip_prefix("W/").unwrap_or(sent) == tag)
}
