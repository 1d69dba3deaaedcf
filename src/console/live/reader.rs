//! Reads what is watched, once a second for all who watch it, however many they are and whatever is counted.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use super::hub::{Live, Reading, Watched};
use crate::{
    counting::{Company, CounterId, counts::CounterStore},
    storage::StoreError,
};

/// From one reading to the next.
const EVERY: Duration = Duration::from_secs(1);

/// The same, if somebody comes meanwhile: they do not wait, and many who come at once cost no more than
/// so many readings.
const AT_LEAST: Duration = Duration::from_millis(100);

/// Counters of a company that are added up. The sum of more is not told.
pub const MOST_COUNTERS: usize = 5000;

/// Counters that are listed at a time.
const PAGE: usize = 1000;

/// Reads again and again while anybody watches.
pub async fn run(live: Arc<Live>, counts: CounterStore) {
    loop {
        let watched = live.watched();
        if watched.is_empty() {
            live.comes.notified().await;
            continue;
        }
        let read = read(&counts, watched).await;
        live.readings.send_modify(|last| {
            let serial = last.serial + 1;
            *last = Arc::new(match read {
                Ok(visits) => Reading {
                    serial,
                    visits,
                    is_away: false,
                },
                Err(_) => {
                    live.metrics.failed.inc();
                    Reading {
                        serial,
                        visits: last.visits.clone(),
                        is_away: true,
                    }
                }
            });
        });
        sleep(AT_LEAST).await;
        let _ = timeout(EVERY - AT_LEAST, live.comes.notified()).await;
    }
}

async fn read(
    counts: &CounterStore,
    watched: Vec<Watched>,
) -> Result<HashMap<Watched, u64>, StoreError> {
    let mut visits = HashMap::with_capacity(watched.len());
    let mut counters = Vec::with_capacity(watched.len());
    for one in watched {
        match one {
            Watched::Counter(counter) => counters.push(counter),
            Watched::All(company) => {
                if let Some(all) = all(counts, company).await? {
                    visits.insert(one, all);
                }
            }
        }
    }
    let found = counts.get_all(&counters).await?;
    // Nothing was ever counted on those that are not there.
    let of = |counter: &CounterId| found.get(counter).copied().unwrap_or(0);
    visits.extend(counters.into_iter().map(|counter| {
        let of = of(&counter);
        (Watched::Counter(counter), of)
    }));
    Ok(visits)
}

/// All visits of a company; `None` if it has too many counters.
async fn all(counts: &CounterStore, company: Company) -> Result<Option<u64>, StoreError> {
    let (mut sum, mut after) = (0, None);
    for _ in 0..MOST_COUNTERS / PAGE {
        let page = counts.list(company, after.as_ref(), PAGE).await?;
        sum += page
            .counters
            .iter()
            .map(|counter| counter.visits)
            .sum::<u64>();
        after = page.next;
        if after.is_none() {
            return Ok(Some(sum));
        }
    }
    Ok(None)
}
