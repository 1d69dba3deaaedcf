//! The layer around all pages.

use axum::{
    body::Body,
    extract::Request,
    http::{Response, header::SET_COOKIE},
    middleware::Next,
};

use super::{errors, exchange::Exchange};
use crate::edge::RequestContext;

/// What all pages have around them.
pub async fn around(mut request: Request, next: Next) -> Response<Body> {
    let context = request.extensions().get::<RequestContext>();
    let id = context.and_then(|context| context.id.value.to_str().ok());
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let exchange = Exchange::new(method, uri, headers, id.unwrap_or_default());
    request.extensions_mut().insert(exchange.clone());
    let mut response = errors::shown(next.run(request).await, &exchange);
    for cookie in exchange.take_cookies() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
