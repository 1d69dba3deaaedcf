//! The script that counts a batch: how it is called, and what its answer means.
//!
//! It is told only how many visits have no identity, and the identities of the others: what a
//! script costs is what it is sent.

use std::{sync::LazyLock, time::Duration};

use redis::{Cmd, Script};

use super::{keys::Keys, room::Closed};
use crate::{
    auth::revocation::EPOCH_KEY,
    counting::{
        Batch, Counted, NotCounted, Outcome, Visit, carried::VisitorMode, counts::Memory,
        identity::IdentityKind,
    },
    storage::StoreError,
};

/// The script that counts a batch.
pub const SCRIPT: &str = include_str!("count.lua");

static SCRIPT_SHA1: LazyLock<String> = LazyLock::new(|| Script::new(SCRIPT).get_hash().to_owned());

/// What the script answers for a counter that is not in the index yet.
pub const UNLISTED: i64 = -1;

/// In the order in which the script wants and gives them.
const KINDS: [IdentityKind; 2] = [IdentityKind::Request, IdentityKind::Key];

/// What the script answers where more was revoked than is known.
pub const OUTDATED: i64 = -2;

/// What the script answers, with what is right, where visitors are stored otherwise.
pub const OTHER_MODE: i64 = -3;

/// What the script answers for a visit that carries something, where nothing is recorded.
const RECORDING_OFF: i64 = -9_007_199_254_740_991;

/// The same, where too much waits to be recorded.
const RECORDING_BEHIND: i64 = -9_007_199_254_740_990;

/// Bytes of a counter's stream that may wait to be recorded, before visits that carry something are
/// refused: a quarter of the `maxmemory` that is shipped.
const MOST_BYTES: u64 = 256 << 20;

/// Arguments of a call, without the epoch of what was revoked and what visits carry.
const ARGUMENTS: usize = 23;

/// Bytes of a call beside keys and identities.
const CALL_BYTES: usize = 128;

/// Has Redis remember the script.
pub fn load() -> Cmd {
    redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).take()
}

/// A call of the script.
pub struct Call<'a> {
    /// What is to be counted.
    pub batch: &'a Batch,
    /// Whether its counter is in the index.
    pub listed: bool,
    /// Whether replicas are waited for.
    pub waits: bool,
    /// What may be remembered.
    pub memory: &'a Memory,
    /// What may not be, since the server is too full.
    pub closed: Closed,
    /// Where visits carry something: what is stored of each of them.
    pub carried: Option<Carried>,
}

/// What is stored of the visits of a batch.
pub struct Carried {
    /// How visitors are stored in it.
    pub mode: VisitorMode,
    /// For each visit its JSON, if it carries something.
    pub visits: Vec<Option<String>>,
}

impl Call<'_> {
    /// As it is sent.
    pub fn command(&self) -> Cmd {
        let mut packed = KINDS.map(|_| Vec::new());
        let mut anonymous = 0_u64;
        for visit in &self.batch.visits {
            match &visit.identity {
                None => anonymous += u64::from(visit.carried.is_none()),
                Some(identity) => {
                    packed[identity.kind as usize].extend_from_slice(&identity.digest);
                }
            }
        }
        let mut keys = Keys::of(&self.batch.counter);
        let bytes = packed.iter().map(Vec::len).sum::<usize>() + CALL_BYTES;
        let longest = keys.named(Keys::SETS[1]).len();
        let known = self.batch.known.as_ref();
        let keys_sent = 1 + Keys::SETS.len() + Keys::RECORD.len() + usize::from(known.is_some());
        let carried = self.carried.as_ref();
        let most = carried.map_or(0, |carried| 3 + 2 * carried.visits.len());
        let mut call = Cmd::with_capacity(ARGUMENTS + 2 + most, bytes + keys_sent * longest);
        call.arg("EVALSHA")
            .arg(SCRIPT_SHA1.as_str())
            .arg(keys_sent)
            .arg(keys.count());
        for key in Keys::SETS.into_iter().chain(Keys::RECORD) {
            call.arg(keys.named(key));
        }
        if known.is_some() {
            call.arg(EPOCH_KEY);
        }
        call.arg(anonymous)
            .arg(u8::from(self.listed))
            .arg(u8::from(self.waits));
        for (kind, packed) in KINDS.into_iter().zip(&packed) {
            let limit = match self.closed.to(kind) {
                None => self.memory.identities,
                Some(_) => 0,
            };
            call.arg(self.memory.window(kind).as_millis() as u64)
                .arg(limit)
                .arg(packed.as_slice());
        }
        call.arg(u8::from(self.memory.records))
            .arg(self.memory.backlog)
            .arg(MOST_BYTES)
            .arg(self.closed.record as u8);
        match (known, carried) {
            (Some(known), _) => call.arg(&*known.epoch),
            (None, Some(_)) => call.arg(""),
            (None, None) => &mut call,
        };
        if let Some(carried) = carried {
            self.add_carried(&mut call, carried);
        }
        call
    }

    /// What visits carry, by where the script has each of them.
    fn add_carried(&self, call: &mut Cmd, carried: &Carried) {
        call.arg(carried.mode.code());
        let visits = || self.batch.visits.iter().zip(&carried.visits);
        for kind in KINDS {
            let of_kind = visits()
                .filter(|(visit, _)| visit.identity.is_some_and(|identity| identity.kind == kind));
            let of_kind = of_kind.map(|(_, stored)| stored);
            let with: Vec<_> = (1_u64..)
                .zip(of_kind)
                .filter_map(|(position, stored)| Some((position, stored.as_ref()?)))
                .collect();
            call.arg(with.len());
            for (position, stored) in with {
                call.arg(position).arg(stored);
            }
        }
        for (visit, stored) in visits() {
            if let (None, Some(stored)) = (&visit.identity, stored) {
                call.arg(stored);
            }
        }
    }
}

/// Brings the script's answer, which is sorted by kind, into the order of the batch.
///
/// # Errors
///
/// If there are not as many numbers as there must be.
pub fn interpret(
    batch: &Batch,
    numbers: &[i64],
    closed: Closed,
) -> Result<Vec<Outcome>, StoreError> {
    let wrong = || {
        StoreError::Failed(format!(
            "the counting script gave {} numbers",
            numbers.len()
        ))
    };
    let (first, rest) = numbers.split_first().ok_or_else(wrong)?;
    let of_kind = |kind| {
        let identities = batch.identities();
        identities.filter(|identity| identity.kind == kind).count()
    };
    let of_kinds = KINDS.map(of_kind);
    let (requests, rest) = rest.split_at_checked(of_kinds[0]).ok_or_else(wrong)?;
    let (keys, rest) = rest.split_at_checked(of_kinds[1]).ok_or_else(wrong)?;
    let bare = batch.visits.iter().filter(|visit| is_bare(visit)).count();
    let (bare, waits) = rest.split_at_checked(bare).ok_or_else(wrong)?;
    let waits = match waits {
        [] => [0; 2],
        [requests, keys] => [*requests, *keys],
        _ => return Err(wrong()),
    };
    let mut anonymous = first.unsigned_abs()..;
    let mut identified = [requests.iter(), keys.iter()];
    let mut bare = bare.iter();
    let outcomes = batch.visits.iter().map(|visit| {
        let Some(identity) = &visit.identity else {
            let number = match is_bare(visit) {
                true => *bare.next()?,
                false => i64::try_from(anonymous.next()?).ok()?,
            };
            return Some(recorded(number));
        };
        let kind = identity.kind as usize;
        match *identified[kind].next()? {
            0 => {
                // Of the counter's own sets one may not even exist.
                let wait = Duration::from_millis(waits[kind].max(0).unsigned_abs());
                let room_in = closed.to(identity.kind).unwrap_or(wait);
                Some(Err(NotCounted::IdentitiesFull(room_in)))
            }
            number => Some(recorded(number)),
        }
    });
    outcomes.collect::<Option<_>>().ok_or_else(wrong)
}

/// Whether a visit has no identity and carries something.
fn is_bare(visit: &Visit) -> bool {
    visit.identity.is_none() && visit.carried.is_some()
}

/// What a number other than 0 says.
fn recorded(number: i64) -> Outcome {
    match number {
        RECORDING_OFF => Err(NotCounted::RecordingOff),
        RECORDING_BEHIND => Err(NotCounted::RecordingBehind),
        number => Ok(Counted {
            number: number.unsigned_abs(),
            replayed: number < 0,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::revocation::Known,
        counting::{Company, CounterId, Identity},
    };

    /// A visit without identity, or with one of a kind.
    fn batch(kinds: &[Option<IdentityKind>]) -> Batch {
        let name = "a".parse().unwrap();
        let company = Company::Default;
        let identity = |(number, kind): (usize, &Option<IdentityKind>)| Visit {
            identity: kind.map(|kind| Identity::new(kind, "", &[number as u8])),
            ..Visit::default()
        };
        Batch {
            visits: kinds.iter().enumerate().map(identity).collect(),
            ..Batch::new(CounterId { company, name })
        }
    }

    const NONE: Option<IdentityKind> = None;
    const REQUEST: Option<IdentityKind> = Some(IdentityKind::Request);
    const KEY: Option<IdentityKind> = Some(IdentityKind::Key);

    #[test]
    fn numbers_are_brought_into_the_order_of_the_visits() {
        let counted = |number, replayed| Ok(Counted { number, replayed });
        let full = |millis| {
            let room_in = Duration::from_millis(millis);
            Err(NotCounted::IdentitiesFull(room_in))
        };
        let all = [KEY, NONE, REQUEST, KEY, NONE, REQUEST];
        for (kinds, numbers, outcomes) in [
            (&[NONE][..], &[7][..], vec![counted(7, false)]),
            (
                &[NONE, NONE],
                &[7],
                vec![counted(7, false), counted(8, false)],
            ),
            (&[KEY], &[0, -3], vec![counted(3, true)]),
            (
                &all,
                // The first without identity, requests, keys, the waits of both.
                &[4, 6, -1, 0, 7, 50, 60],
                vec![
                    full(60),
                    counted(4, false),
                    counted(6, false),
                    counted(7, false),
                    counted(5, false),
                    counted(1, true),
                ],
            ),
        ] {
            let found = interpret(&batch(kinds), numbers, Closed::default());
            assert_eq!(found.unwrap(), outcomes, "{kinds:?}");
        }
    }

    #[test]
    fn an_answer_of_another_length_is_none() {
        let batch = batch(&[KEY, NONE, REQUEST]);
        for numbers in [&[][..], &[1], &[1, 2], &[1, 2, 3, 4], &[1, 2, 3, 4, 5, 6]] {
            let found = interpret(&batch, numbers, Closed::default());
            let failed = matches!(found, Err(StoreError::Failed(_)));
            assert!(failed, "{numbers:?}: {found:?}");
        }
    }

    #[test]
    fn a_call_is_as_the_script_wants_it() {
        let batch = batch(&[KEY, NONE, REQUEST, KEY, NONE]);
        let memory = Memory {
            requests: Duration::from_secs(60),
            keys: Duration::from_hours(24),
            identities: 100,
            counters: 1,
            records: true,
            backlog: 1000,
        };
        let call = Call {
            batch: &batch,
            listed: true,
            waits: false,
            memory: &memory,
            closed: Closed::default(),
            carried: None,
        };
        let command = call.command();
        let arguments = arguments(&command);
        assert_eq!(arguments.len(), ARGUMENTS);
        let text = |position: usize| std::str::from_utf8(arguments[position]).unwrap();
        assert_eq!(
            (text(0), text(2), text(3)),
            ("EVALSHA", "7", "footfall:{a}:count")
        );
        assert_eq!(text(7), "footfall:{a}:keys:previous");
        assert_eq!(text(9), "footfall:{a}:visits");
        assert_eq!([text(10), text(11), text(12)], ["2", "1", "0"]);
        assert_eq!([text(13), text(14)], ["60000", "100"]);
        let digests = |kind| {
            let of_kind = batch
                .identities()
                .filter(move |identity| identity.kind == kind);
            of_kind
                .flat_map(|identity| identity.digest)
                .collect::<Vec<_>>()
        };
        assert_eq!(arguments[15], digests(IdentityKind::Request));
        assert_eq!(arguments[18], digests(IdentityKind::Key));
    }

    fn arguments(command: &Cmd) -> Vec<&[u8]> {
        let arguments = command.args_iter().map(|argument| match argument {
            redis::Arg::Simple(bytes) => bytes,
            _ => panic!("there is no cursor"),
        });
        arguments.collect()
    }

    /// The script finds all else where it is without an epoch.
    #[test]
    fn an_epoch_is_the_last_key_and_the_last_argument() {
        let mut batch = batch(&[KEY, NONE]);
        let memory = Memory {
            requests: Duration::from_secs(60),
            keys: Duration::from_hours(24),
            identities: 100,
            counters: 1,
            records: true,
            backlog: 1000,
        };
        let command = |batch: &Batch| {
            let call = Call {
                batch,
                listed: true,
                waits: false,
                memory: &memory,
                closed: Closed::default(),
                carried: None,
            };
            call.command()
        };
        let without = command(&batch);
        batch.known = Some(Known {
            epoch: "7".into(),
            whole_at: None,
            from: None,
        });
        let with = command(&batch);
        let mut expected = arguments(&without);
        expected[2] = b"8";
        expected.insert(10, EPOCH_KEY.as_bytes());
        expected.push(b"7");
        assert_eq!(arguments(&with), expected);
    }
}
