//! Routes that have their entry in the OpenAPI document.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, MethodRouter},
};
use utoipa::openapi::{HttpMethod, OpenApi};
use utoipa_axum::{
    PathItemExt,
    router::{OpenApiRouter, UtoipaMethodRouter},
};

/// Makes what the document says of the routes of one pattern. What `utoipa` makes for all of them takes
/// longer than the rest of a start, so it is made when somebody asks for the document.
pub struct Describe<S>(fn() -> UtoipaMethodRouter<S>);

impl<S: Clone + Send + Sync + 'static> Describe<S> {
    /// Their part of the document.
    pub fn part(&self) -> OpenApi {
        OpenApiRouter::new().routes((self.0)()).into_openapi()
    }
}

/// What [`routes!`](crate::routes) makes: the handlers of one pattern, and how they are described.
pub struct DescribedRoutes<S> {
    pattern: String,
    handlers: MethodRouter<S>,
    describe: Describe<S>,
}

impl<S: Clone + Send + Sync + 'static> DescribedRoutes<S> {
    /// Without handlers yet.
    pub fn new(pattern: String, describe: fn() -> UtoipaMethodRouter<S>) -> Self {
        Self {
            pattern,
            handlers: MethodRouter::new(),
            describe: Describe(describe),
        }
    }

    /// With a handler of the same pattern, for its methods.
    pub fn on<H, T>(mut self, pattern: &str, methods: &[HttpMethod], handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        assert_eq!(pattern, self.pattern, "one pattern at a time");
        let methods = methods.iter().map(PathItemExt::to_method_filter);
        let methods = methods.reduce(MethodFilter::or).expect("there is a method");
        self.handlers = self.handlers.on(methods, handler);
        self
    }
}

/// The handlers of one pattern, each with `#[utoipa::path(…)]` above it, as [`DescribedRoutes`].
#[macro_export]
macro_rules! routes {
    ($first:ident $(, $handler:ident)*) => {
        ::pastey::paste! {{
            use utoipa::Path;
            let routes = $crate::edge::DescribedRoutes::new(
                [<__path_ $first>]::path(),
                || utoipa_axum::routes!($first $(, $handler)*),
            );
            let routes = routes.on(&[<__path_ $first>]::path(), &[<__path_ $first>]::methods(), $first);
            $(let routes = routes.on(&[<__path_ $handler>]::path(), &[<__path_ $handler>]::methods(), $handler);)*
            routes
        }}
    };
}

/// A router whose every route has its entry in the document: [`routes!`](crate::routes) makes both.
pub struct DescribedRouter<S> {
    router: Router<S>,
    routes: Vec<(String, Describe<S>)>,
}

impl<S: Clone + Send + Sync + 'static> DescribedRouter<S> {
    /// Without routes.
    #[expect(
        clippy::new_without_default,
        reason = "it is only ever made to add to it"
    )]
    pub fn new() -> Self {
        Self {
            router: Router::new(),
            routes: Vec::new(),
        }
    }

    /// With the routes of one more pattern.
    pub fn routes(mut self, routes: DescribedRoutes<S>) -> Self {
        self.router = self.router.route(&routes.pattern, routes.handlers);
        self.routes.push((routes.pattern, routes.describe));
        self
    }

    /// With those of another one.
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.routes.extend(other.routes);
        self
    }

    /// The router, and each pattern with what describes its routes.
    pub fn into_parts(self) -> (Router<S>, Vec<(String, Describe<S>)>) {
        (self.router, self.routes)
    }
}
