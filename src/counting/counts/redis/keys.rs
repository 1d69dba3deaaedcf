//! The keys of counters.
//!
//! Those of one counter are all in one Cluster slot: `COUNTER`, its text, is their hash tag. That is
//! `NAME` in the company `default`, and `COMPANY/NAME` in any other.
//!
//! | key | type | holds |
//! | --- | --- | --- |
//! | `footfall:{COUNTER}:count` | string | the number of its last visit |
//! | `footfall:{COUNTER}:requests`, `…:requests:previous` | hash | identities from proxies and their numbers |
//! | `footfall:{COUNTER}:keys`, `…:keys:previous` | hash | `Idempotency-Key`s and their numbers |
//! | `footfall:{COUNTER}:record` | hash | whether and how visits are recorded, and up to which number |
//! | `footfall:{COUNTER}:visits` | stream | batches of visits that are not in the database yet |
//! | `footfall:counters` | sorted set | the names of all counters of `default` |
//! | `footfall:counters:COMPANY` | sorted set | the names of all counters of another company |
//! | `footfall:companies` | sorted set | the companies that have such a set |
//!
//! A name is put into its set before its first visit is counted, and a company into its set before
//! that, so that no counted visit is ever missing from them. All members have score 0, and so are
//! in the order of their bytes.

use std::borrow::Cow;

use crate::counting::{Company, CounterId};

/// The companies other than `default` that have counters.
pub const COMPANIES: &str = "footfall:companies";

/// The index of the counters of `default`.
const INDEX: &str = "footfall:counters";

/// Where the counters of a company are listed.
pub fn index(company: Company) -> Cow<'static, str> {
    match company {
        Company::Default => INDEX.into(),
        Company::Id(_) => format!("{INDEX}:{company}").into(),
    }
}

/// The names of the keys of one counter.
pub struct Keys {
    name: String,
    /// How much of `name` is the same in all of them.
    prefix: usize,
}

impl Keys {
    /// Those of this counter.
    pub fn of(counter: &CounterId) -> Self {
        const BEFORE: &str = "footfall:{";
        const BEHIND: &str = "}:";
        let counter = counter.text();
        let prefix = BEFORE.len() + counter.len() + BEHIND.len();
        let mut name = String::with_capacity(prefix + Self::SETS[1].len());
        name.extend([BEFORE, &counter, BEHIND]);
        Self { name, prefix }
    }

    /// The sets of identities: for each kind the one in use and the one before it, as the script
    /// wants them.
    pub const SETS: [&str; 4] = ["requests", "requests:previous", "keys", "keys:previous"];

    /// The count.
    pub fn count(&mut self) -> &str {
        self.named("count")
    }

    /// The state of the record and its stream, as the script wants them.
    pub const RECORD: [&str; 2] = ["record", "visits"];

    /// One of [`Self::SETS`] or [`Self::RECORD`].
    pub fn named(&mut self, suffix: &str) -> &str {
        self.name.truncate(self.prefix);
        self.name.push_str(suffix);
        &self.name
    }
}

/// The keys of a counter that the record of its visits needs.
pub struct RecordKeys {
    /// The count.
    pub count: String,
    /// The state of the record.
    pub state: String,
    /// The stream.
    pub stream: String,
    /// The sets of identities in use: of requests, of keys.
    pub identities: [String; 2],
}

impl RecordKeys {
    /// Those of this counter.
    pub fn of(counter: &CounterId) -> Self {
        let mut keys = Keys::of(counter);
        let [requests, _, known_keys, _] = Keys::SETS;
        let [state, stream] = Keys::RECORD;
        Self {
            count: keys.count().to_owned(),
            state: keys.named(state).to_owned(),
            stream: keys.named(stream).to_owned(),
            identities: [requests, known_keys].map(|set| keys.named(set).to_owned()),
        }
    }
}

/// Where the count of a counter is.
pub fn count(counter: &CounterId) -> String {
    let mut keys = Keys::of(counter);
    keys.count();
    keys.name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(company: Company) -> Vec<String> {
        let name = "a.b-c".parse().unwrap();
        let counter = CounterId { company, name };
        let mut keys = Keys::of(&counter);
        let count = keys.count().to_owned();
        assert_eq!(count, super::count(&counter));
        let sets = Keys::SETS.map(|set| keys.named(set).to_owned());
        let record = Keys::RECORD.map(|key| keys.named(key).to_owned());
        let index = index(company).into_owned();
        [&[count], &sets[..], &record, &[index]].concat()
    }

    /// What is stored, and what older versions of Footfall look for, must not change.
    #[test]
    fn those_of_the_company_default_name_no_company() {
        assert_eq!(
            keys(Company::Default),
            [
                "footfall:{a.b-c}:count",
                "footfall:{a.b-c}:requests",
                "footfall:{a.b-c}:requests:previous",
                "footfall:{a.b-c}:keys",
                "footfall:{a.b-c}:keys:previous",
                "footfall:{a.b-c}:record",
                "footfall:{a.b-c}:visits",
                "footfall:counters",
            ]
        );
    }

    #[test]
    fn those_of_another_company_name_it() {
        let id = "0192d4a5-7b1c-7def-8a90-0123456789ab";
        assert_eq!(
            keys(Company::Id(id.parse().unwrap())),
            [
                format!("footfall:{{{id}/a.b-c}}:count"),
                format!("footfall:{{{id}/a.b-c}}:requests"),
                format!("footfall:{{{id}/a.b-c}}:requests:previous"),
                format!("footfall:{{{id}/a.b-c}}:keys"),
                format!("footfall:{{{id}/a.b-c}}:keys:previous"),
                format!("footfall:{{{id}/a.b-c}}:record"),
                format!("footfall:{{{id}/a.b-c}}:visits"),
                format!("footfall:counters:{id}"),
            ]
        );
    }
}
