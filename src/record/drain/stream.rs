//! The stream of a counter in Redis: what was counted and is not in the database yet.

use redis::Pipeline;

use super::fields::{Chunk, Fields, number};
use crate::{
    config::IDEMPOTENCY_WINDOW,
    counting::{CounterId, counts::RecordKeys},
    record::table::recordings::Recording,
    storage::{RedisStore, StoreError},
};

const TRIM: &str = include_str!("trim.lua");
const SETTLE: &str = include_str!("settle.lua");
const SWITCH: &str = include_str!("switch.lua");
const RAISE: &str = include_str!("raise.lua");

/// Entries read at a time where nothing is known of them: of a thousand visits each, with as much as they may carry,
/// 16 MiB.
const ENTRIES: usize = 8;

/// Entries read at a time where all that waits is small.
const SMALL_ENTRIES: usize = 512;

/// Visits from which on no more is read into one chunk, where the database is as fast as it should be.
pub const CHUNK: u64 = 8192;

/// Bytes from which on no more is read.
const CHUNK_BYTES: u64 = 4 << 20;

/// How far a counter is, as Redis knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The number of its last visit.
    pub count: u64,
    /// Whether visits are recorded.
    pub recorded: bool,
    /// The version of what says so.
    pub version: i64,
    /// Up to which number the stream has an entry.
    pub top: u64,
    /// When the last entry was written, in Unix milliseconds.
    pub at: i64,
    /// Up to which number it has been trimmed.
    pub through: u64,
    /// The bytes ever written to it.
    pub bytes: u64,
}

/// A visit that waits, by the clock of Redis, in Unix milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// When it was counted.
    pub since: i64,
    /// What time it is.
    pub now: i64,
}

impl State {
    /// Visits that wait to be recorded.
    pub fn waiting(&self) -> u64 {
        self.top.saturating_sub(self.through)
    }
}

/// The identities of visits that are recorded, with their numbers.
#[derive(Debug, Default)]
pub struct Taught {
    /// Those of requests.
    pub requests: Vec<(u64, [u8; 16])>,
    /// Those of keys.
    pub keys: Vec<(u64, [u8; 16])>,
}

/// The streams of all counters.
#[derive(Clone)]
pub struct Streams {
    redis: RedisStore,
    /// How long a proxy's request id is an identity, in milliseconds.
    requests_window: u64,
}

impl Streams {
    /// Those in this Redis.
    pub fn new(redis: RedisStore, requests_window: std::time::Duration) -> Self {
        let requests_window = requests_window.as_millis() as u64;
        Self {
            redis,
            requests_window,
        }
    }

    /// How far a counter is; `None` if nothing of it was ever to be recorded.
    ///
    /// # Errors
    ///
    /// Those of Redis, and what is there is not what counting has written.
    pub async fn state(&self, counter: &CounterId) -> Result<Option<State>, StoreError> {
        let keys = RecordKeys::of(counter);
        let mut asking = redis::pipe();
        asking.get(&keys.count);
        let fields = ["on", "version", "top", "at", "through", "bytes"];
        asking.cmd("HMGET").arg(&keys.state).arg(&fields);
        type Answer = (Option<u64>, Vec<Option<i64>>);
        let (count, state): Answer = self.redis.query(&keys.count, &asking).await?;
        let [Some(on), version, Some(top), at, Some(through), bytes] = state[..] else {
            return Ok(None);
        };
        Ok(Some(State {
            count: count.unwrap_or(0),
            recorded: on == 1,
            version: version.unwrap_or(0),
            top: top.unsigned_abs(),
            at: at.unwrap_or(0),
            through: through.unsigned_abs(),
            bytes: bytes.unwrap_or(0).unsigned_abs(),
        }))
    }

    /// Reads what was counted after this number: one entry at least, and no more once there are `most` visits, or
    /// what they take. `written` is how many bytes had ever been written to the stream.
    ///
    /// # Errors
    ///
    /// Those of Redis.
    pub async fn read(
        &self,
        counter: &CounterId,
        after: u64,
        most: u64,
        written: u64,
    ) -> Result<Chunk, StoreError> {
        let keys = RecordKeys::of(counter);
        let mut entries = if most < CHUNK { 1 } else { ENTRIES };
        let mut chunk = Chunk {
            bytes: written,
            ..Chunk::default()
        };
        let (mut after, mut visits, mut bytes) = (after, 0, 0);
        loop {
            let mut asking = redis::pipe();
            asking
                .cmd("XRANGE")
                .arg(&keys.stream)
                .arg(format!("({after}-0"))
                .arg("+")
                .arg("COUNT")
                .arg(entries);
            let (read,): (Vec<(String, Fields)>,) = self.redis.query(&keys.stream, &asking).await?;
            chunk.more = read.len() == entries;
            for (id, fields) in read {
                let last = id.split('-').next().and_then(|id| id.parse().ok());
                after = last.ok_or_else(|| unreadable(counter, &id))?;
                visits += number(&fields, "n").unwrap_or(0);
                bytes += fields
                    .iter()
                    .map(|(_, value)| value.len() as u64)
                    .sum::<u64>();
                chunk.bytes = number(&fields, "c").unwrap_or(chunk.bytes);
                chunk.read.push((after, fields));
            }
            if !chunk.more || visits >= most || bytes >= CHUNK_BYTES {
                return Ok(chunk);
            }
            if written.saturating_sub(chunk.bytes) < CHUNK_BYTES {
                // As many as are wanted, if they are like those before them.
                let each = (visits / chunk.read.len() as u64).max(1);
                let wanted = usize::try_from((most - visits) / each).unwrap_or(usize::MAX);
                entries = wanted.clamp(entries, SMALL_ENTRIES);
            }
        }
    }

    /// When the oldest visit that waits was counted, and what time it is, by the clock of Redis, in Unix
    /// milliseconds.
    ///
    /// # Errors
    ///
    /// Those of Redis.
    pub async fn oldest(
        &self,
        counter: &CounterId,
        through: u64,
    ) -> Result<Option<Waiting>, StoreError> {
        let keys = RecordKeys::of(counter);
        let mut asking = redis::pipe();
        asking
            .cmd("XRANGE")
            .arg(&keys.stream)
            .arg(format!("({through}-0"))
            .arg("+")
            .arg("COUNT")
            .arg(1);
        asking.cmd("TIME");
        type Answer = (Vec<(String, Fields)>, (i64, i64));
        let (read, (seconds, micros)): Answer = self.redis.query(&keys.stream, &asking).await?;
        let since = read.first().and_then(|(_, fields)| {
            let (_, at) = fields.iter().find(|(name, _)| name == b"t")?;
            std::str::from_utf8(at).ok()?.parse().ok()
        });
        let now = seconds * 1000 + micros / 1000;
        Ok(since.map(|since| Waiting { since, now }))
    }

    /// Removes what is recorded by now.
    ///
    /// # Errors
    ///
    /// Those of Redis.
    pub async fn trim(
        &self,
        counter: &CounterId,
        through: u64,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let keys = RecordKeys::of(counter);
        let mut call = call(TRIM, &[&keys.state, &keys.stream]);
        call.arg(through).arg(bytes);
        self.redis.query::<()>(&keys.state, &call).await
    }

    /// Has the stream say that visits were counted which nobody recorded.
    ///
    /// # Errors
    ///
    /// Those of Redis.
    pub async fn settle(&self, counter: &CounterId) -> Result<(), StoreError> {
        let keys = RecordKeys::of(counter);
        let call = call(SETTLE, &[&keys.count, &keys.state, &keys.stream]);
        self.redis.query::<()>(&keys.state, &call).await
    }

    /// Has visits recorded, or not, as the database says.
    ///
    /// # Errors
    ///
    /// Those of Redis.
    pub async fn switch(
        &self,
        counter: &CounterId,
        recording: &Recording,
    ) -> Result<(), StoreError> {
        let keys = RecordKeys::of(counter);
        let mut call = call(SWITCH, &[&keys.count, &keys.state]);
        call.arg(u8::from(recording.recorded))
            .arg(recording.visitor.code())
            .arg(recording.version)
            .arg(recording.through);
        self.redis.query::<()>(&keys.state, &call).await
    }

    /// Raises the count to what is recorded, and has Redis remember identities again. Says by how much.
    ///
    /// # Errors
    ///
    /// Those of Redis.
    pub async fn raise(
        &self,
        counter: &CounterId,
        through: u64,
        through_at: i64,
        taught: &Taught,
    ) -> Result<u64, StoreError> {
        let keys = RecordKeys::of(counter);
        let [requests, known_keys] = &keys.identities;
        let mut call = call(RAISE, &[&keys.count, &keys.state, requests, known_keys]);
        call.arg(through).arg(through_at);
        let window = IDEMPOTENCY_WINDOW.as_millis() as u64;
        call.arg(self.requests_window).arg(taught.requests.len());
        call.arg(window).arg(taught.keys.len());
        for (number, digest) in taught.requests.iter().chain(&taught.keys) {
            call.arg(number).arg(&digest[..]);
        }
        let (raised,): (u64,) = self.redis.query(&keys.count, &call).await?;
        Ok(raised)
    }
}

/// A call of a script. With its text: these are rare beside counting.
fn call(script: &str, keys: &[&str]) -> Pipeline {
    let mut call = redis::pipe();
    call.cmd("EVAL").arg(script).arg(keys.len()).arg(keys);
    call
}

fn unreadable(counter: &CounterId, id: &str) -> StoreError {
    StoreError::Failed(format!("the stream of {counter} has an entry {id:?}"))
}
