//! Pages and their patterns, collected together.

use axum::{Router, middleware::from_fn, routing::MethodRouter};

use super::around::around;

/// Some pages.
pub struct Pages<S> {
    router: Router<S>,
    patterns: Vec<String>,
}

impl<S: Clone + Send + Sync + 'static> Default for Pages<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> Pages<S> {
    /// None yet.
    pub fn new() -> Self {
        Self {
            router: Router::new(),
            patterns: Vec::new(),
        }
    }

    /// And this one, below `/console/`.
    #[must_use]
    pub fn at(mut self, path: &str, handlers: MethodRouter<S>) -> Self {
        let pattern = format!("/console/{path}");
        self.router = self.router.route(&pattern, handlers);
        self.patterns.push(pattern);
        self
    }

    /// And this one at `/console`, which is not yet below it.
    #[must_use]
    pub fn before(mut self, handlers: MethodRouter<S>) -> Self {
        self.router = self.router.route("/console", handlers);
        self.patterns.push("/console".to_owned());
        self
    }

    /// And these.
    #[must_use]
    pub fn with(mut self, others: Self) -> Self {
        self.router = self.router.merge(others.router);
        self.patterns.extend(others.patterns);
        self
    }

    /// The routes, within what all pages have in common, and their patterns.
    pub fn into_parts(self) -> (Router<S>, Vec<String>) {
        (self.router.layer(from_fn(around)), self.patterns)
    }
}
