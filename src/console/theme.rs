//! Light or dark: as the system has it, unless a reader chooses. The choice is the only cookie of who has
//! not logged in.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRef, Request, State},
    http::{HeaderMap, HeaderValue, Response, header::COOKIE},
    routing::post,
};

use super::{
    exchange::Exchange,
    pages::Pages,
    response::see_other,
    sent::{Typed, body},
};
use crate::{
    accounts::sessions::Sessions,
    edge::{Code, Problem},
};

const NAME: &str = "footfall-theme";

/// What a reader has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Nothing: as the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All there are, as the switch has them.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Its name in the cookie and in the form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What the switch says.
    pub fn label(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// What browsers are told of it before there are styles.
    pub fn color_scheme(self) -> &'static str {
        match self {
            Self::System => "light dark",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == name)
    }

    /// By the cookie of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(COOKIE).iter();
        let pairs = lines.filter_map(|line| line.to_str().ok());
        let mut values = pairs
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == NAME);
        let value = values.next().map_or("", |(_, value)| value);
        Self::read(value).unwrap_or_default()
    }
}

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
