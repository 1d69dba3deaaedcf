//! The script that counts a batch: how it is called, and what its answer means.
//!
//! It is told only how many visits have no identity, and the identities of the others: what a
//! script costs is what it is sent.

use std::{sync::LazyLock, time::Duration};

use redis::{Cmd, Script};

use super::{keys::Keys, room::Closed};
use crate::{
    counting::{Batch, Counted, NotCounted, Outcome, counts::Memory, identity::IdentityKind},
    storage::StoreError,
};

/// The script that counts a batch.
pub const SCRIPT: &str = include_str!("count.lua");

static SCRIPT_SHA1: LazyLock<String> = LazyLock::new(|| Script::new(SCRIPT).get_hash().to_owned());

/// What the script answers for a counter that is not in the index yet.
pub const UNLISTED: i64 = -1;

/// In the order in which the script wants and gives them.
const KINDS: [IdentityKind; 2] = [IdentityKind::Request, IdentityKind::Key];

/// Arguments of a call.
const ARGUMENTS: usize = 17;

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
}

impl Call<'_> {
    /// As it is sent.
    pub fn command(&self) -> Cmd {
        let mut packed = KINDS.map(|_| Vec::new());
        let mut anonymous = 0_u64;
        for visit in &self.batch.visits {
            match &visit.identity {
                None => anonymous += 1,
                Some(identity) => {
                    packed[identity.kind as usize].extend_from_slice(&identity.digest);
                }
            }
        }
        let mut keys = Keys::of(&self.batch.counter);
        let bytes = packed.iter().map(Vec::len).sum::<usize>() + CALL_BYTES;
        let longest = keys.named(Keys::SETS[1]).len();
        let mut call = Cmd::with_capacity(ARGUMENTS, bytes + (1 + Keys::SETS.len()) * longest);
        call.arg("EVALSHA")
            .arg(SCRIPT_SHA1.as_str())
            .arg(1 + Keys::SETS.len())
            .arg(keys.count());
        for set in Keys::SETS {
            call.arg(keys.named(set));
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
        call
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
    let (keys, waits) = rest.split_at_checked(of_kinds[1]).ok_or_else(wrong)?;
    let waits = match waits {
        [] => [0; 2],
        [requests, keys] => [*requests, *keys],
        _ => return Err(wrong()),
    };
    let mut anonymous = first.unsigned_abs()..;
    let mut identified = [requests.iter(), keys.iter()];
    let outcomes = batch.visits.iter().map(|visit| {
        let Some(identity) = &visit.identity else {
            let number = anonymous.next()?;
            let replayed = false;
            return Some(Ok(Counted { number, replayed }));
        };
        let kind = identity.kind as usize;
        match *identified[kind].next()? {
            0 => {
                // Of the counter's own sets one may not even exist.
                let wait = Duration::from_millis(waits[kind].max(0).unsigned_abs());
                let room_in = closed.to(identity.kind).unwrap_or(wait);
                Some(Err(NotCounted::IdentitiesFull(room_in)))
            }
            number => Some(Ok(Counted {
                number: number.unsigned_abs(),
                replayed: number < 0,
            })),
        }
    });
    outcomes.collect::<Option<_>>().ok_or_else(wrong)
}
