//! The tables of the record, one file for each (`migrations/*/0009_record.sql` says what is in them).

pub mod identities;
pub mod marks;
pub mod recordings;
pub mod repeated;
pub mod runs;
pub mod settings;
pub mod sums;
pub mod sweeps;
pub mod texts;
pub mod visitors;
pub mod visits;
