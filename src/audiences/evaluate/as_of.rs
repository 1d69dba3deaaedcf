//! What an answer was given from, so that it can be given again: `as_of`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::{
    edge::{Code, Problem, query::invalid},
    record::times::{push, take},
};

/// Of the form below. Another one will begin with another byte.
const VERSION: u8 = 1;

/// The longest one, in bytes of its text: it is sent in the target of a request, of which 8 KiB are taken.
const MAX_BYTES: usize = 6000;

/// Everything an answer depends on that may change: the moment it was given, how far each counter was recorded,
/// and what each audience said. Only erasure and the end of a retention change the answer to the same one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AsOf {
    /// When, in Unix milliseconds. Every visit that counts was before.
    pub instant: i64,
    /// Up to which number visits count, by the ids of recordings. Of others none does.
    pub numbers: BTreeMap<i64, u64>,
    /// Of which of them visitors were told apart for a day only.
    pub daily: BTreeSet<i64>,
    /// The hashes of the filters of audiences, by their ids.
    pub filters: BTreeMap<Uuid, Hash>,
}

/// The SHA-256 of a canonical filter.
pub type Hash = [u8; 32];

/// Bytes of an id.
const ID: usize = 16;

impl AsOf {
    /// Reads the text of one.
    ///
    /// # Errors
    ///
    /// `invalid_query` if it is none.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let read = bytes.and_then(|bytes| Self::unpack(&bytes));
        // There is one way to write it.
        read.filter(|read| read.to_string() == text)
            .ok_or_else(|| invalid("as_of must be the one of an earlier answer, as it was given."))
    }

    /// That it can be sent again.
    ///
    /// # Errors
    ///
    /// `too_many_counters` if it is too long for that.
    pub(super) fn check_length(&self) -> Result<(), Problem> {
        match self.to_string().len() <= MAX_BYTES {
            true => Ok(()),
            false => Err(Code::TooManyCounters.into()),
        }
    }

    /// Up to which number visits of a recording count.
    pub(super) fn number(&self, recording: i64) -> u64 {
        self.numbers.get(&recording).copied().unwrap_or(0)
    }

    fn pack(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        push(&mut bytes, self.instant.unsigned_abs());
        push(&mut bytes, self.numbers.len() as u64);
        let mut before = 0;
        for (id, number) in &self.numbers {
            push(&mut bytes, id.abs_diff(before));
            // Numbers have 63 bits.
            push(&mut bytes, number << 1 | u64::from(self.daily.contains(id)));
            before = *id;
        }
        for (id, hash) in &self.filters {
            bytes.extend(id.as_bytes());
            bytes.extend(hash);
        }
        bytes
    }

    fn unpack(bytes: &[u8]) -> Option<Self> {
        let (version, mut rest) = bytes.split_first()?;
        if *version != VERSION {
            return None;
        }
        let mut read = Self {
            instant: signed(take(&mut rest)?)?,
            ..Self::default()
        };
        let mut id = 0_i64;
        for _ in 0..take(&mut rest)? {
            id = id.checked_add(signed(take(&mut rest)?)?)?;
            let number = take(&mut rest)?;
            read.numbers.insert(id, number >> 1);
            if number & 1 == 1 {
                read.daily.insert(id);
            }
        }
        let filters = rest.chunks_exact(ID + size_of::<Hash>());
        if !filters.remainder().is_empty() {
            return None;
        }
        for filter in filters {
            let (id, hash) = filter.split_at(ID);
            let id = Uuid::from_slice(id).ok()?;
            read.filters.insert(id, hash.try_into().ok()?);
        }
        Some(read)
    }
}

/// Both databases keep signed numbers.
fn signed(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}

/// The bytes of a hash that is written in hexadecimal.
pub(super) fn hash(hex: &str) -> Option<Hash> {
    let mut bytes = Hash::default();
    if hex.len() != 2 * bytes.len() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        let digits = hex.get(2 * place..2 * place + 2)?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Display for AsOf {
    /// The text to send again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.pack()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::verify;

    fn some() -> impl Strategy<Value = AsOf> {
        let id = prop_oneof![1..200_i64, 1..i64::MAX];
        let number = prop_oneof![0..300_u64, 0..i64::MAX.unsigned_abs()];
        let filter = (any::<u128>().prop_map(Uuid::from_u128), any::<Hash>());
        (
            0..1_i64 << 45,
            prop::collection::btree_map(id, number, 0..20),
            prop::collection::btree_map(filter.0, filter.1, 0..4),
        )
            .prop_map(|(instant, numbers, filters)| AsOf {
                instant,
                daily: numbers.keys().copied().filter(|id| id % 3 == 0).collect(),
                numbers,
                filters,
            })
    }

    proptest! {
        #[test]
        fn what_is_sent_again_is_what_was_given(as_of in some()) {
            for of in as_of.filters.values() {
                prop_assert_eq!(hash(&verify::hex(of)), Some(*of));
            }
            prop_assert_eq!(AsOf::parse(&as_of.to_string()).unwrap(), as_of);
        }

        /// A text that is read is the only one that says the same.
        #[test]
        fn nonsense_is_refused(as_of in some(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(as_of.to_string()).unwrap();
            *place.get_mut(&mut bytes) = byte;
            let text = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
            if let Ok(read) = AsOf::parse(&text) {
                prop_assert_eq!(read.to_string(), text);
            }
            let cut = as_of.to_string();
            let cut = &cut[..place.index(cut.len())];
            if let Ok(read) = AsOf::parse(cut) {
                prop_assert!(read != as_of);
            }
        }
    }

    #[test]
    fn only_texts_that_were_given_are_read() {
        let good = AsOf::default().to_string();
        assert_eq!(good, "AQAA");
        for text in [
            "",
            "A",
            "AQ",
            "AgAA",
            "AQAA=",
            "AQAAAA",
            "AYAAAA",
            "AQAB",
            " AQAA",
            "AQAB\u{e4}",
        ] {
            let problem = AsOf::parse(text).unwrap_err();
            assert_eq!(problem.code, Code::InvalidQuery, "{text}");
        }
    }

    #[test]
    fn one_that_is_too_long_to_be_sent_is_refused() {
        let of = |counters| AsOf {
            instant: 1 << 41,
            numbers: (1..=counters).map(|id| (id, 1 << 19)).collect(),
            ..AsOf::default()
        };
        assert!(of(1000).check_length().is_ok());
        let problem = of(2000).check_length().unwrap_err();
        assert_eq!(problem.code, Code::TooManyCounters);
    }
}
