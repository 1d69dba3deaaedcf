//! From numbers at boundaries to buckets.

use jiff::Timestamp;

use super::numbers::Unrecorded;
use crate::record::{calendar::Calendar, span};

/// Visits whose numbers follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// When it begins; `None` if nobody knows.
    pub start: Option<Timestamp>,
    /// The number of its first visit; of a bucket without any, that of the next.
    pub first: u64,
    /// The number of its last visit, or of the last before it.
    pub last: u64,
    /// Why nothing is recorded of them, if so, and when the visit after them was counted.
    pub unrecorded: Option<(&'static str, Option<Timestamp>)>,
}

impl Bucket {
    /// How many visits it has.
    pub fn visits(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }
}

/// The beginnings of units from a minute on, before another; `None` if there are more than so many. The
/// first is the minute itself.
pub fn starts(calendar: &Calendar, from: i64, to: i64, most: usize) -> Option<Vec<i64>> {
    let mut starts = Vec::new();
    let mut next = (from < to).then_some(from);
    while let Some(start) = next {
        if starts.len() == most {
            return None;
        }
        starts.push(start);
        let floor = calendar.floor(span::moment(start));
        next = calendar
            .next(floor)
            .map(|next| next.as_second().div_euclid(60));
        next = next.filter(|next| *next < to);
    }
    Some(starts)
}

/// Divides the visits after a number: each start has the visits up to the number beside it, but for those of
/// which nothing is recorded.
pub fn divided(after: u64, starts: &[(i64, u64)], unrecorded: &[Unrecorded]) -> Vec<Bucket> {
    let mut buckets = Vec::with_capacity(starts.len() + unrecorded.len());
    let mut missing = unrecorded.iter().peekable();
    let mut through = after;
    for (minute, last) in starts {
        let start = Some(span::moment(*minute));
        let mut is_there = false;
        while let Some(gap) = missing.next_if(|gap| gap.first <= *last) {
            if gap.first > through + 1 {
                buckets.push(recorded(start, through, gap.first - 1));
                is_there = true;
            }
            buckets.push(gap_of(gap));
            through = gap.last;
        }
        if *last > through || !is_there {
            let last = (*last).max(through);
            buckets.push(recorded(start, through, last));
            through = last;
        }
    }
    // Where no unit is known.
    buckets.extend(missing.map(gap_of));
    buckets
}

fn recorded(start: Option<Timestamp>, after: u64, last: u64) -> Bucket {
    Bucket {
        start,
        first: after + 1,
        last,
        unrecorded: None,
    }
}

fn gap_of(gap: &Unrecorded) -> Bucket {
    let moment = |millis| (millis > 0).then(|| Timestamp::from_millisecond(millis).ok());
    Bucket {
        start: moment(gap.first_at).flatten(),
        first: gap.first,
        last: gap.last,
        unrecorded: Some((gap.reason, moment(gap.last_at).flatten())),
    }
}
