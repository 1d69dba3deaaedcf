//! Audiences and presets: lists, pages, the builder, members and exports.

use std::sync::Arc;

use axum::{
    extract::FromRef,
    routing::{MethodRouter, get},
};

mod builder;
mod changes;
mod export;
mod list;
mod members;
mod one;
mod which;

use super::pages::Pages;
use crate::{
    accounts::{Accounts, sessions::Sessions},
    audiences::evaluate::Engine,
    counting::routes::CountingState,
    edge::particulars::Thing,
};

/// The pages.
pub fn pages<S>() -> Pages<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    Arc<CountingState>: FromRef<S>,
    Engine: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    let mut pages = Pages::new()
        .at("audiences/{id}/members", get(members::show))
        .at("audiences/{id}/export", get(export::download));
    for list in ["audiences", "presets"] {
        let both: [(&str, MethodRouter<S>); 6] = [
            ("", get(list::show)),
            ("/new", get(builder::begin).post(builder::press)),
            ("/{id}", get(one::show)),
            ("/{id}/edit", get(builder::open).post(builder::press_of)),
            ("/{id}/rename", get(changes::name).post(changes::rename)),
            ("/{id}/remove", get(changes::ask).post(changes::remove)),
        ];
        for (path, handlers) in both {
            pages = pages.at(&format!("{list}{path}"), handlers);
        }
    }
    pages
}

/// An audience or a preset, as a link.
#[derive(Debug, Clone)]
pub struct Linked {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// Its page, below `/console/`.
    pub place: String,
}

impl Linked {
    /// To what a problem names.
    pub fn of(thing: &Thing) -> Self {
        Self {
            name: thing.name.clone(),
            kind: thing.kind,
            place: format!("{}s/{}", thing.kind, thing.id),
        }
    }
}
