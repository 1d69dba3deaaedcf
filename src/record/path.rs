//! Names of counters in paths.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::{auth::Caller, counting::CounterId, edge::Problem};

/// The name in the path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct NameInPath {
    /// Name of the counter.
    #[param(
        min_length = 1,
        max_length = 64,
        pattern = "^[a-z0-9][a-z0-9._-]{0,63}$",
        example = "signup.page"
    )]
    name: String,
}

impl From<String> for NameInPath {
    fn from(name: String) -> Self {
        Self { name }
    }
}

impl NameInPath {
    /// The counter of the caller's company that has this name.
    ///
    /// # Errors
    ///
    /// `invalid_counter_name` if none can have it.
    pub fn of(&self, caller: &Caller) -> Result<CounterId, Problem> {
        Ok(CounterId {
            company: caller.company,
            name: self.name.parse()?,
        })
    }
}
