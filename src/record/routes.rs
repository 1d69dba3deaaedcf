//! The routes of this room.

use std::sync::Arc;

use axum::extract::FromRef;

use super::{Record, history, reading, recording, values};
use crate::{auth::Callers, edge::DescribedRouter};

/// All of them.
pub fn router<S>() -> DescribedRouter<S>
where
    Record: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .merge(recording::router())
        .merge(history::router())
        .merge(reading::router())
        .merge(values::router())
}
