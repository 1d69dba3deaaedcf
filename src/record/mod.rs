//! The record of visits: what is known of each beside its number, exactly once and under it.
//!
//! Numbers of a counter have no gaps, so one number says how much is recorded. [`append()`] is the one
//! way in which it grows. `docs/record.md` says what is kept, and how it is written.

mod append;
pub mod calendar;
mod carried;
mod chunk;
pub mod collect;
mod distinct;
pub mod drain;
mod embedded;
pub mod erase;
mod handle;
pub mod history;
pub mod metrics;
pub mod overview;
pub mod path;
mod plan;
pub mod reading;
pub mod recording;
pub mod routes;
pub mod span;
pub mod table;
pub mod times;
pub mod upkeep;
pub mod values;

pub use self::{
    append::{Appended, append},
    chunk::{Entry, Reason},
    embedded::EmbeddedRecorder,
    handle::Record,
};
