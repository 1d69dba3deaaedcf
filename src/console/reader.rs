//! Who reads the pages.

use std::sync::Arc;

use crate::{auth::Caller, company::Zone};

/// Who is signed in, as pages call them.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Who it is.
    pub caller: Arc<Caller>,
    /// Their name; empty while the database is away.
    pub name: String,
    /// Their company's; empty while the database is away.
    pub company: String,
    /// By which their company's days begin; UTC while the database is away.
    pub zone: Zone,
    /// What their forms send along.
    pub csrf_token: String,
}
