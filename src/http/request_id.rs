//! Request ids: a trusted proxy's, else one of our own.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use super::Peer;
use crate::counting::identity::is_valid_key;

/// `X-Request-ID`
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// An id as the documentation shows it.
pub const EXAMPLE: &str = "019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e";

/// The id of a request. A stranger's is not taken over: it would let anyone
/// write another's id into the log.
pub fn of(headers: &HeaderMap, peer: &Peer) -> HeaderValue {
    from_proxy(headers, peer).cloned().unwrap_or_else(generate)
}

/// The id a trusted proxy sent, if it is well-formed.
pub fn from_proxy<'a>(headers: &'a HeaderMap, peer: &Peer) -> Option<&'a HeaderValue> {
    let id = peer.trusted.then(|| headers.get(HEADER)).flatten()?;
    is_valid_key(id.as_bytes()).then_some(id)
}

/// A version 7 UUID: ids sort by time in the log.
fn generate() -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let id = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(id).expect("a UUID is visible ASCII")
}
