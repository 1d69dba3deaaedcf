//! Filters: which visitors are meant.
//!
//! What is sent is read to a [`Tree`], with all that is wrong with it ([`Invalid`]). A tree has one JSON, the
//! canonical one, and that has one hash: however a filter is written, it is known by that.

use crate::audit::verify::hex;

mod canonical;
mod condition;
mod exact;
mod invalid;
pub mod limits;
mod place;
mod reading;
pub mod schema;
mod stored;
mod tree;
pub mod words;

use sha2::{Digest, Sha256};

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
        let tree = canonical::settled(reading::read(json)?);
        let canonical = canonical::json(&tree);
        if canonical.len() > limits::MAX_FILTER_BYTES {
            return Err(vec![invalid::too_long(
                "in its canonical form",
                canonical.len(),
            )]);
        }
        let hash = hex(&Sha256::digest(&canonical));
        Ok(Self {
            tree,
            canonical,
            hash,
        })
    }
}

#[cfg(test)]
mod tests;
