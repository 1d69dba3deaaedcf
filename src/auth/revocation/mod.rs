//! Revocation: a token that was good a moment ago is good no longer.
//!
//! It is exact where one Redis or one SQLite file counts, and costs a visit no round trip more.
//! What was revoked has an **epoch**, a text that is another one after each revocation. A process
//! knows what was revoked up to some epoch; it looks at the tokens of waiting visits with what it
//! knows, and sends that epoch with them. The store compares it in the same atomic step in which it
//! counts. Where the two differ it does nothing and says so, and the process reads what is new,
//! looks at the tokens again, and asks again. So whoever revokes needs only wait until the store
//! has the new epoch: no visit that comes to the store later is counted with what it has ended.
//!
//! The truth is a table of the database, written in the transaction that causes a revocation. Redis
//! has a copy, and may lose the end of it in a failover or a crash. The connections that lead to it
//! break then; so what is known is good only for connections that were open when everything was
//! read and compared with the database, and whoever finds that something is missing publishes it
//! again. While sentinels switch there are two masters, each of which somebody counts on: both are
//! told before anybody is told that it is done.
//!
//! In a Redis Cluster no script can compare an epoch that is on another server, and what does not
//! count asks no store: for these each process reads the epoch four times a second.

mod entry;
mod knowledge;
pub mod metrics;
mod monitor;
mod pass;
mod redis;
mod rules;
mod shared;
mod table;

pub(crate) use self::table::epoch_query;
pub use self::{
    entry::Revocation,
    knowledge::{Knowledge, Known, Look},
    monitor::monitor,
    pass::Pass,
    redis::EPOCH as EPOCH_KEY,
    shared::{Noted, Revocations, SHORTEST_LIFETIME},
    table::EPOCH as EPOCH_QUERY,
};
