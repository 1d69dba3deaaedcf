//! What a chunk of entries adds to the record of a counter, before anything is written.

use std::ops::Deref;

use super::{
    carried::Carried,
    chunk::{Entry, Reason},
    times,
};

/// Bytes of times from which on another run is begun. A row that is longer is written anew with each
/// chunk for longer, and PostgreSQL moves what is over 2 kB out of its row.
const TIMES: usize = 1024;

/// Milliseconds of a day.
pub const DAY: i64 = 86_400_000;

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

/// How far the record of a counter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The last number that is recorded, or of which nothing is.
    pub through: u64,
    /// When it was counted.
    pub through_at: i64,
    /// The last run, if times may be added to it. It ends with `through`, at `through_at`.
    pub tail: Option<Tail>,
}

/// A run that times may be added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Its first number.
    pub first: u64,
    /// How long its times are.
    pub bytes: usize,
}

/// A run that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its first number.
    pub first: u64,
    /// Its last.
    pub last: u64,
    /// When they were counted, or those before and after it of which nothing is recorded.
    pub first_at: i64,
    /// See `first_at`.
    pub last_at: i64,
    /// What is recorded.
    pub content: Content,
}

/// What is recorded of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// When each was counted.
    Times(Vec<u8>),
    /// Nothing, and why.
    Nothing(Reason),
}

/// Which identities visits were counted under, with their numbers.
pub type Identified<'a> = Vec<(u64, &'a [u8; 16])>;

/// All that is to be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// Where it begins.
    pub from: Position,
    /// Where it ends.
    pub to: Position,
    /// The times that are added to the last run.
    pub extension: Vec<u8>,
    /// The last number of that run, and when it was counted.
    pub extended_to: (u64, i64),
    /// The runs that follow.
    pub runs: Vec<Run>,
    /// Minutes and their last numbers.
    pub marks: Vec<(i64, u64)>,
    /// What visits carry.
    pub carried: Carried<'a>,
    /// Of requests.
    pub requests: Identified<'a>,
    /// Of keys.
    pub keys: Identified<'a>,
    /// Visits that are recorded by it.
    pub recorded: u64,
    /// Visits of which nothing is recorded by it, by [`Reason`].
    pub unrecorded: [u64; Reason::ALL.len()],
    open: Option<Open>,
}

/// A run that goes on.
#[derive(Debug, PartialEq, Eq)]
struct Open {
    first: u64,
    first_at: i64,
    last: u64,
    last_at: i64,
    /// Of a run that is there already: how long its times are.
    before: Option<usize>,
    times: Vec<u8>,
    /// What is not in `times` yet: visits, and how long they were counted after those before them.
    moment: Option<(u64, u64)>,
}

impl Open {
    fn bytes(&self) -> usize {
        self.before.unwrap_or(0) + self.times.len()
    }

    fn takes(&self, at: i64) -> bool {
        let same_day = self.last_at.div_euclid(DAY) == at.div_euclid(DAY);
        same_day && self.bytes() < TIMES
    }

    fn add(&mut self, visits: u64, at: i64) {
        self.last += visits;
        match &mut self.moment {
            Some((before, _)) if at == self.last_at => *before += visits,
            _ => {
                self.end_moment();
                self.moment = Some((visits, at.abs_diff(self.last_at)));
                self.last_at = at;
            }
        }
    }

    fn end_moment(&mut self) {
        if let Some((visits, after)) = self.moment.take() {
            times::push(&mut self.times, visits);
            times::push(&mut self.times, after);
        }
    }
}

impl<'a> Plan<'a> {
    /// What entries add where the record is so far. What is recorded already is left out, so an entry
    /// may come any number of times; entries come in the order of their numbers.
    pub fn of<T: Deref<Target = str>>(from: Position, entries: &'a [Entry<T>]) -> Self {
        let carrying = entries.iter().map(|entry| entry.carried.len()).sum();
        let open = from.tail.map(|tail| Open {
            first: tail.first,
            first_at: from.through_at,
            last: from.through,
            last_at: from.through_at,
            before: Some(tail.bytes),
            times: Vec::new(),
            moment: None,
        });
        let mut plan = Self {
            from,
            to: from,
            extension: Vec::new(),
            extended_to: (from.through, from.through_at),
            runs: Vec::new(),
            marks: Vec::new(),
            carried: Carried::with_capacity(carrying),
            requests: Vec::new(),
            keys: Vec::new(),
            recorded: 0,
            unrecorded: [0; Reason::ALL.len()],
            open,
        };
        for entry in entries {
            plan.take(entry);
        }
        let tail = plan.open.as_mut().map(|open| {
            open.end_moment();
            let (first, bytes) = (open.first, open.bytes());
            Tail { first, bytes }
        });
        plan.to.tail = tail;
        plan.close();
        plan
    }

    /// Whether there is nothing to be written.
    pub fn is_empty(&self) -> bool {
        self.from.through == self.to.through
    }

    /// Whether all of it is times for the last run, counted within one minute.
    pub fn only_extends(&self) -> bool {
        let is_extended = !self.extension.is_empty() && self.marks.len() == 1;
        is_extended
            && self.runs.is_empty()
            && self.carried.visits.is_empty()
            && self.requests.is_empty()
            && self.keys.is_empty()
    }

    fn take<T: Deref<Target = str>>(&mut self, entry: &'a Entry<T>) {
        if entry.last <= self.to.through {
            return;
        }
        // The clock of the store may go back, and times must not.
        let at = entry.at.max(self.to.through_at);
        let start = entry.last.saturating_sub(entry.visits);
        let before = entry.before.min(start);
        self.skip(before, Reason::Lost, at);
        self.skip(start, entry.reason.unwrap_or(Reason::OlderVersion), at);
        self.take_carried(entry, at);
        self.record(entry.last, at);
        self.to.through_at = at;
        let minute = at.div_euclid(MINUTE);
        match self.marks.last_mut() {
            Some((last, number)) if *last == minute => *number = entry.last,
            _ => self.marks.push((minute, entry.last)),
        }
    }

    /// Visits up to this one were counted, and nothing is recorded of them.
    fn skip(&mut self, last: u64, reason: Reason, at: i64) {
        let through = self.to.through;
        if last <= through {
            return;
        }
        self.close();
        self.unrecorded[reason as usize] += last - through;
        self.to.through = last;
        self.runs.push(Run {
            first: through + 1,
            last,
            first_at: self.to.through_at,
            last_at: at,
            content: Content::Nothing(reason),
        });
    }

    /// Visits up to this one were counted at this time.
    fn record(&mut self, last: u64, at: i64) {
        let through = self.to.through;
        let visits = last - through;
        if visits == 0 {
            return;
        }
        if !self.open.as_ref().is_some_and(|open| open.takes(at)) {
            self.close();
        }
        let open = self.open.get_or_insert_with(|| Open {
            first: through + 1,
            first_at: at,
            last: through,
            last_at: at,
            before: None,
            times: Vec::new(),
            moment: None,
        });
        open.add(visits, at);
        self.recorded += visits;
        self.to.through = last;
    }

    fn take_carried<T: Deref<Target = str>>(&mut self, entry: &'a Entry<T>, at: i64) {
        let (from, last) = (self.to.through, entry.last);
        let is_new = |number: &u64| (from + 1..=last).contains(number);
        for (number, stored) in &entry.carried {
            if is_new(number) {
                self.carried.add(*number, at, stored);
            }
        }
        let identified = (entry.identified..).zip(entry.requests.iter().chain(&entry.keys));
        for (place, (number, digest)) in identified.enumerate() {
            if is_new(&number) {
                match place < entry.requests.len() {
                    true => self.requests.push((number, digest)),
                    false => self.keys.push((number, digest)),
                }
            }
        }
    }

    /// The run that goes on ends.
    fn close(&mut self) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        open.end_moment();
        if open.before.is_some() {
            self.extension = open.times;
            self.extended_to = (open.last, open.last_at);
            return;
        }
        self.runs.push(Run {
            first: open.first,
            last: open.last,
            first_at: open.first_at,
            last_at: open.last_at,
            content: Content::Times(open.times),
        });
    }
}
