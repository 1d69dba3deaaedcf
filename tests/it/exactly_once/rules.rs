//! What must be recorded, by rules that are told apart from how it is done: what Redis has of a counter,
//! and what the database has.

use std::collections::BTreeMap;

use crate::stream::BACKLOG;

/// Visits that were counted in one step.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Grows from entry to entry, whatever Redis forgets.
    pub at: u64,
    pub before: u64,
    pub start: u64,
    pub last: u64,
    pub reason: &'static str,
    pub paths: BTreeMap<u64, String>,
    pub keys: Vec<(u8, u64)>,
}

/// What Redis has.
#[derive(Debug, Clone, Default)]
pub struct InRedis {
    pub count: u64,
    pub exists: bool,
    pub on: bool,
    pub version: u64,
    pub top: u64,
    pub at: u64,
    pub gap: &'static str,
    pub through: u64,
    pub entries: Vec<Entry>,
    pub keys: BTreeMap<u8, u64>,
}

/// What becomes of a visit that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Counted(u64),
    Replayed(u64),
    Off,
    Behind,
}

/// Visits of one step.
#[derive(Debug, Clone, Default)]
pub struct Visits {
    pub plain: u64,
    /// Those of even numbers carry something.
    pub keys: Vec<u8>,
    pub carrying: u64,
}

impl InRedis {
    fn waits(&self, times: u64) -> bool {
        self.top - self.through >= times * BACKLOG
    }

    /// Counts visits at a time; what is carried has its time and place as its path.
    pub fn count(&mut self, visits: &Visits, at: u64) -> Vec<Answer> {
        if !self.exists {
            (self.on, self.top, self.through) = (true, self.count, self.count);
        }
        let is_behind = self.gap == "behind" && self.top > self.through || self.waits(1);
        let refusal = match (self.on, is_behind) {
            (false, _) => Some(Answer::Off),
            (true, true) => Some(Answer::Behind),
            (true, false) => None,
        };
        // Numbers that are recorded are not given again.
        let start = self.count.max(self.top);
        let (mut last, mut paths, mut keys) = (start, BTreeMap::new(), Vec::new());
        let mut next = |path: Option<String>| {
            last += 1;
            paths.extend(path.map(|path| (last, path)));
            Answer::Counted(last)
        };
        let mut answers: Vec<_> = (0..visits.plain).map(|_| next(None)).collect();
        for key in &visits.keys {
            let path = carries(*key).then(|| path(at, &format!("key-{key}")));
            answers.push(match (self.keys.get(key), refusal) {
                (Some(number), _) => Answer::Replayed(*number),
                (None, Some(refusal)) if carries(*key) => refusal,
                _ => {
                    let answer = next(path);
                    let Answer::Counted(number) = answer else {
                        unreachable!("it is")
                    };
                    keys.push((*key, number));
                    answer
                }
            });
        }
        for place in 0..visits.carrying {
            let path = path(at, &place.to_string());
            answers.push(refusal.unwrap_or_else(|| next(Some(path))));
        }
        if last > start {
            self.count = last;
            self.exists = true;
            self.keys.extend(keys.iter().copied());
            if self.on {
                self.enter(at, start, paths, keys);
            }
        }
        answers
    }

    fn enter(&mut self, at: u64, start: u64, paths: BTreeMap<u64, String>, keys: Vec<(u8, u64)>) {
        if self.gap == "behind" && self.top > self.through {
            return;
        }
        if self.gap != "behind" && self.waits(2) {
            self.gap = "behind";
            return;
        }
        self.push(at, start, paths, keys);
        self.gap = "";
    }

    fn push(&mut self, at: u64, start: u64, paths: BTreeMap<u64, String>, keys: Vec<(u8, u64)>) {
        self.entries.push(Entry {
            at,
            before: self.top,
            start,
            last: self.count,
            reason: if self.gap.is_empty() {
                "older_version"
            } else {
                self.gap
            },
            paths,
            keys,
        });
        (self.top, self.at) = (self.count, at);
    }

    /// Says what was counted and is not in the stream, as a sweep does.
    pub fn settle(&mut self, at: u64) {
        let waits = self.gap == "behind" && self.top > self.through;
        if self.exists && self.on && self.count > self.top && !waits {
            self.push(at, self.count, BTreeMap::new(), Vec::new());
            self.gap = "";
        }
    }
}

pub fn carries(key: u8) -> bool {
    key.is_multiple_of(2)
}

pub fn path(at: u64, place: &str) -> String {
    format!("/{at}/{place}")
}

/// What the database has.
#[derive(Debug, Clone, Default)]
pub struct InDatabase {
    pub exists: bool,
    pub on: bool,
    pub version: u64,
    pub began: u64,
    pub through: u64,
    pub at: u64,
    /// Why nothing is recorded of a number; nothing if it is.
    pub numbers: BTreeMap<u64, &'static str>,
    pub paths: BTreeMap<u64, String>,
    pub keys: Vec<(u8, u64)>,
    /// The last number of visits that were kept aside, how many, and the paths of these.
    pub aside: Vec<(u64, u64, Vec<String>)>,
    pub asides: BTreeMap<(u64, u64), ()>,
}

impl InDatabase {
    /// One transaction, from what Redis had when it was asked.
    pub fn drain(&mut self, redis: &InRedis) {
        if !redis.exists {
            return;
        }
        if !self.exists {
            (self.exists, self.on) = (true, true);
            (self.began, self.through, self.at) = (redis.through, redis.through, redis.at);
        }
        let after = redis.through.min(self.through);
        let entries = redis.entries.iter().filter(|entry| entry.last > after);
        let entries: Vec<_> = entries.cloned().collect();
        let (known, at) = (self.through, self.at);
        for entry in &entries {
            let last = entry.last.min(known);
            let is_another = entry.at > at || entry.last > known;
            if last > entry.start
                && is_another
                && self.asides.insert((last, entry.at), ()).is_none()
            {
                let paths = entry.paths.range(..=last).map(|(_, path)| path.clone());
                self.aside.push((last, last - entry.start, paths.collect()));
            }
        }
        for entry in &entries {
            self.append(entry);
        }
        if entries.last().is_none_or(|entry| entry.last < redis.top) && redis.through < redis.top {
            self.skip(redis.top, "lost");
            self.at = self.at.max(redis.at);
        }
    }

    fn append(&mut self, entry: &Entry) {
        if entry.last <= self.through {
            return;
        }
        self.skip(entry.before, "lost");
        self.skip(entry.start, entry.reason);
        let new = self.through + 1;
        self.paths.extend(
            entry
                .paths
                .range(new..)
                .map(|(number, path)| (*number, path.clone())),
        );
        self.keys
            .extend(entry.keys.iter().filter(|(_, number)| *number >= new));
        self.skip(entry.last, "");
        self.at = self.at.max(entry.at);
    }

    fn skip(&mut self, last: u64, reason: &'static str) {
        self.numbers
            .extend((self.through + 1..=last).map(|number| (number, reason)));
        self.through = self.through.max(last);
    }

    /// Tells Redis what was recorded, where it was as `asked`; whether there is more to do.
    pub fn tell(&self, asked: &InRedis, redis: &mut InRedis) -> bool {
        if !asked.exists {
            return false;
        }
        if self.version > asked.version && self.version > redis.version {
            (redis.on, redis.version) = (self.on, self.version);
            if !self.on {
                redis.gap = "off";
            }
        }
        if self.through > asked.count || self.through > asked.top {
            redis.count = redis.count.max(self.through);
            if redis.top < self.through {
                (redis.top, redis.at) = (self.through, redis.at.max(self.at));
            }
            for (key, number) in &self.keys {
                if *number > asked.through {
                    redis.keys.entry(*key).or_insert(*number);
                }
            }
            return true;
        }
        if self.through > redis.through {
            redis.through = self.through;
            redis.entries.retain(|entry| entry.last > self.through);
        }
        false
    }
}
