//! What is measured of the audit trail.

use std::sync::OnceLock;

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::Action;
use crate::telemetry::metrics::{Description, Metric, Registry};

/// Of the whole process, since entries are recorded by a function that has only a connection.
static ROWS: OnceLock<IntCounterVec> = OnceLock::new();

/// Counts the rows of each group of actions.
#[derive(Debug, Clone)]
pub struct Rows;

impl Metric for Rows {
    fn register(description: &Description, registry: &Registry) -> prometheus::Result<Self> {
        let rows = match ROWS.get() {
            Some(rows) => rows.clone(),
            None => {
                let rows = description.counters()?;
                ROWS.get_or_init(|| rows).clone()
            }
        };
        for action in Action::ALL {
            rows.with_label_values(&[action.group()]);
        }
        registry.add(rows)?;
        Ok(Self)
    }
}

/// Notes that a row was written.
pub(super) fn note_row(action: Action) {
    if let Some(rows) = ROWS.get() {
        rows.with_label_values(&[action.group()]).inc();
    }
}

crate::metrics! {
    /// What Prometheus learns of the audit trail.
    pub struct AuditMetrics {
        /// Rows that were written to the audit trail, by group of actions: what stands before the dot.
        pub rows: Rows = "footfall_audit_rows_total" by ["group"],
        /// Entries that are told by another row, since they are equal to it and came within a minute.
        pub folded: IntCounter = "footfall_audit_folded_total",
        /// Entries that are in no row: too many were waiting.
        pub dropped: IntCounter = "footfall_audit_dropped_total",
        /// Entries that wait to be written.
        pub queue_depth: IntGauge = "footfall_audit_queue_depth",
        /// Rows that were dropped since they are older than 400 days.
        pub expired: IntCounter = "footfall_audit_expired_total",
        /// Addresses that were cut to their network since they are older than 30 days.
        pub cut: IntCounter = "footfall_audit_addresses_cut_total",
    }
}
