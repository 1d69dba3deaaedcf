//! What each page has around it: title, navigation, who is signed in, light or dark.

use super::{
    assets,
    exchange::Exchange,
    nav::{self, Group},
    notices::{self, Notice},
    reader::Reader,
    shown::{Moment, Seen},
    theme::Theme,
    typed::Typed,
};
use crate::company::Zone;

/// What a page has around it. Templates that extend `console/base.html` or `console/full.html` have one as
/// `frame`.
#[derive(Debug, Clone)]
pub struct Frame {
    /// What the page is about.
    pub title: String,
    /// The way to `/console/`: each link begins with it.
    pub root: String,
    /// Light or dark.
    pub theme: Theme,
    /// Who is signed in.
    pub reader: Option<Reader>,
    /// What was just done.
    pub notice: Option<Notice>,
    /// This place, to come back to; `None` where one cannot, and so there is no switch of light and dark.
    pub here: Option<String>,
    path: String,
    zone: Zone,
}

impl Frame {
    /// Of the answer to a request.
    pub fn new(exchange: &Exchange, title: impl Into<String>) -> Self {
        let here = exchange.here();
        let (path, _) = here.split_once('?').unwrap_or((here, ""));
        let query = Typed::new(exchange.query().as_bytes());
        let reader = exchange.reader();
        let zone = reader.as_ref().map(|reader| reader.zone.clone());
        Self {
            title: title.into(),
            root: format!("./{}", exchange.root()),
            theme: exchange.theme(),
            reader,
            notice: notices::find(query.get("done")),
            here: Some(match exchange.is_look() {
                true => without_notice(here),
                false => path.to_owned(),
            }),
            path: path.to_owned(),
            zone: zone.unwrap_or_default(),
        }
    }

    /// The address of a file of the console, by its plain name.
    pub fn asset(&self, name: &str) -> String {
        format!("{}assets/{}", self.root, assets::hashed(name))
    }

    /// The time zone of what is shown.
    pub fn zone(&self) -> &str {
        self.zone.name()
    }

    /// A moment, as the clocks of that zone showed it.
    pub fn at(&self, moment: &Moment) -> Seen {
        moment.seen_in(&self.zone)
    }

    /// What the switch of light and dark offers.
    pub fn themes(&self) -> [Theme; 3] {
        Theme::ALL
    }

    /// Where its reader may go.
    pub fn nav(&self) -> Vec<Group> {
        let role = self.reader.as_ref().map(|reader| reader.caller.role);
        role.map_or_else(Vec::new, |role| nav::of(role, &self.path))
    }
}

/// What was done is said once, and not again when its reader comes back.
fn without_notice(here: &str) -> String {
    let Some((path, query)) = here.split_once('?') else {
        return here.to_owned();
    };
    let parts = query.split('&').filter(|part| !part.starts_with("done="));
    let parts: Vec<_> = parts.collect();
    match parts.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", parts.join("&")),
    }
}
