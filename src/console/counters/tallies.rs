//! All counters of a company, with how far they were: what lists and sums of them are made of.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::{
    console::live::MOST_COUNTERS,
    counting::{Company, CounterName, Counting, Tally},
    edge::{Code, Problem},
    record::{
        Record,
        overview::{self, Extent, Wanted},
    },
    storage::StoreError,
};

/// Counters that are listed at a time.
const PAGE: usize = 1000;

/// What a small chart of the last hours shows.
pub const LAST_DAY: &str = "visits in the last 24 hours";

/// Hours of a small chart.
const HOURS: i64 = 24;

/// The minute that it is, since the beginning of 1970.
pub fn now() -> i64 {
    Timestamp::now().as_second().div_euclid(60)
}

/// The first minutes of the last hours, the one that is not over yet included.
pub fn hours(now: i64) -> Vec<i64> {
    let hour = now.div_euclid(60);
    (hour - HOURS + 1..=hour).map(|hour| hour * 60).collect()
}

/// What was read of a company's counters.
#[derive(Debug, Default)]
pub struct Tallies {
    /// By name; those that nothing was counted on as well, if they are recorded.
    pub counters: Vec<Counter>,
    /// Whether there are more.
    pub is_cut: bool,
    /// Whether the store of the counts could not be read: then the numbers are those that are recorded.
    pub store_is_away: bool,
    /// Whether the database could not be read: then nothing is known of before.
    pub database_is_away: bool,
    /// Whether there is one.
    pub has_database: bool,
}

/// A counter.
#[derive(Debug, Clone)]
pub struct Counter {
    /// Its name.
    pub name: CounterName,
    /// The number of its last visit.
    pub count: u64,
    /// What the record knows of it.
    pub extent: Option<Extent>,
}

impl Counter {
    /// Up to where it is that counts for spans of time: when visits came that are not recorded, nobody knows.
    pub fn reach(&self) -> u64 {
        match &self.extent {
            Some(extent) if !extent.recorded => extent.through,
            _ => self.count,
        }
    }

    /// Visits before one of the minutes that were asked for.
    pub fn before(&self, place: usize) -> u64 {
        let before = self.extent.as_ref().map(|extent| &extent.before);
        before
            .and_then(|before| before.get(place))
            .copied()
            .unwrap_or(0)
    }

    /// Visits since one of the minutes that were asked for. When those of a counter came of which nothing is recorded,
    /// nobody knows.
    pub fn since(&self, place: usize) -> u64 {
        match self.extent {
            Some(_) => self.reach().saturating_sub(self.before(place)),
            None => 0,
        }
    }
}

/// Reads them, with what each was before some minutes, of those that were visited since another.
///
/// # Errors
///
/// If neither the store nor the database can be read, those of the store.
pub async fn read(
    counting: &Counting,
    record: &Record,
    company: Company,
    wanted: Wanted,
) -> Result<Tallies, Problem> {
    let wanted = Wanted {
        most: MOST_COUNTERS,
        ..wanted
    };
    // First what is recorded, so that no count is behind it.
    let extents = extents(record, company, wanted).await;
    let tallies = all(counting, company).await;
    let has_database = !matches!(&extents, Err(problem) if problem.code == Code::NoDatabase);
    let database_is_away = has_database && extents.is_err();
    let store_is_away = tallies.is_err();
    if let (Err(_), Err(error)) = (&extents, &tallies) {
        return Err(error.clone().into());
    }
    let (tallies, is_cut) = tallies.unwrap_or_default();
    Ok(Tallies {
        counters: merged(tallies, extents.unwrap_or_default()),
        is_cut,
        store_is_away,
        database_is_away,
        has_database,
    })
}

/// What the record knows of counters.
///
/// # Errors
///
/// `no_database`, and those of the database.
pub async fn extents(
    record: &Record,
    company: Company,
    wanted: Wanted,
) -> Result<Vec<Extent>, Problem> {
    let database = record.database()?;
    Ok(overview::read(database, &record.past, company, wanted).await?)
}

async fn all(counting: &Counting, company: Company) -> Result<(Vec<Tally>, bool), StoreError> {
    let (mut tallies, mut after) = (Vec::new(), None);
    while tallies.len() < MOST_COUNTERS {
        let page = counting.list(company, after.as_ref(), PAGE).await?;
        tallies.extend(page.counters);
        after = page.next;
        if after.is_none() {
            return Ok((tallies, false));
        }
    }
    Ok((tallies, true))
}

fn merged(tallies: Vec<Tally>, extents: Vec<Extent>) -> Vec<Counter> {
    let extents = extents.into_iter();
    let mut extents: HashMap<_, _> = extents
        .map(|extent| (extent.name.clone(), extent))
        .collect();
    let counted = tallies.into_iter().map(|tally| {
        let extent = extents.remove(&tally.name);
        let through = extent.as_ref().map_or(0, |extent| extent.through);
        Counter {
            name: tally.name,
            count: tally.visits.max(through),
            extent,
        }
    });
    let mut counters: Vec<_> = counted.collect();
    counters.extend(extents.into_values().map(|extent| Counter {
        name: extent.name.clone(),
        count: extent.through,
        extent: Some(extent),
    }));
    counters.sort_by(|one, other| one.name.cmp(&other.name));
    counters
}

/// The visits of the last hours of some counters, by name: what small charts show.
///
/// # Errors
///
/// `no_database`, and those of the database.
pub async fn last_day(
    record: &Record,
    company: Company,
    counters: &[Counter],
    now: i64,
) -> Result<HashMap<CounterName, Vec<u64>>, Problem> {
    let names = counters.iter().map(|counter| counter.name.to_string());
    let wanted = Wanted {
        names: Some(names.collect()),
        minutes: hours(now),
        most: counters.len(),
        ..Wanted::default()
    };
    let extents = extents(record, company, wanted).await?;
    let extents = extents.into_iter();
    let extents: HashMap<_, _> = extents
        .map(|extent| (extent.name.clone(), extent))
        .collect();
    let days = counters.iter().filter_map(|counter| {
        let extent = extents.get(&counter.name)?;
        let ends = extent.before.iter().copied().skip(1);
        let ends = ends.chain([counter.reach()]);
        let hours = extent.before.iter().zip(ends);
        let hours = hours.map(|(begin, end)| end.saturating_sub(*begin));
        Some((counter.name.clone(), hours.collect()))
    });
    Ok(days.collect())
}
