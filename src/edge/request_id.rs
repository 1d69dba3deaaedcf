//! Request ids: a trusted proxy's, else one of our own.

use axum::http::{HeaderName, HeaderValue};
use uuid::Uuid;

use super::Peer;
use crate::text::is_visible;

/// `X-Request-ID`
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken over.
const MAX_BYTES: usize = 255;

/// An id as the documentation shows it.
pub const EXAMPLE: &str = "019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e";

/// The id of a request.
#[derive(Debug, Clone)]
pub struct RequestId {
    /// Under it the log knows the request.
    pub value: HeaderValue,
    /// Whether the proxy made it: then the same id again is the same request.
    pub is_the_proxys: bool,
}

impl RequestId {
    /// The id in the head, if a proxy that makes them sent one; else one of our own. A
    /// stranger's is not taken over: it would let anyone write another's id into the log.
    pub fn new(sent: Option<&HeaderValue>, peer: &Peer, proxy_makes_ids: bool) -> Self {
        match sent.filter(|id| proxy_makes_ids && peer.trusted && is_one(id.as_bytes())) {
            Some(id) => Self {
                value: id.clone(),
                is_the_proxys: true,
            },
            None => Self {
                value: generate(),
                is_the_proxys: false,
            },
        }
    }
}

/// A comma means that somebody has made one line of two (RFC 9110, 5.3).
fn is_one(id: &[u8]) -> bool {
    is_visible(id, MAX_BYTES) && !id.contains(&b',')
}

/// A version 7 UUID: ids sort by time in the log.
fn generate() -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let id = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(id).expect("a UUID is visible ASCII")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn whose_id_is_believed() {
        let proxy = Peer::unix(Arc::from([]));
        let stranger = Peer::tcp("192.0.2.1:5000".parse().unwrap(), Arc::from([]));
        for (sent, peer, proxy_makes_ids, believed) in [
            (Some("id"), &proxy, true, true),
            (Some("id"), &proxy, false, false),
            (Some("id"), &stranger, true, false),
            (Some(""), &proxy, true, false),
            (Some("a,b"), &proxy, true, false),
            (Some("a, b"), &proxy, true, false),
            (Some("two words"), &proxy, true, false),
            (None, &proxy, true, false),
        ] {
            let sent = sent.map(HeaderValue::from_static);
            let id = RequestId::new(sent.as_ref(), peer, proxy_makes_ids);
            assert_eq!(id.is_the_proxys, believed, "{sent:?}");
            assert_eq!(sent == Some(id.value), believed, "{sent:?}");
        }
    }
}
