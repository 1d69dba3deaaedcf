//! Filters that were saved, perhaps by an earlier release.

use super::{Tree, canonical, invalid::Invalid, reading};

/// A filter that was saved and cannot be read by this release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the saved filter cannot be read by this release, and should be saved again: at `{}`: {}",
    .0.pointer,
    .0
)]
pub struct Unreadable(pub Invalid);

impl Tree {
    /// Reads a canonical filter as it was stored, by the rules of the version that it names. There has been
    /// only one.
    ///
    /// # Errors
    ///
    /// If this release does not know its version, or the text has been changed by hand.
    pub fn from_stored(canonical: &str) -> Result<Self, Unreadable> {
        match reading::read(canonical) {
            Ok(tree) => Ok(canonical::settled(tree)),
            Err(mut errors) => Err(Unreadable(errors.swap_remove(0))),
        }
    }
}
