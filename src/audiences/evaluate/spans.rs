//! Which visits a question is about: those of whole days that are summed up, and the others by their numbers.

use sqlx::Error;

use super::counters::Counter;
use crate::{
    audiences::filter::Within,
    record::{history::numbers, values::days},
    storage::sql::Connection,
};

/// Milliseconds of a day.
pub(super) const DAY: i64 = 86_400_000;

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

/// Minutes of a day.
const DAY_MINUTES: i64 = DAY / MINUTE;

/// Of minutes that are long past only each fifteenth is known.
const QUARTER: i64 = 15;

/// A time: from this millisecond on, before that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From this one on; without it, ever since.
    pub from: Option<i64>,
    /// Before this one; without it, until the end.
    pub to: Option<i64>,
}

impl Window {
    /// Ever.
    pub const EVER: Self = Self {
        from: None,
        to: None,
    };

    /// That of a filter.
    pub(super) fn of(within: Option<Within>, instant: i64) -> Self {
        match within {
            None => Self::EVER,
            Some(Within::Days(days)) => Self {
                from: Some(instant - i64::from(days) * DAY),
                to: None,
            },
            Some(Within::Between(from, to)) => Self {
                from: Some(from),
                to: Some(to),
            },
        }
    }

    /// Whether it may have more than 24 hours.
    pub(super) fn is_longer_than_a_day(within: Option<Within>) -> bool {
        match within {
            None => true,
            Some(Within::Days(days)) => days > 1,
            Some(Within::Between(from, to)) => to - from > DAY,
        }
    }
}

/// Visits of a counter: those with a number after one, up to another, in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// After this number.
    pub after: u64,
    /// Up to this one.
    pub through: u64,
    /// In this time.
    pub window: Window,
}

/// A day that is summed up: the number before its first visit, and that of its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) day: i64,
    pub(super) after: u64,
    pub(super) through: u64,
}

/// All visits of a question.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Whole days, one after the other, that are summed up.
    pub(super) days: Vec<Day>,
    /// All others.
    pub(super) spans: Vec<Span>,
}

impl Parts {
    /// Those of a counter in a time, all of them to be looked at one by one.
    pub(super) async fn rows(
        connection: &mut Connection<'_>,
        counter: &Counter,
        window: Window,
    ) -> Result<Self, Error> {
        let spans = span(connection, counter, window).await?;
        Ok(Self {
            days: Vec::new(),
            spans: spans.into_iter().collect(),
        })
    }

    /// The same with as much as possible of days that are summed up.
    pub(super) async fn summed(
        connection: &mut Connection<'_>,
        counter: &Counter,
        window: Window,
    ) -> Result<Self, Error> {
        let Some(span) = span(connection, counter, window).await? else {
            return Ok(Self::default());
        };
        let days = days(connection, counter, window).await?;
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Ok(Self {
                days,
                spans: vec![span],
            });
        };
        let before = Span {
            through: span.through.min(first.after),
            ..span
        };
        let after = Span {
            after: span.after.max(last.through),
            ..span
        };
        let spans = [before, after].into_iter();
        Ok(Self {
            spans: spans.filter(|span| span.after < span.through).collect(),
            days,
        })
    }
}

/// Between which numbers visits of this time are; `None` if there are none.
async fn span(
    connection: &mut Connection<'_>,
    counter: &Counter,
    window: Window,
) -> Result<Option<Span>, Error> {
    let from = window.from.map_or(0, |from| from.div_euclid(MINUTE));
    let to = window.to.map_or(i64::MAX, |to| {
        // The numbers up to the end of a quarter of an hour are known for ever.
        -(-to).div_euclid(MINUTE * QUARTER) * QUARTER
    });
    let before = numbers::before(connection, &counter.recording, &[from, to]).await?;
    let (after, through) = (
        before[0].max(counter.recording.base),
        before[1].min(counter.through),
    );
    Ok((after < through).then_some(Span {
        after,
        through,
        window,
    }))
}

/// The whole days of this time of which sums say all that counts: what is kept of them, and no more.
async fn days(
    connection: &mut Connection<'_>,
    counter: &Counter,
    window: Window,
) -> Result<Vec<Day>, Error> {
    let recording = &counter.recording;
    let end = days::summed(connection, recording).await?;
    let end = window.to.map_or(end, |to| to.div_euclid(DAY).min(end));
    let Some(first) = numbers::first_minute(connection, recording).await? else {
        return Ok(Vec::new());
    };
    let first = first.div_euclid(DAY_MINUTES);
    let first = window
        .from
        .map_or(first, |from| (-(-from).div_euclid(DAY)).max(first));
    let minutes: Vec<i64> = (first..=end).map(|day| day * DAY_MINUTES).collect();
    let before = numbers::before(connection, recording, &minutes).await?;
    let days = (first..).zip(before.windows(2)).map(|(day, numbers)| Day {
        day,
        after: numbers[0],
        through: numbers[1],
    });
    let is_whole = |day: &Day| day.after >= recording.base && day.through <= counter.through;
    Ok(days.filter(is_whole).collect())
}
