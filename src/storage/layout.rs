//! Layouts: what the data of a store looks like, and which versions of Footfall can live with it.
//!
//! Versions overlap, during a rolling update and after going back, so a layout says how old the
//! oldest is that can go on beside it. `docs/layouts.md` has the rule for changing one.

use std::fmt;

/// The layout of a store's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Grows by one with each change.
    pub version: u64,
    /// The oldest layout a process may know and still read and write the data rightly.
    pub readable_from: u64,
}

impl Layout {
    /// Whether a process that knows layouts up to `known` can use the data.
    ///
    /// # Errors
    ///
    /// A sentence for people, with what to do.
    pub fn admits(self, known: u64) -> Result<(), String> {
        if self.readable_from <= known {
            return Ok(());
        }
        Err(format!(
            "its data has {self}, and this version of Footfall knows layouts up to {known}; upgrade"
        ))
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            readable_from,
        } = self;
        write!(f, "layout {version}, readable from layout {readable_from}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_layout_is_used_if_it_can_be() {
        for (version, readable_from, known, usable) in [
            (1, 1, 1, true),
            (2, 1, 1, true),
            (9, 1, 1, true),
            (2, 2, 1, false),
            (3, 2, 1, false),
            (3, 2, 2, true),
            (1, 1, 3, true),
            (u64::MAX, u64::MAX, 1, false),
        ] {
            let layout = Layout {
                version,
                readable_from,
            };
            let judged = layout.admits(known);
            assert_eq!(judged.is_ok(), usable, "{layout}, {known}: {judged:?}");
        }
    }
}
