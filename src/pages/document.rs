//! `GET /openapi.json`

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRef, State},
    http::header,
    response::IntoResponse,
};
use tokio::sync::OnceCell;

use crate::{
    edge::{Code, DescribedRouter, Problem},
    routes,
    supervision::Piece,
};

/// The OpenAPI document in JSON, made when it is first asked for and then kept: few ever ask, and making it takes longer
/// than the rest of a start.
#[derive(Debug, Clone)]
pub struct Document {
    make: fn() -> Bytes,
    made: Arc<OnceCell<Bytes>>,
}

impl Document {
    /// What this makes.
    pub fn new(make: fn() -> Bytes) -> Self {
        Self {
            make,
            made: Arc::default(),
        }
    }

    /// It is made on another thread: this one has visits to count.
    async fn get(&self) -> Result<Bytes, Problem> {
        let make = async || Piece::Document.blocking(self.make).await;
        let made = self.made.get_or_try_init(make).await;
        made.cloned()
            .map_err(|error| Problem::from(Code::Internal).with_cause(error))
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
