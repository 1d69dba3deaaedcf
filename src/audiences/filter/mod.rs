//! Filters: which visitors are meant.

mod tree;

pub use self::tree::{
    Bound, Condition, Did, Exact, Field, Node, Scalar, Subject, Test, Tree, Within,
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
