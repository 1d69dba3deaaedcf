//! Who is at the other end, and whom to believe about it.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::HeaderName, request::Parts},
};
use ipnet::IpNet;

use super::RequestContext;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address; a Unix-socket peer has none.
    pub address: Option<IpAddr>,
    /// Whether its forwarding headers and request ids are believed.
    pub trusted: bool,
    proxies: Arc<[IpNet]>,
}

impl Peer {
    /// A peer on a Unix socket: the socket's mode and directory decide who that can be.
    pub fn unix(proxies: Arc<[IpNet]>) -> Self {
        Self {
            address: None,
            trusted: true,
            proxies,
        }
    }

    /// A TCP peer, trusted if it is in one of the proxies' networks.
    pub fn tcp(address: SocketAddr, proxies: Arc<[IpNet]>) -> Self {
        // A dual-stack listener shows an IPv4 peer as ::ffff:a.b.c.d.
        let address = address.ip().to_canonical();
        let trusted = is_in(&proxies, address);
        Self {
            address: Some(address),
            trusted,
            proxies,
        }
    }

    /// The address of the client, as far as it can be known.
    ///
    /// Each proxy appends the peer it saw to `X-Forwarded-For`, so the list is
    /// read from the right: what stands left of the first stranger is his claim.
    /// Several lines are one list, and its elements may be empty (RFC 9110, 5.3
    /// and 5.6.1). `X-Real-IP` is no list: it is believed only where it stands once.
    /// `Forwarded` (RFC 7239) is not read.
    pub fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.trusted {
            return self.address;
        }
        // As bytes: what a client claims may be no text, and what a proxy has appended to it still is.
        let values = headers.get_all(FORWARDED_FOR);
        let forwarded: Vec<&[u8]> = values
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .filter(|entry| !entry.trim_ascii().is_empty())
            .collect();
        let mut nearest = None;
        for entry in forwarded.iter().rev() {
            let Some(address) = parse_address(entry) else {
                break;
            };
            nearest = Some(address);
            if !is_in(&self.proxies, address) {
                break;
            }
        }
        let real_ip = || {
            let mut values = headers.get_all(REAL_IP).iter();
            match (values.next(), values.next()) {
                (Some(value), None) => parse_address(value.as_bytes()),
                _ => None,
            }
        };
        nearest.or_else(real_ip).or(self.address)
    }
}

fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let bracketed = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = IpAddr::from_str(bracketed.unwrap_or(text))
        .or_else(|_| SocketAddr::from_str(text).map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// The address of the client behind a request; `None` if nobody told.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let context = parts.extensions.get::<RequestContext>();
        Ok(Self(
            context.and_then(|context| context.peer.client(&parts.headers)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(peer: &Peer, headers: &[(&'static str, &'static str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        peer.client(&map).map(|address| address.to_string())
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let peer = Peer::tcp("192.0.2.1:5000".parse().unwrap(), Arc::from([]));
        assert!(!peer.trusted);
        let headers = [
            ("x-forwarded-for", "198.51.100.7"),
            ("x-real-ip", "198.51.100.7"),
        ];
        assert_eq!(client(&peer, &headers).unwrap(), "192.0.2.1");
    }

    #[test]
    fn a_proxy_is_believed_up_to_the_first_stranger() {
        let proxies: Arc<[IpNet]> = Arc::from(["10.0.0.0/8".parse().unwrap()]);
        let peer = Peer::tcp("[::ffff:10.0.0.1]:5000".parse().unwrap(), proxies);
        assert!(peer.trusted);
        for (headers, expected) in [
            (
                &[("x-forwarded-for", "203.0.113.9, 198.51.100.7, 10.0.0.2")][..],
                "198.51.100.7",
            ),
            (
                &[
                    ("x-forwarded-for", "198.51.100.7"),
                    ("x-forwarded-for", "10.0.0.2"),
                ],
                "198.51.100.7",
            ),
            (
                &[("x-forwarded-for", "rubbish, 198.51.100.7:4711")],
                "198.51.100.7",
            ),
            (&[("x-forwarded-for", "ü, 198.51.100.7")], "198.51.100.7"),
            (&[("x-forwarded-for", "[2001:db8::1]:80")], "2001:db8::1"),
            (&[("x-forwarded-for", "rubbish, 10.0.0.2")], "10.0.0.2"),
            (
                &[
                    ("x-forwarded-for", "rubbish"),
                    ("x-real-ip", "198.51.100.7"),
                ],
                "198.51.100.7",
            ),
            (&[("x-real-ip", "rubbish")], "10.0.0.1"),
            (&[("x-forwarded-for", "203.0.113.9,")], "203.0.113.9"),
            (
                &[("x-forwarded-for", ", ,203.0.113.9\t, ,,")],
                "203.0.113.9",
            ),
            (
                &[
                    ("x-forwarded-for", "198.51.100.7"),
                    ("x-forwarded-for", "203.0.113.9"),
                    ("x-forwarded-for", ""),
                ],
                "203.0.113.9",
            ),
            (
                &[("x-forwarded-for", ","), ("x-real-ip", "203.0.113.9")],
                "203.0.113.9",
            ),
            (
                &[("x-real-ip", "198.51.100.7"), ("x-real-ip", "203.0.113.9")],
                "10.0.0.1",
            ),
            (
                &[("x-real-ip", "203.0.113.9"), ("x-real-ip", "203.0.113.9")],
                "10.0.0.1",
            ),
            (&[("x-real-ip", "198.51.100.7, 203.0.113.9")], "10.0.0.1"),
            (&[("x-real-ip", "203.0.113.9,")], "10.0.0.1"),
            (&[("forwarded", "for=203.0.113.9")], "10.0.0.1"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(client(&peer, headers).unwrap(), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_unix_peer_has_no_address_of_its_own() {
        let peer = Peer::unix(Arc::from([]));
        assert_eq!(client(&peer, &[]), None);
        assert_eq!(
            client(&peer, &[("x-real-ip", "198.51.100.7")]).unwrap(),
            "198.51.100.7"
        );
    }
}
