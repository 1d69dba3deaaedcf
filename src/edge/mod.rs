//! The edge: everything that is the same for all routes, done in one place.

pub mod body;
mod head;
pub mod metrics;
mod options;
pub mod peer;
mod policy;
pub mod problem;
pub mod request_id;
pub mod routes;
pub mod service;

pub use self::{
    body::JsonBody,
    peer::{ClientAddress, Peer},
    policy::Policy,
    problem::{Code, Problem},
    routes::Routes,
    service::{Edge, RequestContext},
};
