//! Some visits, by their numbers: what runs and rows say of them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;

use super::rows::{self, Run, Visit};
use crate::{
    audit::time,
    record::{
        Reason,
        table::{recordings::Recording, visitors::shown},
        times::Moments,
    },
    storage::sql::{Connection, DatabaseError},
};

/// Runs that are read at a time.
const RUNS: i64 = 32;

/// A visit, or some that follow each other and of which nothing is kept.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(as = RecordedVisit)]
pub struct Line {
    /// The number of the visit, or of the first.
    #[schema(minimum = 1, example = 42)]
    pub number: u64,
    /// When it was counted (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    pub at: Option<String>,
    /// Who came: `#` or `~` and a hash, or the name as it was given. One that begins with `#`, `~`, `=` or `'` has
    /// a `=` before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub visitor: Option<String>,
    /// To what.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/pricing")]
    pub path: Option<String>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub referrer: Option<String>,
    /// By which campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub campaign: Option<String>,
    /// From which country (ISO 3166-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub country: Option<String>,
    /// What else it carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false)]
    pub properties: Option<Box<RawValue>>,
    /// Why nothing is kept of these visits, if so: `before` recording began, `off`, `behind`, `lost`,
    /// `older_version`, or their `retention` has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub unrecorded: Option<&'static str>,
    /// The number of the last of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub unrecorded_to: Option<u64>,
}

impl Line {
    fn unrecorded(first: u64, last: u64, reason: &'static str) -> Self {
        Self {
            number: first,
            unrecorded: Some(reason),
            unrecorded_to: Some(last),
            ..Self::default()
        }
    }

    /// What it carried.
    fn carry(&mut self, visit: Visit) {
        let (_, visitor, path, referrer, campaign, country, properties) = visit;
        self.visitor = visitor.map(shown);
        (self.path, self.referrer, self.campaign, self.country) =
            (path, referrer, campaign, country);
        // What is no JSON was not written by us.
        self.properties = properties.and_then(|json| RawValue::from_string(plain(&json)).ok());
    }
}

/// As JSON is written without blanks: PostgreSQL adds some.
fn plain(json: &str) -> String {
    let value: Option<Value> = serde_json::from_str(json).ok();
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

/// The visits after a number and up to another, no more than so many of those that are recorded. Says as
/// well up to which number it got.
pub async fn page(
    connection: &mut Connection<'_>,
    recording: &Recording,
    after: u64,
    through: u64,
    most: u64,
) -> Result<(Vec<Line>, u64), DatabaseError> {
    let mut page = Page {
        lines: BTreeMap::new(),
        read_to: after,
        through,
        room: most,
    };
    page.gone(recording.began.min(through), "before");
    // What was removed since the first page is said to be so.
    let base = crate::record::table::recordings::find(connection, &recording.counter).await?;
    let base = base.map_or(recording.base, |now| now.base);
    page.gone(base.min(through), "retention");
    let first = page.read_to + 1;
    // Those after it were counted while recording is off.
    let recorded = through.min(recording.through);
    let runs = match first <= recorded {
        true => rows::runs(connection, recording, first, recorded, RUNS).await?,
        false => Vec::new(),
    };
    for run in runs {
        if page.room == 0 {
            break;
        }
        page.take(run)?;
    }
    if page.read_to >= recording.through {
        page.gone(through, Reason::Off.text());
    }
    if page.read_to == after && after < through {
        return Err(DatabaseError::Refused(format!(
            "the record of {} has nothing about {first}",
            recording.counter
        )));
    }
    if page.room < most {
        for visit in rows::visits(connection, recording, first, page.read_to).await? {
            if let Some(line) = page.lines.get_mut(&visit.0.unsigned_abs()) {
                line.carry(visit);
            }
        }
    }
    Ok((page.lines.into_values().collect(), page.read_to))
}

struct Page {
    lines: BTreeMap<u64, Line>,
    read_to: u64,
    through: u64,
    room: u64,
}

impl Page {
    /// Of visits up to this one nothing is kept.
    fn gone(&mut self, last: u64, reason: &'static str) {
        if last > self.read_to {
            let first = self.read_to + 1;
            self.lines
                .insert(first, Line::unrecorded(first, last, reason));
            self.read_to = last;
        }
    }

    fn take(&mut self, (first, last, reason, first_at, times): Run) -> Result<(), DatabaseError> {
        let last = last.unsigned_abs().min(self.through);
        if last <= self.read_to {
            return Ok(());
        }
        let Some(times) = times else {
            let reason = reason.as_deref().and_then(Reason::from_text);
            self.gone(last, reason.map_or("unknown", Reason::text));
            return Ok(());
        };
        for moment in Moments::of(first.unsigned_abs(), first_at, &times) {
            if moment.last <= self.read_to {
                continue;
            }
            let last = moment.last.min(last).min(self.read_to + self.room);
            for number in self.read_to + 1..=last {
                self.lines.insert(
                    number,
                    Line {
                        number,
                        at: Some(time::format(moment.at)),
                        ..Line::default()
                    },
                );
            }
            self.room -= last.saturating_sub(self.read_to);
            self.read_to = self.read_to.max(last);
            if self.room == 0 {
                return Ok(());
            }
        }
        match self.read_to >= last {
            true => Ok(()),
            false => Err(DatabaseError::Refused(format!(
                "the run that begins with {first} does not say when all of its visits were counted"
            ))),
        }
    }
}
