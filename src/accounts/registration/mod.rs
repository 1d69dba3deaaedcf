//! Who has no account yet, or cannot log in: both get a link by mail, which does what they asked for.
//!
//! Who registers founds a company: whoever has the link and the password is its first admin.

mod confirm;
mod follow;
mod founding;
mod register;
mod reset;
pub mod routes;
mod send_link;
mod waiting;

pub use self::{register::Registration, send_link::Wanted, waiting::Waiting};
