//! What all that has to do with one request shares: the layer around the pages, their extractors, and
//! whatever shows them.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, Uri, request::Parts},
};

use super::{reader::Reader, theme::Theme};
use crate::edge::accept::prefers_page;

/// One request, and what is found out about it on the way.
#[derive(Debug, Clone)]
pub struct Exchange(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    method: Method,
    uri: Uri,
    theme: Theme,
    is_for_page: bool,
    request_id: String,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    reader: Option<Reader>,
    cookies: Vec<HeaderValue>,
}

impl Exchange {
    /// Of the head of a request.
    pub fn new(method: &Method, uri: &Uri, headers: &HeaderMap, request_id: &str) -> Self {
        Self(Arc::new(Inner {
            method: method.clone(),
            uri: uri.clone(),
            theme: Theme::of(headers),
            is_for_page: prefers_page(headers),
            request_id: request_id.to_owned(),
            found: Mutex::default(),
        }))
    }

    /// The way back from this page to `/console/`, in dots: under which prefix a proxy publishes the service,
    /// the service does not know.
    pub fn root(&self) -> String {
        let path = self.0.uri.path();
        match path.strip_prefix("/console/") {
            Some(below) => "../".repeat(below.matches('/').count()),
            None => {
                let depth = path.matches('/').count().saturating_sub(1);
                format!("{}console/", "../".repeat(depth))
            }
        }
    }

    /// Where this is, below `/console/`, with the query.
    pub fn here(&self) -> &str {
        let target = self.0.uri.path_and_query();
        let target = target.map_or("", |target| target.as_str());
        target.strip_prefix("/console/").unwrap_or_default()
    }

    /// This page, as it refers to itself: where its forms go to, and the links of its list begin.
    pub fn itself(&self) -> String {
        let path = self.0.uri.path();
        let last = path.rsplit('/').next().unwrap_or_default();
        format!("./{last}")
    }

    /// The query, as it stands in the address.
    pub fn query(&self) -> &str {
        self.0.uri.query().unwrap_or_default()
    }

    /// Whether it asks to see something, and to change nothing.
    pub fn is_look(&self) -> bool {
        matches!(self.0.method, Method::GET | Method::HEAD)
    }

    /// Whether the client would rather have a page than a document.
    pub fn is_for_page(&self) -> bool {
        self.0.is_for_page
    }

    /// Light or dark.
    pub fn theme(&self) -> Theme {
        self.0.theme
    }

    /// Under which the log knows the request.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Who is signed in, once that was looked for.
    pub fn reader(&self) -> Option<Reader> {
        self.found().reader.clone()
    }

    /// Notes who is signed in.
    pub fn read_by(&self, reader: &Reader) {
        self.found().reader = Some(reader.clone());
    }

    /// Has cookies set with the answer, whatever it is.
    pub fn set(&self, cookies: impl IntoIterator<Item = HeaderValue>) {
        self.found().cookies.extend(cookies);
    }

    /// The cookies to set, once.
    pub fn take_cookies(&self) -> Vec<HeaderValue> {
        std::mem::take(&mut self.found().cookies)
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Sync> FromRequestParts<S> for Exchange {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Self>().cloned();
        Ok(known.unwrap_or_else(|| Self::new(&parts.method, &parts.uri, &parts.headers, "")))
    }
}
