//! One's own account: what it is, other names, another password, the end of it.

mod account;
mod delete;
mod password;
pub mod routes;
mod update;

pub use self::update::Update;
