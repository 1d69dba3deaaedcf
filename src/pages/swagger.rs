//! Swagger UI, served from the binary: nothing is fetched from elsewhere.
//!
//! All references are relative, so that the page works under whatever prefix a
//! proxy has taken from the path.

use axum::{
    Router,
    http::{HeaderValue, Response, header},
    middleware::map_response,
};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The page's scripts and styles are files of ours; it sets styles and inlines
/// small images itself.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);

/// Patterns of [`router`], for the metrics.
pub const ROUTES: &[&str] = &["/swagger", "/swagger/", "/swagger/{*rest}"];

/// `GET /swagger/`
pub fn router() -> Router {
    let config = Config::from("../openapi.json")
        .persist_authorization(true)
        .try_it_out_enabled(true)
        .validator_url("none");
    let pages = SwaggerUi::new("/swagger").config(config);
    Router::from(pages).layer(map_response(async |mut response: Response<_>| {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        // The only redirect there is, from `/swagger`; the crate's own is absolute.
        if let Some(location) = headers.get_mut(header::LOCATION) {
            *location = HeaderValue::from_static("swagger/");
        }
        response
    }))
}
