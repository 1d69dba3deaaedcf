//! The edge: everything that is the same for all routes, done in one place.

pub mod edge;
pub mod home;
pub mod openapi;
pub mod peer;
pub mod problem;
pub mod request_id;
pub mod route_metrics;
pub mod swagger;

pub use self::{
    edge::{Edge, RequestContext},
    peer::{ClientAddress, Peer},
    problem::{Code, Problem},
};
