//! The console: what people look at. Pages made on the server, from the same rooms as the API, which
//! work without scripts.
//!
//! A page's handler takes a [`View`], which says who is signed in and that they may see it, calls what the API
//! calls, and shows a template. A form's handler takes a [`Sent`]. Both return a [`Problem`] where they cannot: the
//! layer around all pages makes a page of it for browsers, and leaves it a document for everyone else.

mod around;
mod assets;
mod audiences;
mod entry;
mod errors;
pub mod exchange;
mod files;
pub mod form;
pub mod frame;
mod home;
pub mod nav;
pub mod notices;
pub mod pager;
pub mod pages;
pub mod place;
pub mod reader;
pub mod response;
pub mod sent;
pub mod shown;
mod switch;
pub mod theme;
pub mod typed;
mod users;
pub mod view;

use std::sync::Arc;

use axum::extract::FromRef;

pub use self::{errors::page as error_page, pages::Pages};
use crate::{
    accounts::{Accounts, sessions::Sessions},
    audiences::evaluate::Engine,
    counting::routes::CountingState,
    edge::{Policy, Problem},
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
    Arc<Sessions>: FromRef<S>,
    Arc<CountingState>: FromRef<S>,
    Engine: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .with(files::pages())
        .with(entry::pages())
        .with(switch::pages())
        .with(home::pages())
        .with(users::pages())
        .with(audiences::pages())
}
