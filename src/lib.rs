//! Footfall counts visits exactly, however many replicas serve them.
//!
//! A visit goes through the crate in a straight line: [`server`] accepts its
//! connection, the edge in [`http`] gives it an id and limits, a route in
//! [`counting`] takes it, an extractor in [`auth`] checks its token, and the
//! coalescer hands it with all others that wait to the [`store`]. Nothing
//! below knows anything above it. `docs/architecture.md` has the drawing.

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod counting;
mod file_lock;
pub mod http;
pub mod ops;
pub mod server;
pub mod store;
pub mod supervisor;
pub mod telemetry;
pub mod text;
