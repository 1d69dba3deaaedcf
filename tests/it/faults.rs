//! What can happen to the store, one row each, and the one scenario all of them go through.

mod embedded;
mod load;
mod redis;
mod scenario;
mod wire;
