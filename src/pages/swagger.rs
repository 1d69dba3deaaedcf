//! Swagger UI, served from the binary: nothing is fetched from elsewhere.
//!
//! All references are relative, so that the page works under whatever prefix a
//! proxy has taken from the path.

use axum::{
    Router,
    http::{HeaderValue, Response, header},
    middleware::map_response,
    routing::get,
};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The page's scripts and styles are files of ours; it sets styles and inlines
/// small images itself.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);

/// Patterns of [`router`], for the metrics.
pub const ROUTES: [&str; 4] = ["/swagger", "/swagger/", INITIALIZER, "/swagger/{*rest}"];

/// In place of the crate's own, whose settings are JSON and so have no interceptor.
const INITIALIZER: &str = "/swagger/swagger-initializer.js";

/// `GET /swagger/`
pub fn router() -> Router {
    // The settings are those of the initializer.
    let pages = SwaggerUi::new("/swagger").config(Config::from("../openapi.json"));
    let initializer = get(async || {
        let script = include_str!("swagger-initializer.js");
        (
            [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
            script,
        )
    });
    let pages = Router::from(pages).route(INITIALIZER, initializer);
    pages.layer(map_response(async |mut response: Response<_>| {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        let html = HeaderValue::from_static("text/html");
        if headers.get(header::CONTENT_TYPE) == Some(&html) {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            headers.insert(header::CONTENT_TYPE, html);
        }
        // The only redirect there is, from `/swagger`; the crate's own is absolute.
        if let Some(location) = headers.get_mut(header::LOCATION) {
            *location = HeaderValue::from_static("swagger/");
        }
        response
    }))
}
