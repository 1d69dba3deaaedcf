//! What the edge must know of a request's head, found in one pass over its fields.

use axum::{
    body::HttpBody,
    http::{HeaderValue, Request, Version},
};

use super::{Code, Policy, Problem};

/// Longest request target.
const MAX_URI_BYTES: usize = 8 * 1024;

/// Largest header section, names and values together.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// A field that has one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Single<'a> {
    Absent,
    Once(&'a HeaderValue),
    Repeated,
}

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Self::Absent => Self::Once(value),
            _ => Self::Repeated,
        };
    }
}

/// The fields of one request that concern every request.
#[derive(Debug)]
pub struct Head<'a> {
    bytes: usize,
    host: Single<'a>,
    request_id: Single<'a>,
    unknown_coding: bool,
}

impl<'a> Head<'a> {
    /// Reads the header fields once.
    pub fn of<B>(request: &'a Request<B>) -> Self {
        let mut head = Self {
            bytes: 0,
            host: Single::Absent,
            request_id: Single::Absent,
            unknown_coding: false,
        };
        for (name, value) in request.headers() {
            let name = name.as_str();
            head.bytes += name.len() + value.len();
            match name {
                "host" => head.host.add(value),
                "x-request-id" => head.request_id.add(value),
                "transfer-encoding" => {
                    head.unknown_coding |= !value.as_bytes().eq_ignore_ascii_case(b"chunked");
                }
                _ => {}
            }
        }
        head
    }

    /// The `X-Request-ID`, if there is exactly one.
    pub fn request_id(&self) -> Option<&'a HeaderValue> {
        match self.request_id {
            Single::Once(id) => Some(id),
            Single::Absent | Single::Repeated => None,
        }
    }

    /// Why the request is refused before anything looks at it, if it is.
    pub fn refusal<B: HttpBody>(&self, request: &Request<B>, policy: &Policy) -> Option<Problem> {
        let target = request.uri().path_and_query();
        if target.map_or(0, |target| target.as_str().len()) > MAX_URI_BYTES {
            Some(Code::UriTooLong.into())
        } else if self.bytes > MAX_HEADER_BYTES {
            Some(Code::HeadersTooLarge.into())
        } else if let Some(detail) = self.wrong_host(request.version()) {
            Some(Problem::from(Code::BadRequest).with_detail(detail))
        } else if request.body().size_hint().lower() > policy.max_body as u64 {
            Some(Code::PayloadTooLarge.into())
        } else if self.unknown_coding {
            // RFC 9112 (6.1) proposes 501; this is the client's doing, and alerts watch 5xx.
            Some(Problem::from(Code::BadRequest).with_detail(
                "The only transfer coding understood here is `Transfer-Encoding: chunked`.",
            ))
        } else {
            None
        }
    }

    /// RFC 9112, 3.2. HTTP/1.0 knew no `Host`, and health checks still speak it.
    fn wrong_host(&self, version: Version) -> Option<&'static str> {
        match self.host {
            Single::Once(host) if is_host(host.as_bytes()) => None,
            Single::Once(host) if host.is_empty() && version < Version::HTTP_11 => None,
            Single::Absent if version < Version::HTTP_11 => None,
            Single::Absent => Some("HTTP/1.1 wants a Host header."),
            Single::Repeated => Some("There is more than one Host header."),
            Single::Once(_) => {
                Some("The Host header is no host: a name or an address, and `:PORT` if need be.")
            }
        }
    }
}

/// `uri-host [ ":" port ]` of RFC 9110 (7.2) and RFC 3986 (3.2.2). A comma, which names may
/// have there, is refused: where there is one, somebody has made one line of two.
fn is_host(value: &[u8]) -> bool {
    let port_of = |rest: &[u8]| match rest {
        [] => true,
        [b':', port @ ..] => port.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if let [b'[', rest @ ..] = value {
        let end = rest.iter().position(|byte| *byte == b']');
        return end.is_some_and(|end| is_ip_literal(&rest[..end]) && port_of(&rest[end + 1..]));
    }
    let end = value.iter().position(|byte| *byte == b':');
    let (name, port) = value.split_at(end.unwrap_or(value.len()));
    !name.is_empty() && is_name(name) && port_of(port)
}

fn is_ip_literal(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn is_name(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(byte);
    let mut rest = name;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            [byte, rest @ ..] if is_plain(byte) => rest,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::StatusCode};

    use super::*;

    fn refusal(version: Version, headers: &[(&str, &str)]) -> Option<StatusCode> {
        let mut request = Request::builder().version(version).uri("/");
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let request = request.body(Body::empty()).unwrap();
        let problem = Head::of(&request).refusal(&request, &Policy::default())?;
        Some(problem.code.status())
    }

    #[test]
    fn hosts() {
        for good in [
            "localhost",
            "footfall.example",
            "footfall.example:8080",
            "footfall.example:",
            "192.0.2.1:80",
            "[2001:db8::1]",
            "[::1]:8000",
            "a_b.example",
            "xn--bcher-kva.example",
            "2f746d70:0",
            "b%C3%BCcher.example",
        ] {
            assert_eq!(refusal(Version::HTTP_11, &[("host", good)]), None, "{good}");
        }
        for bad in [
            "",
            ":80",
            "a b",
            "a.example, b.example",
            "a.example,b.example",
            "user@a.example",
            "http://a.example",
            "a.example/",
            "a.example:http",
            "a.example:80:80",
            "bücher.example",
            "a%zz",
            "a%2",
            "[::1",
            "[::1]80",
            "[a.example]",
            "::1",
            "a?b",
            "a#b",
            "a\\b",
        ] {
            let refused = refusal(Version::HTTP_11, &[("host", bad)]);
            assert_eq!(refused, Some(StatusCode::BAD_REQUEST), "{bad:?}");
        }
    }

    #[test]
    fn how_often_there_is_a_host() {
        let (one, two) = ([("host", "a")], [("host", "a"), ("host", "a")]);
        for (version, headers, refused) in [
            (Version::HTTP_11, &[][..], true),
            (Version::HTTP_11, &one, false),
            (Version::HTTP_11, &two, true),
            (Version::HTTP_10, &[], false),
            (Version::HTTP_10, &[("host", "")], false),
            (Version::HTTP_10, &[("host", "a b")], true),
            (Version::HTTP_10, &one, false),
            (Version::HTTP_10, &two, true),
        ] {
            let found = refusal(version, headers).is_some();
            assert_eq!(found, refused, "{version:?} {headers:?}");
        }
    }

    #[test]
    fn transfer_codings() {
        for (coding, refused) in [
            ("chunked", false),
            ("Chunked", false),
            ("gzip, chunked", true),
            ("identity", true),
        ] {
            let headers = [("host", "a"), ("transfer-encoding", coding)];
            let found = refusal(Version::HTTP_11, &headers).is_some();
            assert_eq!(found, refused, "{coding}");
        }
    }
}
