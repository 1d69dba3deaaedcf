//! What was read of a stream, and what its entries say.

use crate::{
    counting::CounterId,
    json::Text,
    record::{Entry, Reason},
};

/// Fields of an entry and their values.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// An entry with the texts of what was read.
pub type Borrowed<'a> = Entry<Text<'a>>;

/// What was read of a stream.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The last number of each entry, and its fields, in the order of these numbers.
    pub read: Vec<(u64, Fields)>,
    /// The bytes that had ever been written when the last of them was.
    pub bytes: u64,
    /// Whether there may be more.
    pub more: bool,
}

impl Chunk {
    /// The entries, in the order of their numbers. One that cannot be read says that its visits are gone.
    pub fn entries(&self, counter: &CounterId) -> Vec<Borrowed<'_>> {
        let entries = self.read.iter().map(|(last, fields)| {
            parse(*last, fields).unwrap_or_else(|| {
                tracing::error!(%counter, last, "an entry of the record cannot be read; its visits are counted as lost");
                lost(*last)
            })
        });
        entries.collect()
    }
}

/// The number that a field has, if it is there and has one.
pub fn number(fields: &Fields, name: &str) -> Option<u64> {
    let mut fields = fields.iter();
    let (_, value) = fields.find(|(of, _)| of == name.as_bytes())?;
    text(value)?.parse().ok()
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// An entry of which nothing is known but its number.
fn lost<'a>(last: u64) -> Borrowed<'a> {
    Borrowed {
        last,
        before: last,
        ..Borrowed::default()
    }
}

/// What an entry says, as `count.lua` has written it.
fn parse(last: u64, fields: &Fields) -> Option<Borrowed<'_>> {
    let mut entry = Borrowed {
        last,
        carried: Vec::with_capacity(fields.len()),
        ..Borrowed::default()
    };
    let (mut before, mut identified) = (None, 0);
    for (name, value) in fields {
        let number = || text(value)?.parse::<u64>().ok();
        match &name[..] {
            b"n" => entry.visits = number()?,
            b"t" => entry.at = i64::try_from(number()?).ok()?,
            b"c" => drop(number()?),
            b"p" => before = Some(number()?),
            b"i" => identified = number()?,
            b"w" => entry.reason = Reason::from_text(text(value)?),
            b"r" => entry.requests = digests(value)?,
            b"k" => entry.keys = digests(value)?,
            offset => {
                let offset: u64 = text(offset)?.parse().ok()?;
                let stored = serde_json::from_str(text(value)?).ok()?;
                entry.carried.push((offset, stored));
            }
        }
    }
    let first = last.checked_sub(entry.visits)? + 1;
    entry.before = before.unwrap_or(first - 1);
    entry.identified = first + identified;
    for (number, _) in &mut entry.carried {
        if *number >= entry.visits {
            return None;
        }
        *number += first;
    }
    Some(entry)
}

fn digests(packed: &[u8]) -> Option<Vec<[u8; 16]>> {
    let (digests, rest) = packed.as_chunks::<16>();
    rest.is_empty().then(|| digests.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counting::{Company, carried::Stored};

    fn fields(all: &[(&str, &[u8])]) -> Fields {
        let all = all.iter();
        all.map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()))
            .collect()
    }

    fn entries(all: &[&[(&str, &[u8])]]) -> Vec<Entry<String>> {
        let read = (7..).zip(all.iter().map(|entry| fields(entry))).collect();
        let chunk = Chunk {
            read,
            ..Chunk::default()
        };
        let (company, name) = (Company::Default, "a".parse().unwrap());
        let entries = chunk.entries(&CounterId { company, name });
        entries.into_iter().map(owned).collect()
    }

    /// Borrowed texts say what they are by what they lead to.
    fn owned(entry: Borrowed<'_>) -> Entry<String> {
        let carried = entry.carried.iter().map(|(number, stored)| {
            let json = serde_json::to_string(stored).unwrap();
            (*number, serde_json::from_str(&json).unwrap())
        });
        Entry {
            carried: carried.collect(),
            last: entry.last,
            visits: entry.visits,
            at: entry.at,
            before: entry.before,
            reason: entry.reason,
            identified: entry.identified,
            requests: entry.requests,
            keys: entry.keys,
        }
    }

    const PLAIN: [(&str, &[u8]); 3] = [("n", b"3"), ("t", b"1000"), ("c", b"90")];

    fn with<'a>(more: &[(&'a str, &'a [u8])]) -> Vec<(&'a str, &'a [u8])> {
        [&PLAIN[..], more].concat()
    }

    #[test]
    fn an_entry_is_what_was_written() {
        let digests = [[1; 16], [2; 16]].concat();
        let all = with(&[
            ("p", b"2"),
            ("w", b"behind"),
            ("i", b"1"),
            ("r", &digests),
            ("k", &[]),
            ("0", br#"{"p":"/\u00e4\n","x":{"plan":"pro"},"new":1}"#),
            ("2", "{\"v\":\"#ä\",\"n\":\"DE\"}".as_bytes()),
        ]);
        let entry = &entries(&[&all])[0];
        let first: Stored<String> =
            serde_json::from_str(r#"{"p":"/ä\n","x":{"plan":"pro"}}"#).unwrap();
        let mut second = Stored::<String> {
            visitor: Some("#ä".into()),
            ..Stored::default()
        };
        second.attributes.country = Some("DE".into());
        let expected = Entry {
            last: 7,
            visits: 3,
            at: 1000,
            before: 2,
            reason: Some(Reason::Behind),
            carried: vec![(5, first), (7, second)],
            identified: 6,
            requests: vec![[1; 16], [2; 16]],
            keys: Vec::new(),
        };
        assert_eq!(*entry, expected);
    }

    #[test]
    fn what_cannot_be_read_is_lost_and_nothing_else() {
        for wrong in [
            &[("n", &b"many"[..])][..],
            &[("n", b"9")],
            &[("t", b"-1")],
            &[("c", b"")],
            &[("r", b"fifteen bytes..")],
            &[("3", b"{}")],
            &[("-1", b"{}")],
            &[("x", b"{}")],
            &[("0", b"")],
            &[("0", br#"{"p":1}"#)],
            &[("0", br#"{"p":"/"}}"#)],
            &[("0", br#"{"p":"\ud800"}"#)],
            &[("0", b"{\"p\":\"\xff\"}")],
            &[("1", b"{}"), ("0", br#"{"x":[]}"#)],
        ] {
            let read = entries(&[&PLAIN, &with(wrong), &PLAIN]);
            let numbers: Vec<_> = read
                .iter()
                .map(|entry| (entry.before, entry.last, entry.visits))
                .collect();
            assert_eq!(numbers, [(4, 7, 3), (8, 8, 0), (6, 9, 3)], "{wrong:?}");
            assert!(read.iter().all(|entry| entry.carried.is_empty()));
        }
    }
}
