//! The promises of Footfall, shown on real processes: the built binary, a real
//! Redis, a real nginx, a real browser.
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test fails"
)]

mod support;

mod auth;
mod cli;
mod conformance;
mod contract;
mod counting;
mod drain;
mod failures;
mod hostile;
mod metrics;
mod openapi;
mod pages;
mod readme;
mod settings;
mod sockets;
