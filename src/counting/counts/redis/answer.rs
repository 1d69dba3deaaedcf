//! What the counting script answers means.

use std::time::Duration;

use super::{room::Closed, script::KINDS};
use crate::{
    counting::{Batch, Counted, NotCounted, Outcome, Visit},
    storage::StoreError,
};

/// What the script answers for a counter that is not in the index yet.
pub const UNLISTED: i64 = -1;

/// What the script answers where more was revoked than is known.
pub const OUTDATED: i64 = -2;

/// What the script answers, with what is right, where visitors are stored otherwise.
pub const OTHER_MODE: i64 = -3;

/// What the script answers for a visit that carries something, where nothing is recorded.
const RECORDING_OFF: i64 = -9_007_199_254_740_991;

/// The same, where too much waits to be recorded.
const RECORDING_BEHIND: i64 = -9_007_199_254_740_990;

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
    use super::{
        super::samples::{KEY, NONE, REQUEST, batch},
        *,
    };

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
}
