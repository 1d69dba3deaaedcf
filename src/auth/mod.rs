//! Who may count: passwords in, tokens out, tokens checked.

mod bearer;
mod hs256;
mod login;
pub mod metrics;
pub mod password;
pub mod revocation;
pub mod routes;
pub mod throttle;
pub mod token;

pub use self::{
    bearer::Bearer,
    login::{Login, LoginError},
};
