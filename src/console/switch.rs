//! The switch of light and dark.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRef, Request, State},
    http::{HeaderValue, Response},
    routing::post,
};

use super::{
    exchange::Exchange,
    pages::Pages,
    response::see_other,
    sent::{Typed, body},
    theme::{NAME, Theme},
};
use crate::{
    accounts::sessions::Sessions,
    edge::{Code, Problem},
};

/// The switch.
pub fn pages<S>() -> Pages<S>
where
    Arc<Sessions>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new().at("theme", post(choose))
}

/// Nobody has to be signed in for that; but no strange page may do it.
async fn choose(
    State(sessions): State<Arc<Sessions>>,
    exchange: Exchange,
    request: Request,
) -> Result<Response<Body>, Problem> {
    sessions.csrf.check_origin(request.headers())?;
    let typed = Typed::new(&body(request).await?);
    let theme = Theme::read(typed.get("theme"));
    let theme = theme.ok_or_else(|| Problem::from(Code::BadRequest))?;
    let age = match theme {
        Theme::System => 0,
        Theme::Light | Theme::Dark => 365 * 24 * 60 * 60,
    };
    let secure = match sessions.csrf.cookies.are_secure() {
        true => "; Secure",
        false => "",
    };
    let cookie = format!(
        "{NAME}={}; Path=/; Max-Age={age}; SameSite=Lax; HttpOnly{secure}",
        theme.as_str()
    );
    exchange.set(HeaderValue::try_from(cookie));
    see_other(&exchange, typed.get("next"))
}
