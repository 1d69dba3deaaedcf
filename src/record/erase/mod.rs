//! Taking a visitor out of the record: what is stored of them and what their visits carried. Numbers and
//! totals stay as they are.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::drain::Streams;
use crate::{
    accounts::by::By,
    company::Company,
    counting::{
        carried::{Salts, Visitors},
        counts::{CounterStore, Undrained},
    },
    edge::{Code, Problem},
    storage::sql::Database,
};

mod aside;
pub mod routes;
mod rows;
mod waiting;

/// What erasing works with, on one worker thread.
pub struct Erasure {
    /// Where the record is; without a database there is none.
    pub database: Option<Database>,
    /// What waits to be recorded, where visits are counted in Redis.
    pub streams: Option<Streams>,
    /// What tells which counters there are.
    pub counters: CounterStore,
    /// Has counters drained.
    pub undrained: Arc<Undrained>,
    /// What is stored of who comes.
    pub visitors: Visitors,
    /// The salts that are known here.
    pub salts: Salts,
    /// How long it may take until what waits is recorded.
    pub patience: Duration,
}

impl Erasure {
    /// All that may be stored of a visitor.
    ///
    /// # Errors
    ///
    /// `database_unavailable` as long as the salts of days were not read: whatever was hashed with them would
    /// be left.
    fn keys(&self, company: Company, visitor: &str) -> Result<Vec<Box<str>>, Problem> {
        if self.salts.of(Salts::today()).is_none() {
            return Err(Problem::from(Code::DatabaseUnavailable).with_detail(
                "By what visitors are told apart for a day is not known yet, so nobody can be erased.",
            ));
        }
        Ok(self.visitors.all_keys(company, visitor))
    }

    /// Erases whoever has these keys, a few visits at a time: those who count wait for each transaction, in
    /// SQLite all of them. Until the last one the keys are there, so a request that was cut off can be sent
    /// again.
    async fn erase(&self, company: Uuid, keys: Vec<Box<str>>, by: By) -> Result<(), Problem> {
        let database = self.database.as_ref().ok_or(Code::NoDatabase)?;
        let keys: Arc<[Box<str>]> = keys.into();
        loop {
            let known = keys.clone();
            let found = database.read("visitor_find", move |connection| {
                Box::pin(async move {
                    connection.within(company).await?;
                    Ok(rows::find(connection, company, &known).await?)
                })
            });
            for (visitor, recording) in found.await? {
                let some = || {
                    database.write("visitor_visits", move |connection| {
                        Box::pin(async move {
                            connection.within(company).await?;
                            rows::erase_some(connection, company, recording, visitor).await
                        })
                    })
                };
                while some().await? {}
            }
            let (known, by) = (keys.clone(), by.clone());
            let forgotten = database.write("visitor_erase", move |connection| {
                Box::pin(async move {
                    connection.within(company).await?;
                    rows::forget(connection, company, &known, &by).await
                })
            });
            if forgotten.await? {
                break;
            }
        }
        // In SQLite's log is what was overwritten in the file. If somebody reads at this moment it is
        // emptied later, when the log is.
        let _ = database.empty_log().await;
        Ok(())
    }
}
