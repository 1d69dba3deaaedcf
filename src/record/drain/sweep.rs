//! What nobody has said: visits whose replica was killed before it drained them, counters that older
//! versions counted, and settings that did not reach Redis.

use std::time::Duration;

use super::Drain;
use crate::{
    counting::{CounterId, CounterName},
    record::table::{settings, sweeps},
    storage::StoreError,
};

/// How often it is asked whether it is time.
pub const LOOK: Duration = Duration::from_secs(10);

/// Between two sweeps, all replicas together.
const PERIOD: Duration = Duration::from_secs(30);

/// Counters of which Redis is told in one sweep what is recorded.
const UNTOLD: i64 = 1000;

/// Counters whose names are read at a time.
const PAGE: usize = 500;

impl Drain {
    /// Looks at all counters, if no replica has done so for a while. False if the database did not say.
    pub(super) async fn sweep(&mut self) -> bool {
        let period = PERIOD.as_millis() as i64;
        let turn = self.database.write("sweep", move |connection| {
            Box::pin(async move { Ok(sweeps::take(connection, period).await?) })
        });
        match turn.await {
            Ok(true) => {}
            Ok(false) => return true,
            Err(_) => return false,
        }
        self.tell().await;
        if let Err(error) = self.sweep_all().await {
            tracing::debug!(%error, "not all counters could be looked at for visits to record");
        }
        true
    }

    /// Tells Redis what was to be recorded from some moment on, where it could not be told then.
    async fn tell(&self) {
        let untold = self.database.read("recording_untold", |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                settings::untold(connection, UNTOLD).await
            })
        });
        for recording in untold.await.unwrap_or_default() {
            if self
                .streams
                .switch(&recording.counter, &recording)
                .await
                .is_err()
            {
                return;
            }
            let noted = self.database.write("recording_told", move |connection| {
                Box::pin(async move {
                    connection.within(recording.company()).await?;
                    Ok(settings::told(connection, &recording).await?)
                })
            });
            if noted.await.is_err() {
                return;
            }
        }
    }

    async fn sweep_all(&mut self) -> Result<(), StoreError> {
        for company in self.counters.companies().await? {
            let mut after: Option<CounterName> = None;
            loop {
                let page = self.counters.list(company, after.as_ref(), PAGE).await?;
                for tally in page.counters {
                    let counter = CounterId {
                        company,
                        name: tally.name,
                    };
                    self.sweep_one(counter).await?;
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn sweep_one(&mut self, counter: CounterId) -> Result<(), StoreError> {
        let Some(state) = self.streams.state(&counter).await? else {
            return Ok(());
        };
        if state.recorded && state.count > state.top {
            self.streams.settle(&counter).await?;
            self.pending.insert(counter);
        } else if state.waiting() > 0 {
            self.pending.insert(counter);
        }
        Ok(())
    }
}
