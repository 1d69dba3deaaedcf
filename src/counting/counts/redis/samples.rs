//! Batches and calls that tests of several files need.

use std::time::Duration;

use redis::Cmd;

use super::{room::Closed, script::Call};
use crate::counting::{
    Batch, Company, CounterId, Identity, Visit, counts::Memory, identity::IdentityKind,
};

pub const NONE: Option<IdentityKind> = None;
pub const REQUEST: Option<IdentityKind> = Some(IdentityKind::Request);
pub const KEY: Option<IdentityKind> = Some(IdentityKind::Key);

pub const MEMORY: Memory = Memory {
    requests: Duration::from_secs(60),
    keys: Duration::from_hours(24),
    identities: 100,
    counters: 1,
    records: true,
    backlog: 1000,
};

/// Visits of a counter without identity, or with one of a kind.
pub fn batch_of(counter: &str, kinds: &[Option<IdentityKind>]) -> Batch {
    let name = counter.parse().unwrap();
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

pub fn batch(kinds: &[Option<IdentityKind>]) -> Batch {
    batch_of("a", kinds)
}

pub fn call(batch: &Batch) -> Call<'_> {
    Call {
        batch,
        listed: true,
        waits: false,
        memory: &MEMORY,
        closed: Closed::default(),
        carried: None,
    }
}

pub fn arguments(command: &Cmd) -> Vec<&[u8]> {
    let arguments = command.args_iter().map(|argument| match argument {
        redis::Arg::Simple(bytes) => bytes,
        _ => panic!("there is no cursor"),
    });
    arguments.collect()
}
