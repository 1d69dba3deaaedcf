//! API tokens, for machines: what they look like, and whose one is.
//!
//! A token is verified in the database once and remembered by the process, so that what it is for,
//! counting above all, goes on while the database is away.

mod format;
mod keyring;
mod table;

pub use self::{
    format::{ApiToken, HASH_BYTES, PREFIX, generate, has_form, is_well_formed, pass_id},
    keyring::{ApiTokens, Checks},
};
