//! `OPTIONS` (RFC 9110, 9.3.7), as load balancers ask whether somebody is there.
//!
//! No route has it: the router refuses it like any other method a path does not
//! know, and names those it knows. So this is right for whatever routes there are.

use axum::{
    body::Body,
    http::{HeaderValue, Method, Request, Response, StatusCode, header::ALLOW},
    response::IntoResponse,
};

use super::Code;

/// Whether this is `OPTIONS *`, which asks about the server and no path of it.
pub fn is_about_all<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS && request.uri().path() == "*"
}

/// What a router would say of a path that knows all methods there are.
pub fn of_all() -> Response<Body> {
    let methods = [(ALLOW, "GET,HEAD,POST")];
    (StatusCode::METHOD_NOT_ALLOWED, methods).into_response()
}

/// Makes what the router says of an unknown method the answer to `OPTIONS`, if it
/// was that; and mentions `OPTIONS` to those who asked with another one.
pub fn answer(method: &Method, mut refused: Response<Body>, draining: bool) -> Response<Body> {
    let known = refused.headers().get(ALLOW).map(HeaderValue::as_bytes);
    let methods = known.unwrap_or_default().split(|byte| *byte == b',');
    let mut methods: Vec<_> = methods.map(<[u8]>::trim_ascii).collect();
    methods.push(b"OPTIONS");
    methods.retain(|method| !method.is_empty());
    methods.sort_unstable();
    methods.dedup();
    let allow = HeaderValue::from_bytes(&methods.join(&b", "[..]));
    refused
        .headers_mut()
        .insert(ALLOW, allow.expect("a list of methods"));
    if method != Method::OPTIONS {
        return refused;
    }
    let mut answer = match draining {
        true => Code::Draining.into_response(),
        false => StatusCode::NO_CONTENT.into_response(),
    };
    answer.headers_mut().extend(
        refused
            .headers_mut()
            .remove(ALLOW)
            .map(|allow| (ALLOW, allow)),
    );
    answer
}
