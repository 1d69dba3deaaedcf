//! How somebody shows who they are, and what they may: passwords, tokens, roles, permissions.

mod bearer;
mod caller;
mod callers;
pub mod device;
mod hs256;
pub mod keys;
mod login;
pub mod metrics;
pub mod password;
pub mod permission;
mod problems;
pub mod revocation;
pub mod role;
pub mod routes;
pub mod strength;
pub mod throttle;
pub mod token;

pub use self::{
    caller::{Caller, SETTINGS_ACCOUNT},
    callers::{Callers, May},
    login::{Login, LoginError},
};
