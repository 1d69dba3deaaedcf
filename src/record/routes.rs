//! The routes of this room.

use std::sync::Arc;

use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;

use super::{Record, history, reading, recording, values};
use crate::auth::Callers;

/// All of them.
pub fn router<S>() -> OpenApiRouter<S>
where
    Record: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::new()
        .merge(recording::router())
        .merge(history::router())
        .merge(reading::router())
        .merge(values::router())
}
