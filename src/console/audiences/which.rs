//! Audiences and presets have the same pages: which of the two, the address says.

use super::super::exchange::Exchange;
use crate::audiences::saved::List;

/// The list that a page is about.
pub fn list(exchange: &Exchange) -> List {
    match exchange.here().starts_with("presets") {
        true => List::Presets,
        false => List::Audiences,
    }
}

/// What its pages call it.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// One of them.
    pub one: &'static str,
    /// The article that goes before.
    pub article: &'static str,
    /// All of them, as a title.
    pub all: &'static str,
    /// Their place below `/console/`.
    pub path: &'static str,
    /// Making one, as repeated requests are known by.
    pub create: &'static str,
    /// Deleting one.
    pub delete: &'static str,
}

impl Words {
    /// Those of a list.
    pub fn of(list: List) -> Self {
        match list {
            List::Audiences => Self {
                one: "audience",
                article: "an",
                all: "Audiences",
                path: "audiences",
                create: "POST /api/audiences",
                delete: "DELETE /api/audiences",
            },
            List::Presets => Self {
                one: "preset",
                article: "a",
                all: "Presets",
                path: "presets",
                create: "POST /api/presets",
                delete: "DELETE /api/presets",
            },
        }
    }

    /// Whether it is an audience.
    pub fn is_audience(&self) -> bool {
        self.one == "audience"
    }
}
