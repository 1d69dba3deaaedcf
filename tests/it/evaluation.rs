//! Who is meant by a filter, on both databases.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use footfall::{
    audiences::{
        evaluate::{AsOf, Engine, Evaluated, metrics::AudienceMetrics},
        filter::Filter,
    },
    company::Company,
    counting::{
        CounterId,
        carried::{Attributes, Stored},
    },
    edge::Problem,
    record::{Entry, append, table::recordings, upkeep},
    storage::sql::{Database, on_either},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::databases::{self, Opened};

mod as_of;
mod cases;
mod hostile;
mod limits;
mod oracle;
mod plans;
mod references;
mod strangers;
mod sums;

const MINUTE: i64 = 60_000;

const DAY: i64 = 86_400_000;

/// A company of a database, and who answers questions about it.
struct Place {
    opened: Arc<Opened>,
    engine: Engine,
    company: Company,
}

/// What becomes of requests after this time.
const REQUEST: Duration = Duration::from_secs(40);

impl Place {
    async fn both() -> [Self; 2] {
        let [sqlite, postgres] = databases::both().await;
        [Self::on(sqlite).await, Self::on(postgres).await]
    }

    async fn on(opened: Opened) -> Self {
        let metrics = Arc::new(AudienceMetrics::register(&opened.registry).unwrap());
        let engine = Engine::new(Some(opened.database.clone()), REQUEST, metrics);
        let opened = Arc::new(opened);
        Self::of(opened, engine).await
    }

    /// Another company beside.
    async fn another(&self) -> Self {
        Self::of(self.opened.clone(), self.engine.clone()).await
    }

    async fn of(opened: Arc<Opened>, engine: Engine) -> Self {
        let id = Uuid::now_v7();
        let place = Self {
            opened,
            engine,
            company: Company::Id(id),
        };
        let insert =
            "INSERT INTO companies (id, name, name_key, state, generation, created_at, updated_at)
             VALUES ($1, $2, $2, 'active', 1, 1, 1)";
        place.write(insert, id.to_string()).await;
        place
    }

    fn kind(&self) -> &'static str {
        self.opened.kind
    }

    fn database(&self) -> &Database {
        &self.opened.database
    }

    /// A statement about this company, `$1`, with one text.
    async fn write(&self, statement: &'static str, text: String) {
        let id = self.company.id();
        let written = self.database().write("test", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                Ok(on_either!(connection, |database| {
                    let statement = sqlx::query(statement).bind(id).bind(text);
                    statement.execute(&mut **database).await.map(drop)
                })?)
            })
        });
        written.await.unwrap();
    }

    fn counter(&self, name: &str) -> CounterId {
        CounterId {
            company: self.company,
            name: name.parse().unwrap(),
        }
    }

    /// Visits that follow those that are there.
    async fn visits(&self, counter: &str, visits: &[Visit]) {
        let (counter, visits) = (self.counter(counter), visits.to_vec());
        let appended = self.database().write("append", move |connection| {
            Box::pin(async move {
                connection.within(counter.company.id()).await?;
                let taken = recordings::take(connection, &counter, 0, 0).await?;
                let mut recording = taken.expect("nobody else has it");
                let entries: Vec<Entry> = (recording.through + 1..)
                    .zip(visits)
                    .map(|(number, (at, carried))| Entry {
                        last: number,
                        visits: 1,
                        at,
                        before: number - 1,
                        carried: vec![(number, carried)],
                        ..Entry::default()
                    })
                    .collect();
                append(connection, &mut recording, &entries).await
            })
        });
        appended.await.unwrap();
    }

    /// An audience, as its routes would save it.
    async fn audience(&self, id: Uuid, filter: &Value) -> Filter {
        let filter = read(filter);
        let (company, canonical, hash) = (
            self.company.id(),
            filter.canonical.clone(),
            filter.hash.clone(),
        );
        let saved = self.database().write("audience", move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                on_either!(connection, |database| {
                    for statement in [
                        "INSERT INTO audience_filters (company_id, hash, filter) VALUES ($1, $3, $4)
                         ON CONFLICT (company_id, hash) DO UPDATE SET filter = $4 WHERE $2 IS NOT NULL",
                        "INSERT INTO audiences (id, company_id, name, name_key, filter, hash, created_at, updated_at)
                         VALUES ($2, $1, $3, $3, $4, $3, 1, 1) ON CONFLICT DO NOTHING",
                        "UPDATE audiences SET filter = $4, hash = $3 WHERE company_id = $1 AND id = $2",
                    ] {
                        let save = sqlx::query(statement).bind(company).bind(id);
                        save.bind(&hash).bind(&canonical).execute(&mut **database).await?;
                    }
                });
                Ok(())
            })
        });
        saved.await.unwrap();
        filter
    }

    async fn evaluated(&self, filter: &Value, as_of: Option<&AsOf>) -> Result<Evaluated, Problem> {
        self.engine
            .evaluate(self.company, &read(filter), as_of)
            .await
    }

    /// The keys of those who are meant.
    async fn who(&self, filter: &Value) -> BTreeSet<String> {
        let evaluated = self.evaluated(filter, None).await;
        let evaluated = evaluated.unwrap_or_else(|problem| panic!("{filter}: {problem:?}"));
        self.keys(&evaluated).await
    }

    async fn keys(&self, evaluated: &Evaluated) -> BTreeSet<String> {
        let company = self.company.id();
        let all = self.database().read("keys", move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                Ok(on_either!(connection, |database| {
                    sqlx::query_as("SELECT id, key FROM visitors WHERE company_id = $1")
                        .bind(company)
                        .fetch_all(&mut **database)
                        .await
                })?)
            })
        });
        let all: Vec<(i64, String)> = all.await.unwrap();
        let all: std::collections::HashMap<_, _> = all.into_iter().collect();
        let visitors = evaluated.visitors.iter();
        visitors.map(|id| all[&(id as i64)].clone()).collect()
    }

    /// Sums up all days that are over.
    async fn sum_up(&self) {
        upkeep::once(self.database()).await.unwrap();
    }
}

/// When a visit was, and what it carried.
type Visit = (i64, Stored);

/// A visit of somebody, with these properties.
fn with(at: i64, visitor: &str, properties: Value) -> Visit {
    let properties = serde_json::from_value(properties).unwrap();
    let attributes = Attributes {
        properties,
        ..Attributes::default()
    };
    (at, stored(visitor, attributes))
}

/// A visit of somebody to a path, which may be empty for none.
fn to(at: i64, visitor: &str, path: &str) -> Visit {
    let attributes = Attributes {
        path: Some(path).filter(|path| !path.is_empty()).map(Into::into),
        ..Attributes::default()
    };
    (at, stored(visitor, attributes))
}

/// Nobody if the name is empty.
fn stored(visitor: &str, attributes: Attributes) -> Stored {
    Stored {
        visitor: Some(visitor)
            .filter(|visitor| !visitor.is_empty())
            .map(Into::into),
        attributes,
    }
}

fn read(filter: &Value) -> Filter {
    let read = Filter::read(&filter.to_string());
    read.unwrap_or_else(|wrong| panic!("{filter}: {wrong:?}"))
}

/// A filter of who did all this.
fn include(all: Value) -> Value {
    json!({ "version": 1, "include": { "all": all } })
}

/// Names as a set.
fn names(names: &str) -> BTreeSet<String> {
    names.split_whitespace().map(str::to_owned).collect()
}

/// A time like 2026-03-01T12:00:00Z.
fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Now, as the tests' databases have it.
fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
