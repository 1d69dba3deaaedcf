//! The edge: everything that is the same for all routes, done in one place.

pub mod body;
pub mod edge;
mod head;
pub mod home;
pub mod openapi;
mod options;
pub mod peer;
pub mod problem;
pub mod request_id;
pub mod route_metrics;
pub mod swagger;

pub use self::{
    body::JsonBody,
    edge::{Edge, RequestContext},
    peer::{ClientAddress, Peer},
    problem::{Code, Problem},
};
