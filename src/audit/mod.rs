//! The audit trail: what was done with accounts, by whom, in a chain for each company of which
//! nothing can be taken or changed unseen.
//!
//! [`record`] writes an entry in the transaction of what it tells; [`Audit::note`] has one written
//! that stands for itself. `docs/audit.md` says what is kept, and for how long.

mod address;
mod chain;
pub mod denied;
mod entry;
mod fold;
pub mod metrics;
mod notes;
pub mod page;
mod position;
pub mod query;
pub mod retention;
pub mod routes;
mod row;
pub mod time;
pub mod verify;

pub use self::{
    chain::{record, record_all},
    entry::{Action, Actor, Details, Entry, Kind, Object, Outcome},
    notes::{Audit, Keeper},
    position::Position,
    row::{Hash, Row},
};
