//! From a filter to the visitors who are meant.
//!
//! Each condition becomes a set of visitors: from sums of days that are over where they say enough, from visits one
//! by one where not. The sets are put together here, as a bitmap each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use roaring::RoaringTreemap;
use tokio::{sync::Semaphore, time::timeout};
use uuid::Uuid;

mod as_of;
pub mod conditions;
pub mod counters;
mod exact;
pub mod metrics;
mod names;
mod numbers;
mod properties;
mod property;
mod references;
mod refused;
pub mod rows;
mod run;
pub mod spans;
pub mod statement;
pub mod sums;

pub use self::as_of::AsOf;
use self::{
    counters::{Counters, Wanted},
    metrics::{AudienceMetrics, Outcome},
    refused::Refused,
    run::Run,
    spans::Window,
};
use super::filter::{Did, Filter, Node, Tree};
use crate::{
    company::Company,
    edge::{
        Code, Problem,
        particulars::{Particulars, WrongPlace},
    },
    storage::sql::{Connection, Database, DatabaseError},
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
        company: Company,
        filter: &Filter,
        as_of: Option<&AsOf>,
    ) -> Result<Evaluated, Problem> {
        let question = Question::Filter(filter.tree.clone());
        self.answer(company, question, as_of.cloned()).await
    }

    /// Who is in a saved audience. What it says is part of the `as_of`.
    ///
    /// # Errors
    ///
    /// `not_found` if there is none, and those of [`evaluate`](Self::evaluate).
    pub async fn evaluate_audience(
        &self,
        company: Company,
        id: Uuid,
        as_of: Option<&AsOf>,
    ) -> Result<Evaluated, Problem> {
        self.answer(company, Question::Audience(id), as_of.cloned())
            .await
    }

    async fn answer(
        &self,
        company: Company,
        question: Question,
        as_of: Option<AsOf>,
    ) -> Result<Evaluated, Problem> {
        let database = self.database.as_ref().ok_or(Code::NoDatabase)?;
        let mut asked = Asked::begin(&self.metrics);
        let answered = self
            .in_turn(database, company, question, as_of, asked.started)
            .await;
        asked.outcome = match &answered {
            Ok(_) => Outcome::Answered,
            Err(problem) => outcome(problem.code),
        };
        answered
    }

    async fn in_turn(
        &self,
        database: &Database,
        company: Company,
        question: Question,
        as_of: Option<AsOf>,
        started: Instant,
    ) -> Result<Evaluated, Problem> {
        let turn = timeout(self.limit / 2, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            let detail = "Too many questions about audiences are being answered; try again.";
            return Err(Problem::from(Code::Overloaded).with_detail(detail));
        };
        let limit = self.limit.saturating_sub(started.elapsed());
        let answered = database.look("audience", limit, move |connection| {
            Box::pin(async move {
                // Until the query has ended, whoever has gone.
                let _turn = turn;
                connection.within(company.id()).await?;
                match evaluate(connection, company, question, as_of).await {
                    Ok(evaluated) => Ok(Ok(evaluated)),
                    Err(Refused::Asked(problem)) => Ok(Err(*problem)),
                    Err(Refused::Database(error)) => Err(error),
                }
            })
        });
        match answered.await {
            Ok(answered) => answered,
            Err(DatabaseError::Timeout) => Err(Code::QueryTooSlow.into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What is asked.
enum Question {
    /// Who is meant by this.
    Filter(Tree),
    /// Who is in this audience.
    Audience(Uuid),
}

/// How a question that had no answer ended.
fn outcome(code: Code) -> Outcome {
    match code {
        Code::Overloaded => Outcome::Overloaded,
        Code::QueryTooSlow => Outcome::TooSlow,
        code if code.status().is_server_error() => Outcome::Failed,
        _ => Outcome::Refused,
    }
}

/// A question, until it ends; by being dropped if who asked has gone.
struct Asked<'a> {
    metrics: &'a AudienceMetrics,
    started: Instant,
    outcome: Outcome,
}

impl<'a> Asked<'a> {
    fn begin(metrics: &'a AudienceMetrics) -> Self {
        metrics.running.inc();
        Self {
            metrics,
            started: Instant::now(),
            outcome: Outcome::Cancelled,
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.metrics.running.dec();
        self.metrics.queries.of(self.outcome).inc();
        if self.outcome == Outcome::Answered {
            self.metrics
                .duration
                .observe(self.started.elapsed().as_secs_f64());
        }
    }
}

/// Answers a question, from one state of the database.
async fn evaluate(
    connection: &mut Connection<'_>,
    company: Company,
    question: Question,
    as_of: Option<AsOf>,
) -> Result<Evaluated, Refused> {
    let before = as_of.as_ref();
    let mut as_of = AsOf::default();
    let tree = match question {
        Question::Filter(tree) => tree,
        Question::Audience(id) => {
            let saved = references::saved(connection, company, id, before).await?;
            as_of.filters.insert(id, saved.hash);
            saved.tree
        }
    };
    let audiences = references::resolve(connection, company, &tree, before).await?;
    let hashes = audiences.iter().map(|(id, audience)| (*id, audience.hash));
    as_of.filters.extend(hashes);
    let nodes = references::nodes(&tree, &audiences);
    let counters = Counters::find(connection, company, wanted(&nodes), before, &mut as_of).await?;
    check_days(&tree, &nodes, &counters)?;
    let mut run = Run {
        connection,
        counters: &counters,
        audiences: &audiences,
        instant: as_of.instant,
        known: BTreeMap::new(),
    };
    Ok(Evaluated {
        visitors: run.tree(&tree).await?,
        counters: counters.numbers(),
        as_of,
    })
}

/// The counters that are looked at.
fn wanted(nodes: &[&Node]) -> Wanted {
    let names = nodes.iter().filter_map(|node| match node {
        Node::Did(did) => Some(did.counter.clone()),
        _ => None,
    });
    let names: BTreeSet<_> = names.collect();
    match nodes.iter().any(|node| matches!(node, Node::Visitor(_))) {
        true => Wanted::All(names),
        false => Wanted::Named(names),
    }
}

/// Refuses to tell visitors apart for longer than they are.
fn check_days(tree: &Tree, nodes: &[&Node], counters: &Counters) -> Result<(), Problem> {
    let is_too_long =
        |did: &&Did| counters.is_daily(&did.counter) && Window::is_longer_than_a_day(did.within);
    let dids = nodes.iter().filter_map(|node| match node {
        Node::Did(did) => Some(did),
        _ => None,
    });
    let Some(did) = dids.into_iter().find(is_too_long) else {
        return Ok(());
    };
    let name = &did.counter;
    let detail = format!(
        "Visitors of the counter {name} are told apart for a day only: ask for 24 hours of it at most, by \"within\"."
    );
    let problem = Problem::from(Code::VisitorsOfADay).with_detail(detail.clone());
    Err(problem.telling(Particulars {
        errors: places(tree, did)
            .into_iter()
            .map(|pointer| WrongPlace {
                pointer,
                detail: detail.clone(),
                suggestion: Some("Say \"within\": {\"days\": 1}.".to_owned()),
            })
            .collect(),
        ..Particulars::default()
    }))
}

/// Where a condition is in the canonical form of a filter; nowhere if it is in an audience.
fn places(tree: &Tree, did: &Did) -> Vec<String> {
    let mut found = Vec::new();
    find(&tree.include, "/include", "all", did, &mut found);
    if let Some(exclude) = &tree.exclude {
        find(exclude, "/exclude", "any", did, &mut found);
    }
    found
}

/// `group` is how one that is alone is written at this place.
fn find(node: &Node, at: &str, group: &str, did: &Did, found: &mut Vec<String>) {
    let mut within = |nodes: &[Node], group: &str| {
        for (place, node) in nodes.iter().enumerate() {
            find(node, &format!("{at}/{group}/{place}"), "", did, found);
        }
    };
    match node {
        Node::All(nodes) => within(nodes, "all"),
        Node::Any(nodes) => within(nodes, "any"),
        Node::Did(other) if other == did => found.push(match group {
            "" => format!("{at}/did/within"),
            group => format!("{at}/{group}/0/did/within"),
        }),
        _ => {}
    }
}
