//! What is read of the record, on both databases.

use footfall::{
    auth::role::Role,
    company::Company,
    counting::{
        CounterId,
        carried::{Attributes, Stored},
    },
    record::{Entry, Reason, append, table::recordings},
};
use uuid::Uuid;

use crate::support::{
    Client,
    stage::{Person, Stage},
};

mod history;
mod naive;
mod off;
mod plans;
mod recording;
mod retention;
mod steered;
mod sums;
mod upkeep;
mod values;
mod visits;
mod waiting;

const MINUTE: i64 = 60_000;

const DAY: i64 = 86_400_000;

/// A company with a counter, whose record a test writes by itself.
pub struct Place {
    pub stage: Stage,
    pub anna: Person,
}

impl Place {
    pub async fn both() -> [Self; 2] {
        let [sqlite, postgres] = Stage::both().await;
        [Self::on(sqlite).await, Self::on(postgres).await]
    }

    pub async fn on(stage: Stage) -> Self {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        Self { stage, anna }
    }

    pub fn client(&self) -> Client {
        self.stage.client(&self.anna)
    }

    pub fn counter(&self, name: &str) -> CounterId {
        let company = self.anna.company.parse::<Uuid>().unwrap();
        CounterId {
            company: Company::from(company),
            name: name.parse().unwrap(),
        }
    }

    /// Appends entries. Before recording began so many visits were counted.
    pub async fn append(&self, name: &str, began: u64, entries: &[Entry]) {
        let (counter, entries) = (self.counter(name), entries.to_vec());
        let database = self.stage.app.database.as_ref().unwrap();
        let appended = database.write("append", move |connection| {
            Box::pin(async move {
                connection.within(counter.company.id()).await?;
                let taken = recordings::take(connection, &counter, began, 0).await?;
                let mut recording = taken.expect("nobody else has it");
                append(connection, &mut recording, &entries).await
            })
        });
        appended.await.unwrap();
    }

    pub async fn get(&self, path: &str) -> serde_json::Value {
        let reply = self.client().get(path).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        reply.json()
    }

    pub async fn problem(&self, path: &str) -> (u16, String, String) {
        let reply = self.client().get(path).await;
        let code = reply.problem();
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        (reply.status.as_u16(), code, detail)
    }
}

/// So many visits up to this number, at this time.
pub fn plain(last: u64, visits: u64, at: i64) -> Entry {
    Entry {
        last,
        visits,
        at,
        before: last - visits,
        ..Entry::default()
    }
}

/// Visits that carry these, one after the other up to this number.
pub fn carrying(last: u64, at: i64, carried: Vec<Stored>) -> Entry {
    let visits = carried.len() as u64;
    let first = last - visits + 1;
    Entry {
        carried: (first..).zip(carried).collect(),
        ..plain(last, visits, at)
    }
}

/// A visit of a path, by somebody.
pub fn to(path: &str, visitor: Option<&str>) -> Stored {
    Stored {
        visitor: visitor.map(Into::into),
        attributes: Attributes {
            path: Some(path.into()),
            ..Attributes::default()
        },
    }
}

/// A time like 2026-03-01T12:00:00Z.
pub fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Of this entry those before the visits are not recorded.
pub fn after_gap(entry: Entry, before: u64, reason: Reason) -> Entry {
    Entry {
        before,
        reason: Some(reason),
        ..entry
    }
}
