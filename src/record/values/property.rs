//! Properties of a day that is over: which of them are summed up, and their sums.
//!
//! Sums pay where values are few. Where nearly every visit has a value of its own they would take as much as the
//! visits themselves and be read no faster, so such properties are left out, and answered from rows.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use roaring::RoaringTreemap;
use serde_json::value::RawValue;
use sqlx::Error;

use crate::{
    record::table::recordings::Recording,
    storage::sql::{Connection, of_company, on_either},
};

/// Properties of a day that are summed up at most.
const MOST_KEYS: usize = 100;

/// Values of a property of a day that are summed up at most.
const MOST_VALUES: usize = 1000;

/// Properties of a day that are named as left out. Where there are more, all are that have no sums.
const MOST_NAMED: usize = 100;

/// What the sums of all properties take at most, for each visit of the day that carries anything.
const BYTES_OF_A_VISIT: usize = 64;

/// What they take in memory at most while they are made.
const BYTES_IN_MEMORY: usize = 64 << 20;

/// What a row takes beside its texts and its set.
const BYTES_OF_A_ROW: usize = 100;

/// How many visits, and who came.
type Sum = (i64, RoaringTreemap);

/// What is known of a property.
#[derive(Debug, Default)]
struct Property {
    /// By value, as JSON.
    values: HashMap<Box<str>, Sum>,
    without: Sum,
    /// The last visit that carried it, from 1 on.
    last: usize,
}

impl Property {
    fn bytes(&self, key: &str) -> usize {
        let values = self.values.iter();
        let values = values.map(|(value, (_, visitors))| value.len() + visitors.serialized_size());
        let rows = (self.values.len() + 1) * (BYTES_OF_A_ROW + key.len());
        rows + values.sum::<usize>() + self.without.1.serialized_size()
    }
}

/// The properties of the visits of a day.
#[derive(Debug)]
pub(super) struct Properties {
    visits: usize,
    keys: BTreeMap<Box<str>, Property>,
    /// `None`: all that are not in `keys`.
    left_out: Option<BTreeSet<Box<str>>>,
}

impl Default for Properties {
    fn default() -> Self {
        Self {
            visits: 0,
            keys: BTreeMap::new(),
            left_out: Some(BTreeSet::new()),
        }
    }
}

/// What is to be written of a value of a property.
pub(super) struct OfValue {
    pub key: Box<str>,
    /// As JSON; empty: the visits without it.
    pub value: Box<str>,
    pub visits: i64,
    pub visitors: RoaringTreemap,
}

impl Properties {
    /// Adds a visit and what it carries (a JSON object), and who came before it.
    ///
    /// # Errors
    ///
    /// If it is no object.
    pub fn add(
        &mut self,
        visitor: Option<u64>,
        properties: Option<&str>,
        before: &RoaringTreemap,
    ) -> Result<(), Error> {
        self.visits += 1;
        if let Some(json) = properties {
            let properties: HashMap<Cow<'_, str>, &RawValue> =
                serde_json::from_str(json).map_err(|error| Error::Decode(error.into()))?;
            for (key, value) in properties {
                self.add_value(&key, value.get(), visitor, before);
            }
        }
        for property in self.keys.values_mut() {
            if property.last < self.visits {
                property.without.0 += 1;
                property.without.1.extend(visitor);
            }
        }
        // Each time there are twice as many: sets grow slowly.
        if self.visits.is_power_of_two() {
            self.keep(BYTES_IN_MEMORY);
        }
        Ok(())
    }

    fn add_value(&mut self, key: &str, value: &str, visitor: Option<u64>, before: &RoaringTreemap) {
        if !self.keys.contains_key(key) {
            match &self.left_out {
                Some(left_out) if !left_out.contains(key) => {}
                _ => return,
            }
            if self.keys.len() == MOST_KEYS {
                return self.leave_out(key);
            }
            let visits = self.visits as i64 - 1;
            let property = Property {
                without: (visits, before.clone()),
                ..Property::default()
            };
            self.keys.insert(key.into(), property);
        }
        let Some(property) = self.keys.get_mut(key) else {
            return;
        };
        property.last = self.visits;
        if !property.values.contains_key(value) {
            if property.values.len() == MOST_VALUES {
                return self.leave_out(key);
            }
            property.values.insert(value.into(), Sum::default());
        }
        if let Some((visits, visitors)) = property.values.get_mut(value) {
            *visits += 1;
            visitors.extend(visitor);
        }
    }

    fn leave_out(&mut self, key: &str) {
        self.keys.remove(key);
        if let Some(left_out) = &mut self.left_out {
            left_out.insert(key.into());
            if left_out.len() > MOST_NAMED {
                self.left_out = None;
            }
        }
    }

    /// Leaves out what takes the most, until the rest takes no more than this.
    fn keep(&mut self, most: usize) {
        let keys = self.keys.iter();
        let mut bytes: Vec<_> = keys
            .map(|(key, property)| (property.bytes(key), key.clone()))
            .collect();
        bytes.sort_unstable();
        let mut all: usize = bytes.iter().map(|(bytes, _)| bytes).sum();
        while all > most
            && let Some((bytes, key)) = bytes.pop()
        {
            all -= bytes;
            self.leave_out(&key);
        }
    }

    /// What is to be written, and which properties are left out, as the database has it.
    pub fn done(mut self) -> (Vec<OfValue>, String) {
        self.keep(self.visits * BYTES_OF_A_VISIT);
        let left_out = serde_json::json!(self.left_out).to_string();
        let mut rows = Vec::new();
        for (key, property) in self.keys {
            let without = (property.without.0 > 0).then(|| (Box::from(""), property.without));
            rows.extend(property.values.into_iter().chain(without).map(
                |(value, (visits, visitors))| OfValue {
                    key: key.clone(),
                    value,
                    visits,
                    visitors,
                },
            ));
        }
        (rows, left_out)
    }
}

/// The days of which some properties are not summed up: which, and whether this one is all the same.
const LEFT_OUT: &str = "SELECT day, left_out, EXISTS (SELECT 1 FROM property_days
       WHERE company_id = $1 AND recording_id = $2 AND property_days.day = visitor_days.day AND key = $5)
     FROM visitor_days WHERE company_id = $1 AND recording_id = $2 AND day >= $3 AND day < $4
       AND (left_out IS NULL OR left_out <> '[]') ORDER BY day";

/// The longest span within these days, from one on and before another, in which each day has sums of this property or
/// no visit that carries it.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn summed(
    connection: &mut Connection<'_>,
    recording: &Recording,
    key: &str,
    (from, to): (i64, i64),
) -> Result<(i64, i64), Error> {
    let days: Vec<(i64, Option<String>, bool)> = on_either!(connection, |database| {
        sqlx::query_as(of_company(LEFT_OUT))
            .bind(recording.company())
            .bind(recording.id)
            .bind(from)
            .bind(to)
            .bind(key)
            .fetch_all(&mut **database)
            .await
    })?;
    let is_left_out = |(_, left_out, has_sums): &(i64, Option<String>, bool)| {
        let left_out = left_out.as_deref().map(serde_json::from_str);
        match left_out {
            Some(Ok(Some(left_out))) => {
                let left_out: Vec<Box<str>> = left_out;
                left_out.iter().any(|left_out| &**left_out == key)
            }
            Some(Ok(None)) => !has_sums,
            Some(Err(_)) | None => true,
        }
    };
    let days = days.into_iter().filter(is_left_out).map(|(day, ..)| day);
    Ok(longest(from, to, days))
}

/// The longest of the spans into which these days, which rise, divide one.
fn longest(from: i64, to: i64, without: impl Iterator<Item = i64>) -> (i64, i64) {
    let (mut longest, mut start) = ((from, from), from);
    for day in without.chain([to]) {
        if day - start > longest.1 - longest.0 {
            longest = (start, day);
        }
        start = day + 1;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that have sums, and what is said of the others, after visits with these properties: by somebody else
    /// each, or by nobody who is known.
    fn of(is_known: bool, visits: impl Iterator<Item = String>) -> (BTreeSet<Box<str>>, String) {
        let (mut properties, mut before) = (Properties::default(), RoaringTreemap::new());
        for (visitor, json) in (1..).zip(visits) {
            let visitor = is_known.then_some(visitor);
            properties.add(visitor, Some(&json), &before).unwrap();
            before.extend(visitor);
        }
        let (rows, left_out) = properties.done();
        (rows.into_iter().map(|row| row.key).collect(), left_out)
    }

    #[test]
    fn what_has_too_many_values_is_left_out() {
        let number = 4 * MOST_VALUES;
        let visits = |values: usize| {
            (0..number).map(move |visit| {
                let value = visit % values;
                format!(r#"{{"plan":"pro","of":{value},"own":"{visit}"}}"#)
            })
        };
        let both = ["of", "plan"].map(Box::from).into();
        assert_eq!(of(true, visits(MOST_VALUES)), (both, r#"["own"]"#.into()));
        let one = ["plan"].map(Box::from).into();
        let named = r#"["of","own"]"#.into();
        assert_eq!(of(true, visits(MOST_VALUES + 1)), (one, named));
    }

    #[test]
    fn what_takes_the_most_of_few_visits_is_left_out() {
        let visits = (0..50).map(|visit| {
            let three = visit % 3;
            format!(r#"{{"one":true,"three":{three},"own":{visit}}}"#)
        });
        let few = ["one", "three"].map(Box::from).into();
        assert_eq!(of(true, visits), (few, r#"["own"]"#.into()));
        let one = of(true, [r#"{"a":1}"#.to_owned()].into_iter());
        assert_eq!(one, (BTreeSet::new(), r#"["a"]"#.into()));
    }

    #[test]
    fn of_too_many_properties_those_that_came_first_are_summed_up() {
        let visits = |keys: usize| {
            let some = (0..keys).map(|key| format!(r#"{{"{key:03}":1}}"#));
            some.chain((0..1000).map(|_| r#"{"000":1}"#.to_owned()))
        };
        let first: BTreeSet<Box<str>> = (0..MOST_KEYS)
            .map(|key| format!("{key:03}").into())
            .collect();
        assert_eq!(of(false, visits(MOST_KEYS)), (first.clone(), "[]".into()));
        let (keys, named) = of(false, visits(MOST_KEYS + MOST_NAMED));
        assert_eq!(keys, first);
        let named: Vec<String> = serde_json::from_str(&named).unwrap();
        assert_eq!((named.len(), named[0].as_str()), (MOST_NAMED, "100"));
        let more = of(false, visits(MOST_KEYS + MOST_NAMED + 1));
        assert_eq!(more, (first, "null".into()));
    }

    #[test]
    fn the_longest_span_is_found() {
        for (without, expected) in [
            (&[][..], (3, 10)),
            (&[3], (4, 10)),
            (&[9], (3, 9)),
            (&[6], (3, 6)),
            (&[5, 6], (7, 10)),
            (&[3, 4, 5, 6, 7, 8, 9], (3, 3)),
        ] {
            let found = longest(3, 10, without.iter().copied());
            assert_eq!(found, expected, "{without:?}");
        }
    }
}
