//! Counters: the list of them, each by itself, their visits by number, and what is recorded of them.

use std::sync::Arc;

use axum::{extract::FromRef, routing::get};

mod changing;
mod count;
mod history;
mod list;
mod one;
pub mod range;
pub mod tallies;
mod values;
mod visit;
mod words;

use super::pages::Pages;
use crate::{accounts::sessions::Sessions, counting::routes::CountingState, record::Record};

/// The pages. No counter can be called `+new`.
pub fn pages<S>() -> Pages<S>
where
    Arc<CountingState>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    Record: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("counters", get(list::list))
        .at("counters/+new", get(changing::blank).post(changing::create))
        .at("counters/{name}", get(one::one))
        .at(
            "counters/{name}/recording",
            get(changing::settings).post(changing::change),
        )
        .at("counters/{name}/count", get(count::back).post(count::count))
        .at("counters/{name}/visits", get(visit::find))
        .at("counters/{name}/visits/{number}", get(visit::visit))
}
