//! What threads of the service share, in every order in which they may meet:
//! loom runs each test once for each.
//!
//! That is the view of the store's state, and the map of which server has what.
//! Everything else is one thread's alone, is one atomic value, or is shared by
//! means of tokio.
#![cfg(test)]

mod instead;

/// All that the view needs of errors.
#[derive(Debug, Clone)]
struct StoreError(&'static str);

impl StoreError {
    fn may_concern_all(&self) -> bool {
        true
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

#[allow(dead_code, unused_variables, reason = "the service uses all of it")]
mod health {
    include!(concat!(env!("OUT_DIR"), "/health.rs"));
}

#[allow(dead_code, unused_variables, reason = "the service uses all of it")]
mod refusals {
    include!(concat!(env!("OUT_DIR"), "/refusals.rs"));
}

#[allow(dead_code, unused_variables, reason = "the service uses all of it")]
mod shared_map {
    include!(concat!(env!("OUT_DIR"), "/shared_map.rs"));
}

mod health_tests;
mod shared_map_tests;
