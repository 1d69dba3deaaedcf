//! The edge: everything that is the same for all routes, done in one place.

pub mod accept;
mod address;
pub mod body;
mod code;
mod cors;
mod described;
mod head;
pub mod metrics;
mod options;
pub mod page;
pub mod particulars;
pub mod peer;
mod policy;
pub mod problem;
pub mod query;
mod record;
pub mod request_id;
pub mod routes;
pub mod service;

pub use self::{
    address::Address,
    body::JsonBody,
    code::Code,
    described::{Describe, DescribedRouter, DescribedRoutes},
    peer::{ClientAddress, Peer},
    policy::{Asked, Policy},
    problem::Problem,
    query::QueryOf,
    routes::Routes,
    service::{Edge, Rendered, RequestContext},
};
