//! What is stored of who came.

use super::{Carried, Stored, VisitorMode};
use crate::company::Company;

/// Makes what is stored of visitors out of what clients say.
#[derive(Clone)]
pub struct Visitors;

impl Visitors {
    /// What is stored of a visit. Where no key or salt is known it says of nobody who it was.
    pub fn stored(&self, company: Company, mode: VisitorMode, carried: &Carried) -> Stored {
        let _ = (company, mode);
        Stored {
            visitor: None,
            attributes: carried.attributes.clone(),
        }
    }
}
