//! Footfall counts visits exactly, however many replicas serve them.
//!
//! A visit goes through the crate in a straight line: [`listen`] accepts its
//! connection, the [`edge`] gives it an id and limits, a route in [`counting`]
//! takes it, an extractor in [`auth`] checks its token, and the coalescer hands
//! it with all others that wait to the [`storage`]. Nothing below knows
//! anything above it. `docs/architecture.md` has the drawing.

// The futures of what a route asks of the database are nested deeper than the default of 128.
#![recursion_limit = "256"]
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests are not supervised: they wait for what they start"
    )
)]

pub mod accounts;
pub mod app;
pub mod audiences;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod company;
pub mod config;
pub mod console;
pub mod counting;
pub mod edge;
mod file_lock;
pub mod json;
pub mod listen;
pub mod mail;
pub mod ops;
pub mod pages;
pub mod process;
pub mod record;
pub mod release;
pub mod storage;
pub mod supervision;
pub mod telemetry;
pub mod text;
