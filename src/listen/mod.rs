//! Listeners: binding, accepting, connections, the life cycle of sockets and slots.

pub mod accept;
pub mod connection;
mod directory;
mod fitness;
mod held_lock;
pub mod keeper;
mod linger;
pub mod listener;
mod occupant;
pub mod offer;
pub mod place;
mod siblings;
mod slots;
pub mod socket;
mod socket_error;
mod watched;

pub use self::{fitness::Fitness, listener::BindError};
