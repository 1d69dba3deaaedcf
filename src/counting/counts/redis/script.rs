//! The scripts that count: how they are called.
//!
//! They are told only how many visits have no identity, and the identities of the others: what a
//! script costs is what it is sent.

use std::sync::LazyLock;

use redis::{Cmd, Script};

use super::{keys::Keys, room::Closed};
use crate::{
    auth::revocation::EPOCH_KEY,
    counting::{
        Batch,
        carried::VisitorMode,
        counts::Memory,
        identity::{DIGEST_BYTES, IdentityKind},
    },
};

/// The script that counts a batch.
pub const SCRIPT: &str = include_str!("count.lua");

/// The one that counts batches of several counters. Redis lets no script call another, so it has that one's text.
pub const SHARED: &str = concat!(
    "local function count(KEYS, ARGV)\n",
    include_str!("count.lua"),
    "\nend\n",
    include_str!("share.lua")
);

static SCRIPT_SHA1: LazyLock<String> = LazyLock::new(|| Script::new(SCRIPT).get_hash().to_owned());

static SHARED_SHA1: LazyLock<String> = LazyLock::new(|| Script::new(SHARED).get_hash().to_owned());

/// In the order in which the script wants and gives them.
pub const KINDS: [IdentityKind; 2] = [IdentityKind::Request, IdentityKind::Key];

/// Bytes of a counter's stream that may wait to be recorded, before visits that carry something are
/// refused: a quarter of the `maxmemory` that is shipped.
const MOST_BYTES: u64 = 256 << 20;

/// Arguments of a call of several words, beside keys, identities and what visits carry.
const ARGUMENTS: usize = 18;

/// Bytes of a call beside keys and identities.
const CALL_BYTES: usize = 128;

/// Bytes of the key of a count, about.
const COUNT_BYTES: usize = 40;

/// What stands for an epoch where none is compared: publish.lua makes none like it.
const NOT_COMPARED: &str = "*";

/// Has Redis remember a script.
pub fn load(script: &str) -> Cmd {
    redis::cmd("SCRIPT").arg("LOAD").arg(script).take()
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

/// How many visits of a batch have no identity and carry nothing, and how many have an identity of
/// each kind.
struct Sizes {
    anonymous: u64,
    kinds: [usize; 2],
}

impl Sizes {
    fn of(batch: &Batch) -> Self {
        let mut sizes = Self {
            anonymous: 0,
            kinds: [0; 2],
        };
        for visit in &batch.visits {
            match &visit.identity {
                None => sizes.anonymous += u64::from(visit.carried.is_none()),
                Some(identity) => sizes.kinds[identity.kind as usize] += 1,
            }
        }
        sizes
    }
}

impl Call<'_> {
    /// As it is sent.
    pub fn command(&self) -> Cmd {
        let sizes = Sizes::of(self.batch);
        let own = self.own_arguments(&sizes);
        let mut keys = Keys::of(&self.batch.counter);
        let known = self.batch.known.as_ref();
        let sets = || {
            let of_kinds = Keys::SETS.chunks_exact(2).zip(sizes.kinds);
            of_kinds
                .filter(|(_, size)| *size > 0)
                .flat_map(|(sets, _)| sets)
        };
        let keys_sent = 1 + Keys::RECORD.len() + sets().count() + usize::from(known.is_some());
        let longest = keys.named(Keys::SETS[1]).len();
        let bytes = CALL_BYTES + own * DIGEST_BYTES + keys_sent * longest + self.carried_bytes();
        let mut call = Cmd::with_capacity(ARGUMENTS + keys_sent + own, bytes);
        call.arg("EVALSHA")
            .arg(SCRIPT_SHA1.as_str())
            .arg(keys_sent)
            .arg(keys.count());
        for name in Keys::RECORD.iter().chain(sets()) {
            call.arg(keys.named(name));
        }
        if known.is_some() {
            call.arg(EPOCH_KEY);
        }
        call.arg(sizes.anonymous).arg(u8::from(self.listed));
        self.add_common(&mut call);
        if own > 0 {
            self.add_memory(&mut call);
            self.add_own(&mut call, &sizes);
        }
        call
    }

    /// A call for several batches, each of another counter; what is common to them is as for the
    /// first one. Those that are [plain](Self::is_plain) come first.
    pub fn shared(calls: &[Self]) -> Cmd {
        let Some(first) = calls.first() else {
            return Cmd::new();
        };
        let sizes: Vec<_> = calls.iter().map(|call| Sizes::of(call.batch)).collect();
        let each = || calls.iter().zip(&sizes);
        let own: usize = each()
            .map(|(call, sizes)| 2 + call.own_arguments(sizes))
            .sum();
        let known = first.batch.known.as_ref();
        let carried: usize = calls.iter().map(Self::carried_bytes).sum();
        let bytes = CALL_BYTES + own * DIGEST_BYTES + calls.len() * COUNT_BYTES + carried;
        let mut shared = Cmd::with_capacity(ARGUMENTS + calls.len() + own, bytes);
        shared
            .arg("EVALSHA")
            .arg(SHARED_SHA1.as_str())
            .arg(calls.len() + usize::from(known.is_some()));
        for call in calls {
            shared.arg(Keys::of(&call.batch.counter).count());
        }
        if known.is_some() {
            shared.arg(EPOCH_KEY);
        }
        let plain = calls.iter().filter(|call| call.is_plain()).count();
        shared.arg(plain).arg(u8::from(first.listed));
        first.add_common(&mut shared);
        first.add_memory(&mut shared);
        for sizes in &sizes[..plain] {
            shared.arg(sizes.anonymous);
        }
        for (call, sizes) in each().skip(plain) {
            shared
                .arg(1 + call.own_arguments(sizes))
                .arg(sizes.anonymous);
            call.add_own(&mut shared, sizes);
        }
        shared
    }

    /// Whether no visit of it has an identity or carries anything.
    pub fn is_plain(&self) -> bool {
        let mut visits = self.batch.visits.iter();
        self.carried.is_none() && visits.all(|visit| visit.identity.is_none())
    }

    /// What is the same for all counters of a server.
    fn add_common(&self, call: &mut Cmd) {
        let known = self.batch.known.as_ref();
        call.arg(u8::from(self.waits))
            .arg(u8::from(self.memory.records))
            .arg(self.memory.backlog)
            .arg(MOST_BYTES)
            .arg(self.closed.record as u8)
            .arg(known.map_or(NOT_COMPARED, |known| &*known.epoch));
    }

    /// Likewise, where there are identities.
    fn add_memory(&self, call: &mut Cmd) {
        for kind in KINDS {
            let limit = match self.closed.to(kind) {
                None => self.memory.identities,
                Some(_) => 0,
            };
            let window = self.memory.window(kind).as_millis() as u64;
            call.arg(window).arg(limit);
        }
    }

    /// How many arguments follow those that each call has.
    fn own_arguments(&self, sizes: &Sizes) -> usize {
        let carried = |carried: &Carried| {
            let visits = self.batch.visits.iter().zip(&carried.visits);
            let with = visits.filter(|(_, stored)| stored.is_some());
            // How visitors are stored and how many there are of each kind; those with identities have positions.
            1 + KINDS.len()
                + with
                    .map(|(visit, _)| 1 + usize::from(visit.identity.is_some()))
                    .sum::<usize>()
        };
        match sizes.kinds.iter().sum::<usize>() + self.carried.as_ref().map_or(0, carried) {
            0 => 0,
            own => KINDS.len() + own,
        }
    }

    /// How long what visits carry is.
    fn carried_bytes(&self) -> usize {
        let all = self.carried.iter().flat_map(|carried| &carried.visits);
        all.flatten().map(String::len).sum()
    }

    /// Identities, and what visits carry.
    fn add_own(&self, call: &mut Cmd, sizes: &Sizes) {
        for size in sizes.kinds {
            call.arg(size);
        }
        for kind in KINDS {
            let of_kind = self.batch.identities();
            for identity in of_kind.filter(|identity| identity.kind == kind) {
                call.arg(identity.digest.as_slice());
            }
        }
        if let Some(carried) = &self.carried {
            self.add_carried(call, carried);
        }
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

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{KEY, NONE, REQUEST, arguments, batch, batch_of, call},
        *,
    };
    use crate::auth::revocation::Known;

    fn texts(command: &Cmd) -> Vec<String> {
        let texts = arguments(command).into_iter();
        texts
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect()
    }

    fn digests(batch: &Batch, kind: IdentityKind) -> Vec<&[u8]> {
        let of_kind = batch.identities().filter(|identity| identity.kind == kind);
        of_kind.map(|identity| identity.digest.as_slice()).collect()
    }

    #[test]
    fn a_call_is_as_the_script_wants_it() {
        let batch = batch(&[KEY, NONE, REQUEST, KEY, NONE]);
        let command = call(&batch).command();
        let sent = texts(&command);
        let keys = [
            "count",
            "record",
            "visits",
            "requests",
            "requests:previous",
            "keys",
            "keys:previous",
        ];
        assert_eq!([&sent[0], &sent[2]], ["EVALSHA", "7"]);
        assert_eq!(sent[3..10], keys.map(|key| format!("footfall:{{a}}:{key}")));
        let common = ["2", "1", "0", "1", "1000", "268435456", "0", "*"];
        assert_eq!(sent[10..18], common);
        let memory = ["60000", "100", "86400000", "100", "1", "2"];
        assert_eq!(sent[18..24], memory);
        let identities = [
            digests(&batch, IdentityKind::Request),
            digests(&batch, IdentityKind::Key),
        ];
        assert_eq!(arguments(&command)[24..], identities.concat());
    }

    /// What the script tells a call by that has nothing else.
    #[test]
    fn without_identities_nothing_is_sent_of_them() {
        let sent = texts(&call(&batch(&[NONE, NONE])).command());
        assert_eq!(sent[2], "3");
        assert_eq!(sent.len(), 6 + 8);
        assert_eq!(sent[6], "2");
    }

    #[test]
    fn only_sets_that_are_needed_are_named() {
        let sent = texts(&call(&batch(&[KEY])).command());
        assert_eq!(sent[2], "5");
        assert_eq!(
            sent[6..8],
            ["footfall:{a}:keys", "footfall:{a}:keys:previous"]
        );
    }

    #[test]
    fn an_epoch_is_the_last_key() {
        let mut batch = batch(&[KEY, NONE]);
        let without = texts(&call(&batch).command());
        batch.known = Some(known());
        let mut expected = without;
        expected[2] = "6".to_owned();
        expected[15] = "7".to_owned();
        expected.insert(8, EPOCH_KEY.to_owned());
        assert_eq!(texts(&call(&batch).command()), expected);
    }

    fn known() -> Known {
        Known {
            epoch: "7".into(),
            whole_at: None,
            from: None,
        }
    }

    #[test]
    fn a_shared_call_says_what_is_common_once() {
        let mut batches = [
            batch_of("a", &[NONE]),
            batch_of("b", &[NONE, NONE, NONE]),
            batch_of("c", &[NONE, KEY, KEY]),
            batch_of("d", &[REQUEST]),
        ];
        for batch in &mut batches {
            batch.known = Some(known());
        }
        let mut calls: Vec<_> = batches.iter().map(call).collect();
        calls[3].carried = Some(Carried {
            mode: VisitorMode::Hashed,
            visits: vec![Some("{}".to_owned())],
        });
        let command = Call::shared(&calls);
        let sent = texts(&command);
        assert_eq!(sent[2], "5");
        let counts = ["a", "b", "c", "d"].map(|name| format!("footfall:{{{name}}}:count"));
        assert_eq!(sent[3..7], counts);
        assert_eq!(sent[7], EPOCH_KEY);
        let common = ["2", "1", "0", "1", "1000", "268435456", "0", "7"];
        assert_eq!(sent[8..16], common);
        assert_eq!(sent[20..22], ["1", "3"]);
        // How many follow; then visits without identity, identities of each kind, and these.
        assert_eq!(sent[22..26], ["5", "1", "0", "2"]);
        assert_eq!(sent[28..32], ["9", "0", "1", "0"]);
        // The mode, what carries something among requests, among keys.
        assert_eq!(sent[33..], ["1", "1", "1", "{}", "0"]);
    }
}
