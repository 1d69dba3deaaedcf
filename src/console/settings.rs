//! The settings in force: for operators, secrets redacted.

use std::sync::Arc;

use askama::Template;
use axum::{
    body::Body,
    extract::{FromRef, State},
    http::Response,
    routing::get,
};

use super::{frame::Frame, in_force::InForce, pages::Pages, response::page, view::View};
use crate::{accounts::sessions::Sessions, auth::permission::ReadSettings, edge::Problem};

/// The page.
pub fn pages<S>() -> Pages<S>
where
    Arc<Sessions>: FromRef<S>,
    Arc<InForce>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new().at("settings", get(show))
}

#[derive(Template)]
#[template(path = "console/settings.html")]
struct Show {
    frame: Frame,
    settings: Arc<InForce>,
}

async fn show(
    view: View<ReadSettings>,
    State(settings): State<Arc<InForce>>,
) -> Result<Response<Body>, Problem> {
    page(&Show {
        frame: view.frame("Settings in force"),
        settings,
    })
}
