//! `/console/`, and what is nowhere below it.

use std::sync::Arc;

use askama::Template;
use axum::{
    body::Body,
    extract::FromRef,
    http::Response,
    routing::{any, get},
};

use super::{
    exchange::Exchange,
    frame::Frame,
    pages::Pages,
    response::{page, see_other},
    view::{Anybody, View},
};
use crate::{
    accounts::sessions::Sessions,
    auth::permission::Read,
    edge::{Code, Problem},
};

/// The page.
pub fn pages<S>() -> Pages<S>
where
    Arc<Sessions>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("", get(home))
        .before(get(async |exchange: Exchange| see_other(&exchange, "")))
        .at("{*rest}", any(nothing))
}

#[derive(Template)]
#[template(path = "console/home.html")]
struct Home {
    frame: Frame,
}

async fn home(view: View<Read>) -> Result<Response<Body>, Problem> {
    page(&Home {
        frame: view.frame("Home"),
    })
}

/// What is nowhere. Who is signed in sees where else to go.
async fn nothing(_: Anybody) -> Code {
    Code::NotFound
}
