//! What this room tells the audit trail.

use crate::{
    audit::Entry,
    storage::sql::{Connection, DatabaseError},
};

/// TEMPORARY: until audit::record is merged.
///
/// # Errors
///
/// None.
pub async fn record(_: &mut Connection<'_>, entry: &Entry) -> Result<(), DatabaseError> {
    tracing::debug!(?entry, "audit");
    Ok(())
}
