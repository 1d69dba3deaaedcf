//! Listeners: binding, accepting, connections, the life cycle of sockets and slots.

pub mod accept;
pub mod connection;
mod directory;
mod fitness;
pub mod keeper;
mod linger;
pub mod listener;
pub mod offer;
mod siblings;
mod slots;
pub mod socket;
mod watched;

pub use self::{fitness::Fitness, listener::BindError};
