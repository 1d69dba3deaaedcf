//! An entry as it is stored, and what its hash is made of.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Begins what is hashed. Another encoding gets another number.
const VERSION: &[u8; 16] = b"footfall audit 1";

/// A hash, as the chain is made of.
pub type Hash = [u8; 32];

/// What stands for the hash before the first entry of a chain.
pub const NOTHING: Hash = [0; 32];

/// A row of `audit_entries`. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Whose chain it is in.
    pub company_id: Uuid,
    /// Its place there: 1, 2, 3, … without a gap.
    pub seq: i64,
    /// Its own id.
    pub id: Uuid,
    /// When it was written, by the database's clock.
    pub recorded_at: i64,
    /// How many equal things it stands for.
    pub events: i64,
    /// When the first of them happened.
    pub first_at: i64,
    /// When the last of them happened.
    pub last_at: i64,
    /// The kind of who did it.
    pub actor: String,
    /// Who did it.
    pub actor_id: Option<Uuid>,
    /// What was done.
    pub action: String,
    /// The kind of what it was done to.
    pub object: Option<String>,
    /// What it was done to.
    pub object_id: Option<String>,
    /// How it ended.
    pub outcome: String,
    /// The request it came with.
    pub request_id: Option<String>,
    /// JSON.
    pub details: String,
    /// The hash of all this and of the hash before.
    pub hash: Vec<u8>,
}

impl Row {
    /// What its hash is, after this one.
    ///
    /// Hashed are, one after the other: the 16 bytes `footfall audit 1`; the 32 bytes of the hash
    /// before; then the fields in the order of the struct, without `hash`. A UUID is its 16 bytes
    /// and a number 8, the highest first. A text is the number of its bytes in UTF-8, as 4 bytes,
    /// the highest first, and these. What may be absent begins with a byte, 1 if it is there, and
    /// is nothing else if that is 0. So no two rows are the same bytes.
    pub fn hash_after(&self, before: &[u8]) -> Hash {
        Sha256::digest(self.encoded_after(before)).into()
    }

    fn encoded_after(&self, before: &[u8]) -> Vec<u8> {
        let mut bytes = [VERSION, before].concat();
        bytes.extend(self.company_id.as_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        for number in [self.recorded_at, self.events, self.first_at, self.last_at] {
            bytes.extend(number.to_be_bytes());
        }
        text(&mut bytes, &self.actor);
        optional(&mut bytes, self.actor_id.as_ref(), |bytes, id| {
            bytes.extend(id.as_bytes());
        });
        text(&mut bytes, &self.action);
        optional(&mut bytes, self.object.as_deref(), text);
        optional(&mut bytes, self.object_id.as_deref(), text);
        text(&mut bytes, &self.outcome);
        optional(&mut bytes, self.request_id.as_deref(), text);
        text(&mut bytes, &self.details);
        bytes
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    bytes.extend(length.to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn optional<T: ?Sized>(
    bytes: &mut Vec<u8>,
    value: Option<&T>,
    encode: impl FnOnce(&mut Vec<u8>, &T),
) {
    bytes.push(u8::from(value.is_some()));
    if let Some(value) = value {
        encode(bytes, value);
    }
}

/// The columns of a [`Row`], in the order of [`row!`].
pub const COLUMNS: &str = "company_id, seq, id, recorded_at, events, first_at, last_at, actor, actor_id, action, object, object_id, outcome, request_id, details, hash";

/// A [`Row`] of what either database has given, with [`COLUMNS`].
macro_rules! row {
    ($row:expr) => {{
        use sqlx::Row as _;
        let row = $row;
        $crate::audit::row::Row {
            company_id: row.try_get("company_id")?,
            seq: row.try_get("seq")?,
            id: row.try_get("id")?,
            recorded_at: row.try_get("recorded_at")?,
            events: row.try_get("events")?,
            first_at: row.try_get("first_at")?,
            last_at: row.try_get("last_at")?,
            actor: row.try_get("actor")?,
            actor_id: row.try_get("actor_id")?,
            action: row.try_get("action")?,
            object: row.try_get("object")?,
            object_id: row.try_get("object_id")?,
            outcome: row.try_get("outcome")?,
            request_id: row.try_get("request_id")?,
            details: row.try_get("details")?,
            hash: row.try_get("hash")?,
        }
    }};
}
pub(super) use row;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few values of each field, so that rows differ in few of them, and texts of the bytes that
    /// the encoding itself is made of.
    fn rows() -> impl Strategy<Value = Row> {
        let text = || prop::collection::vec(prop_oneof!["\0", "\u{1}", "a", "é"], 0..4);
        let text = move || text().prop_map(|letters| letters.concat());
        let optional = move || prop::option::of(text());
        let number = || prop_oneof![Just(0_i64), Just(1), Just(256), Just(-1)];
        let id = || prop_oneof![Just(Uuid::nil()), Just(Uuid::from_u128(1))];
        let numbers = (number(), number(), number(), number(), number());
        let ids = (id(), id(), prop::option::of(id()));
        let texts = (text(), text(), text(), text());
        let optionals = (optional(), optional(), optional());
        (numbers, ids, texts, optionals).prop_map(|(numbers, ids, texts, optionals)| Row {
            company_id: ids.0,
            seq: numbers.0,
            id: ids.1,
            recorded_at: numbers.1,
            events: numbers.2,
            first_at: numbers.3,
            last_at: numbers.4,
            actor: texts.0,
            actor_id: ids.2,
            action: texts.1,
            object: optionals.0,
            object_id: optionals.1,
            outcome: texts.2,
            request_id: optionals.2,
            details: texts.3,
            hash: Vec::new(),
        })
    }

    /// What one letter of one text is moved to its neighbour, and every other small change.
    fn neighbours(row: &Row) -> Vec<Row> {
        let mut all = Vec::new();
        let mut with = |change: &dyn Fn(&mut Row)| {
            let mut other = row.clone();
            change(&mut other);
            all.push(other);
        };
        with(&|row| row.company_id = Uuid::from_u128(row.company_id.as_u128() ^ 1));
        with(&|row| row.id = Uuid::from_u128(row.id.as_u128() ^ 1));
        with(&|row| std::mem::swap(&mut row.company_id, &mut row.id));
        with(&|row| row.seq ^= 1);
        with(&|row| row.recorded_at ^= 1);
        with(&|row| row.events ^= 1);
        with(&|row| row.first_at ^= 1);
        with(&|row| row.last_at ^= 1);
        with(&|row| std::mem::swap(&mut row.first_at, &mut row.last_at));
        with(&|row| row.actor_id = Some(row.actor_id.map_or(Uuid::nil(), |_| Uuid::max())));
        with(&|row| row.actor_id = None);
        with(&|row| std::mem::swap(&mut row.object, &mut row.object_id));
        with(&|row| std::mem::swap(&mut row.object_id, &mut row.request_id));
        with(&|row| row.object = None);
        with(&|row| row.object = Some(String::new()));
        with(&|row| row.object.get_or_insert_default().push('\0'));
        with(&|row| row.object_id = None);
        with(&|row| row.object_id = Some(String::new()));
        with(&|row| row.request_id = None);
        with(&|row| row.request_id = Some(String::new()));
        let moved = |from: &mut String, to: &mut String| {
            if let Some(letter) = from.pop() {
                to.insert(0, letter);
            }
        };
        with(&|row| moved(&mut row.actor, &mut row.action));
        with(&|row| moved(&mut row.action, &mut row.outcome));
        with(&|row| moved(&mut row.outcome, &mut row.details));
        with(&|row| row.details.push('\0'));
        all.retain(|other| other != row);
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_two_rows_are_the_same_bytes(one in rows(), other in rows()) {
            let bytes = one.encoded_after(&NOTHING);
            prop_assert_eq!(one == other, bytes == other.encoded_after(&NOTHING));
            for other in neighbours(&one) {
                prop_assert_ne!(&bytes, &other.encoded_after(&NOTHING), "{:?}", other);
            }
        }

        /// The bytes can be read back, so nothing that is in the row is missing in them.
        #[test]
        fn the_bytes_have_all_of_the_row(row in rows(), before in any::<Hash>()) {
            let bytes = row.encoded_after(&before);
            let mut reader = Reader(bytes.as_slice());
            prop_assert_eq!(reader.take(16), VERSION);
            prop_assert_eq!(reader.take(32), &before);
            let read = Row {
                company_id: reader.id(),
                seq: reader.number(),
                id: reader.id(),
                recorded_at: reader.number(),
                events: reader.number(),
                first_at: reader.number(),
                last_at: reader.number(),
                actor: reader.text(),
                actor_id: reader.is_there().then(|| reader.id()),
                action: reader.text(),
                object: reader.is_there().then(|| reader.text()),
                object_id: reader.is_there().then(|| reader.text()),
                outcome: reader.text(),
                request_id: reader.is_there().then(|| reader.text()),
                details: reader.text(),
                hash: Vec::new(),
            };
            prop_assert_eq!(read, row);
            prop_assert!(reader.0.is_empty());
        }
    }

    struct Reader<'a>(&'a [u8]);

    impl<'a> Reader<'a> {
        fn take(&mut self, length: usize) -> &'a [u8] {
            let (taken, rest) = self.0.split_at(length);
            self.0 = rest;
            taken
        }

        fn id(&mut self) -> Uuid {
            Uuid::from_slice(self.take(16)).unwrap()
        }

        fn number(&mut self) -> i64 {
            i64::from_be_bytes(self.take(8).try_into().unwrap())
        }

        fn is_there(&mut self) -> bool {
            self.take(1) == [1]
        }

        fn text(&mut self) -> String {
            let length = u32::from_be_bytes(self.take(4).try_into().unwrap());
            String::from_utf8(self.take(length as usize).to_vec()).unwrap()
        }
    }

    /// What is stored for years must be hashed as it was: this hash was made by other means.
    #[test]
    fn the_encoding_stays() {
        let row = Row {
            company_id: crate::company::DEFAULT_ID,
            seq: 1,
            id: Uuid::from_u128(7),
            recorded_at: 1_764_118_800_000,
            events: 2,
            first_at: 1_764_118_790_000,
            last_at: 1_764_118_799_000,
            actor: "anonymous".into(),
            actor_id: None,
            action: "session.login".into(),
            object: Some("user".into()),
            object_id: Some("ünï".into()),
            outcome: "failure".into(),
            request_id: None,
            details: r#"{"reason":"invalid_credentials"}"#.into(),
            hash: Vec::new(),
        };
        let hash: String = row
            .hash_after(&NOTHING)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hash,
            "fe0a855bbfeff013c941a4d870f970d2697739a84d02a95a725eb2d219ce179e"
        );
    }
}
