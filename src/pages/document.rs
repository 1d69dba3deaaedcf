//! `GET /openapi.json`

use std::sync::{Arc, OnceLock};

use axum::{
    body::Bytes,
    extract::{FromRef, State},
    http::header,
    response::IntoResponse,
};
use tokio::sync::Semaphore;

use crate::{
    edge::{Code, DescribedRouter, Problem},
    routes,
    supervision::{Panicked, Piece},
};

/// The OpenAPI document in JSON, made when it is first asked for and then kept: few ever ask, and making it takes longer
/// than the rest of a start.
#[derive(Clone)]
pub struct Document {
    make: Arc<dyn Fn() -> Bytes + Send + Sync>,
    made: Arc<OnceLock<Bytes>>,
    /// Held until it is made, even if nobody waits for it any more: whoever asks and hangs up has nothing made twice.
    turn: Arc<Semaphore>,
}

impl Document {
    /// What this makes.
    pub fn new(make: impl Fn() -> Bytes + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(make),
            made: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// It is made on another thread: this one has visits to count.
    async fn get(&self) -> Result<Bytes, Problem> {
        let known = || self.made.get().cloned();
        if let Some(document) = known() {
            return Ok(document);
        }
        let turn = self.turn.clone().acquire_owned().await;
        // By whoever had the turn before.
        if let Some(document) = known() {
            return Ok(document);
        }
        let (make, made) = (self.make.clone(), self.made.clone());
        let work = move || {
            let document = make();
            // Nobody else has had the turn.
            let _ = made.set(document.clone());
            drop(turn);
            document
        };
        let made = Piece::Document.blocking(work).await;
        made.map_err(|_| Problem::from(Code::Internal).with_cause(Panicked(Piece::Document)))
    }
}

/// Its route.
pub fn router<S>() -> DescribedRouter<S>
where
    Document: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(get_openapi))
}

crate::problem_responses!(DocumentProblems: MethodNotAllowed);

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "service",
    responses((status = 200, description = "The OpenAPI document", body = Object, content_type = "application/json"), DocumentProblems)
)]
async fn get_openapi(State(document): State<Document>) -> Result<impl IntoResponse, Problem> {
    let json = document.get().await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json))
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn who_hangs_up_has_nothing_made_twice() {
        let (go_on, made) = (Arc::new(OnceLock::new()), Arc::new(AtomicU32::new(0)));
        let document = Document::new({
            let (go_on, made) = (go_on.clone(), made.clone());
            move || {
                go_on.wait();
                made.fetch_add(1, Ordering::Relaxed);
                Bytes::from_static(b"{}")
            }
        });
        for _ in 0..10 {
            let asking = pin!(document.get());
            assert!(futures_util::poll!(asking).is_pending());
        }
        go_on.set(()).unwrap();
        assert_eq!(document.get().await.ok().unwrap(), "{}");
        assert_eq!(document.get().await.ok().unwrap(), "{}");
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
}
