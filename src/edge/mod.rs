//! The edge: everything that is the same for all routes, done in one place.

pub mod body;
mod head;
mod options;
pub mod peer;
pub mod problem;
pub mod request_id;
pub mod route_metrics;
pub mod service;

pub use self::{
    body::JsonBody,
    peer::{ClientAddress, Peer},
    problem::{Code, Problem},
    service::{Edge, RequestContext},
};
