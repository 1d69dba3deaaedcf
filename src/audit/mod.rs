//! The audit trail: what was done with accounts, by whom, in a chain of which nothing can be taken
//! or changed unseen.

mod entry;

pub use self::entry::{Action, Actor, Details, Entry, Kind, Object, Outcome};
