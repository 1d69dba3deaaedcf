//! The console: what people look at. Pages made on the server, from the same rooms as the API, which
//! work without scripts.
//!
//! A page's handler takes a [`View`](view::View), which says who is signed in and that they may see it, calls what the API
//! calls, and shows a template. A form's handler takes a [`Sent`](sent::Sent). Both return a [`Problem`] where they cannot: the
//! layer around all pages makes a page of it for browsers, and leaves it a document for everyone else.

mod account;
mod around;
pub mod ask;
mod assets;
mod audiences;
mod audit;
pub mod chart;
mod companies;
mod company;
mod counters;
mod days;
mod entry;
mod errors;
pub mod exchange;
mod files;
pub mod form;
pub mod frame;
mod home;
pub mod in_force;
pub mod live;
pub mod nav;
pub mod notices;
pub mod pager;
pub mod pages;
pub mod place;
pub mod reader;
pub mod response;
pub mod sent;
mod sessions;
mod settings;
pub mod shown;
mod switch;
pub mod theme;
mod tokens;
pub mod typed;
mod users;
pub mod view;
mod write_keys;

use std::sync::Arc;

use axum::extract::FromRef;

use self::live::Live;
pub use self::{errors::page as error_page, in_force::InForce, pages::Pages};
use crate::{
    accounts::{Accounts, sessions::Sessions},
    audiences::evaluate::Engine,
    audit::routes::AuditState,
    counting::routes::CountingState,
    edge::{Policy, Problem},
    record::{Record, collect::Collect},
    supervision::Vitals,
};

/// Largest form, in bytes: that of an audience.
const MAX_BODY: usize = 64 * 1024;

/// How requests of the console are treated: errors are pages for browsers.
pub fn policy() -> Policy {
    Policy {
        max_body: MAX_BODY,
        timeout: None,
        render: Problem::into_document,
        page: Some(errors::page),
    }
}

/// All pages, and what they are made with.
pub fn pages<S>() -> Pages<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<CountingState>: FromRef<S>,
    Arc<Live>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    Arc<Collect>: FromRef<S>,
    Arc<InForce>: FromRef<S>,
    AuditState: FromRef<S>,
    Record: FromRef<S>,
    Vitals: FromRef<S>,
    Engine: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .with(files::pages())
        .with(entry::pages())
        .with(switch::pages())
        .with(home::pages())
        .with(counters::pages())
        .with(live::pages())
        .with(users::pages())
        .with(write_keys::pages())
        .with(tokens::pages())
        .with(company::pages())
        .with(audit::pages())
        .with(account::pages())
        .with(sessions::pages())
        .with(companies::pages())
        .with(settings::pages())
        .with(audiences::pages())
}
