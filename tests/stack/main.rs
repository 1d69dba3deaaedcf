//! The stack as operators run it, in real Docker engines. `./test.sh` starts
//! these on two small machines of their own (engines.sh); the tests run on the
//! first and share its port 80, so they take turns.
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test fails"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests are not supervised: they wait for what they start"
)]

mod accounts;
mod compose;
mod database;
mod images;
mod nodes;
mod start;
mod support;
mod swarm;
