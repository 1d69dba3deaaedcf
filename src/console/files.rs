//! The addresses of styles and scripts.

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{assets, pages::Pages};
use crate::edge::Code;

/// Names that are in the address of the same file no more than a year ago.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The files.
pub fn pages<S: Clone + Send + Sync + 'static>() -> Pages<S> {
    Pages::new().at("assets/{file}", get(file))
}

async fn file(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = assets::find(&file) else {
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
