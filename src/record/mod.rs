//! The record of visits: what is known of each beside its number.

pub mod collect;
