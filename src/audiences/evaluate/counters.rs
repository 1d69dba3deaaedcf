//! The counters a question looks at, and up to which number.

use std::collections::{BTreeMap, BTreeSet};

use super::{as_of::AsOf, refused::Refused};
use crate::{
    company::Company,
    counting::{CounterId, CounterName, carried::VisitorMode},
    edge::{Code, query::invalid},
    record::table::recordings::{self, Recording},
    storage::sql::{Connection, schema},
};

/// More than an `as_of` holds.
const MOST: i64 = 2000;

/// A counter, and up to which number its visits count.
#[derive(Debug, Clone)]
pub struct Counter {
    /// Its row.
    pub recording: Recording,
    /// Up to which number.
    pub through: u64,
}

/// Which counters a question looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Those with these names.
    Named(BTreeSet<CounterName>),
    /// All of the company, these among them.
    All(BTreeSet<CounterName>),
}

/// The counters of a question.
#[derive(Debug, Default)]
pub(super) struct Counters {
    of: BTreeMap<CounterName, Option<Counter>>,
    /// Those whose visitors are told apart for a day only.
    daily: BTreeSet<CounterName>,
}

impl Counters {
    /// Looks for them, as of now, or as of an earlier answer. What they are is added to `to`.
    pub(super) async fn find(
        connection: &mut Connection<'_>,
        company: Company,
        wanted: Wanted,
        as_of: Option<&AsOf>,
        to: &mut AsOf,
    ) -> Result<Self, Refused> {
        let (names, all) = match wanted {
            Wanted::Named(names) => (names, Vec::new()),
            Wanted::All(names) => (names, recordings::all(connection, company, MOST).await?),
        };
        let mut counters = Self::default();
        for name in names {
            let counter = CounterId { company, name };
            let found = recordings::find(connection, &counter).await?;
            counters.add(counter.name, found, as_of, to)?;
        }
        // Those that came later are as if they were not there.
        let is_known = |recording: &Recording| {
            as_of.map_or(recording.through, |as_of| as_of.number(recording.id)) > 0
        };
        for recording in all.into_iter().filter(is_known) {
            counters.add(recording.counter.name.clone(), Some(recording), as_of, to)?;
        }
        to.instant = match as_of {
            Some(as_of) => as_of.instant,
            None => counters.newest().max(schema::now(connection).await?),
        };
        to.check_length()?;
        Ok(counters)
    }

    fn add(
        &mut self,
        name: CounterName,
        recording: Option<Recording>,
        as_of: Option<&AsOf>,
        to: &mut AsOf,
    ) -> Result<(), Refused> {
        let Some(recording) = recording else {
            self.of.entry(name).or_insert(None);
            return Ok(());
        };
        let id = recording.id;
        let through = as_of.map_or(recording.through, |as_of| as_of.number(id));
        if through > recording.through {
            return Err(invalid("as_of is of more than is recorded here.").into());
        }
        let is_daily = as_of.map_or(recording.visitor == VisitorMode::Daily, |as_of| {
            as_of.daily.contains(&id)
        });
        if is_daily {
            self.daily.insert(name.clone());
            to.daily.insert(id);
        }
        if through > 0 || is_daily {
            to.numbers.insert(id, through);
        }
        self.of.insert(name, Some(Counter { recording, through }));
        match to.numbers.len() as i64 >= MOST {
            true => Err(Code::TooManyCounters.into()),
            false => Ok(()),
        }
    }

    /// The moment after the newest visit.
    fn newest(&self) -> i64 {
        let newest = self.all().map(|counter| counter.recording.through_at + 1);
        newest.max().unwrap_or(0)
    }

    /// The one with this name, if anything was recorded of it.
    pub(super) fn of(&self, name: &CounterName) -> Option<&Counter> {
        self.of.get(name)?.as_ref()
    }

    /// All of which anything was recorded.
    pub(super) fn all(&self) -> impl Iterator<Item = &Counter> {
        self.of.values().flatten()
    }

    /// Whether its visitors are told apart for a day only.
    pub(super) fn is_daily(&self, name: &CounterName) -> bool {
        self.daily.contains(name)
    }

    /// Up to which number visits count, by the names of all that were looked at.
    pub(super) fn numbers(&self) -> BTreeMap<String, u64> {
        let numbers = self.of.iter();
        let number =
            |counter: &Option<Counter>| counter.as_ref().map_or(0, |counter| counter.through);
        numbers
            .map(|(name, counter)| (name.to_string(), number(counter)))
            .collect()
    }
}
