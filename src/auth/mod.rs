//! How somebody shows who they are, and what they may: passwords, tokens, roles, permissions.

pub mod api_token;
mod bearer;
mod caller;
mod callers;
pub mod cookies;
pub mod csrf;
pub mod device;
mod form;
mod hs256;
pub mod keys;
pub mod metrics;
pub mod password;
pub mod permission;
mod problems;
pub mod refresh;
pub mod revocation;
pub mod role;
pub mod strength;
pub mod throttle;
pub mod token;

pub use self::{
    caller::{Caller, SETTINGS_ACCOUNT},
    callers::{Callers, May, MayByForm},
    form::{CsrfForm, is_form},
};
