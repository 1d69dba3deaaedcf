//! `/console/`

use std::sync::Arc;

use askama::Template;
use axum::{body::Body, extract::FromRef, http::Response, routing::get};

use super::{frame::Frame, pages::Pages, response::page, view::View};
use crate::{accounts::sessions::Sessions, auth::permission::Read, edge::Problem};

/// The page.
pub fn pages<S>() -> Pages<S>
where
    Arc<Sessions>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new().at("", get(home))
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
