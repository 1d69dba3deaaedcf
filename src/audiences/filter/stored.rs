//! Filters that were saved, perhaps by an earlier release.

use super::{Filter, Tree};

/// A filter that was saved and cannot be read by this release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The filter was saved in a form that this release does not read: {0}")]
pub struct Unreadable(String);

impl Tree {
    /// Reads a canonical filter as it was stored, by the rules of its version.
    ///
    /// # Errors
    ///
    /// If this release does not know its version, or it has been changed by hand.
    pub fn from_stored(canonical: &str) -> Result<Self, Unreadable> {
        match Filter::read(canonical) {
            Ok(filter) => Ok(filter.tree),
            Err(errors) => Err(Unreadable(
                errors
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" "),
            )),
        }
    }
}
