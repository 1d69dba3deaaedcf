//! Filters: which visitors are meant.

mod invalid;
pub mod limits;
pub mod schema;
mod stored;
mod tree;
pub mod words;

pub use self::{
    invalid::Invalid,
    stored::Unreadable,
    tree::{Bound, Condition, Did, Exact, Field, Node, Scalar, Subject, Test, Tree, Within},
};

/// A filter in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// What it says.
    pub tree: Tree,
    /// Its canonical JSON.
    pub canonical: String,
    /// The SHA-256 of that, in hexadecimal: filters with the same hash are the same.
    pub hash: String,
}

impl Filter {
    /// Reads the JSON of a filter, as it was sent.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, up to [`limits::MAX_ERRORS`]: at least one.
    pub fn read(json: &str) -> Result<Self, Vec<Invalid>> {
        Err(vec![Invalid {
            pointer: String::new(),
            expected: json.to_owned(),
            suggestion: None,
        }])
    }
}
