//! Entries that stand for themselves: a failed login, a denied access. They are written in the
//! background, so that no request fails by them, or waits for the database.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, interval, sleep_until},
};

use super::{
    Entry,
    chain::{Pending, append, are_there},
    fold::{Folded, Folds, Taken},
    metrics::AuditMetrics,
    retention,
};
use crate::storage::sql::{Connection, Database, DatabaseError};

/// Entries that may wait to be looked at.
const QUEUE: usize = 4096;

/// Rows that may wait to be written: what comes while the database is away.
const MOST_DUE: usize = 8192;

/// Rows that are written in one transaction at most: others wait for it. Where that takes longer than
/// the database may take, they are fewer.
const BATCH: usize = 64;

/// The time between two looks at which minutes are over.
const TICK: Duration = Duration::from_secs(1);

/// The time between two tries to write.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// How often rows may turn out to be there already, before they are taken for ones that never can be
/// written.
const MOST_VIOLATIONS: u32 = 10;

/// The time between two lines of the log about entries that were dropped.
const SAID: Duration = Duration::from_mins(1);

/// The audit trail, for all threads of a process.
#[derive(Debug, Clone)]
pub struct Audit(Option<Arc<Door>>);

#[derive(Debug)]
struct Door {
    queue: mpsc::Sender<Message>,
    metrics: AuditMetrics,
    dropped: AtomicU64,
}

#[derive(Debug)]
enum Message {
    Note(Box<Entry>, Instant),
    Flush(oneshot::Sender<()>),
}

impl Audit {
    /// An audit trail in this database, and what writes it, which is to run for as long as the
    /// process does. Without a database nothing is kept.
    pub fn new(database: Option<&Database>, metrics: &AuditMetrics) -> (Self, Option<Keeper>) {
        let Some(database) = database else {
            return (Self(None), None);
        };
        let (sender, queue) = mpsc::channel(QUEUE);
        let door = Arc::new(Door {
            queue: sender,
            metrics: metrics.clone(),
            dropped: AtomicU64::new(0),
        });
        let keeper = Keeper {
            database: database.clone(),
            door: door.clone(),
            queue,
        };
        (Self(Some(door)), Some(keeper))
    }

    /// Has an entry written soon. This never fails and never waits. Equal entries of a minute are
    /// told together; what is too much is dropped, which a metric and the log tell.
    pub fn note(&self, entry: Entry) {
        let Some(door) = &self.0 else {
            return;
        };
        let message = Message::Note(Box::new(entry), Instant::now());
        if door.queue.try_send(message).is_err() {
            door.drop_some(1);
        }
    }

    /// Has all that was noted written, and waits for it for this long at most. Says whether it is.
    pub async fn flush(&self, limit: Duration) -> bool {
        let Some(door) = &self.0 else {
            return true;
        };
        let flushed = async {
            let (done, written) = oneshot::channel();
            door.queue.send(Message::Flush(done)).await.ok()?;
            written.await.ok()
        };
        matches!(tokio::time::timeout(limit, flushed).await, Ok(Some(())))
    }
}

impl Door {
    fn drop_some(&self, number: u64) {
        self.metrics.dropped.inc_by(number);
        self.dropped.fetch_add(number, Ordering::Relaxed);
    }
}

/// What writes the audit trail, and tidies it.
pub struct Keeper {
    database: Database,
    door: Arc<Door>,
    queue: mpsc::Receiver<Message>,
}

impl Keeper {
    /// Works for as long as the process runs.
    pub async fn run(self) {
        let tidying = retention::run(self.database.clone(), self.door.metrics.clone());
        let writing = Writing {
            database: self.database,
            door: self.door,
            folds: Folds::default(),
            due: VecDeque::new(),
            batch: BATCH,
            under_way: None,
            again: false,
            violations: 0,
            not_before: Instant::now(),
            flushes: Vec::new(),
            said: None,
        };
        tokio::join!(tidying, writing.run(self.queue));
    }
}

type Written = (Result<(), DatabaseError>, usize);

struct Writing {
    database: Database,
    door: Arc<Door>,
    folds: Folds,
    due: VecDeque<Folded>,
    /// How many rows the next transaction may write.
    batch: usize,
    /// The transaction that writes the first of what is due.
    under_way: Option<BoxFuture<'static, Written>>,
    /// Whether the first of what is due may have been written.
    again: bool,
    /// How often they were found to be there, one after the other.
    violations: u32,
    not_before: Instant,
    flushes: Vec<oneshot::Sender<()>>,
    said: Option<Instant>,
}

impl Writing {
    async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut tick = interval(TICK);
        loop {
            self.start();
            let depth = queue.len() + self.due.len();
            let depth = i64::try_from(depth).unwrap_or(i64::MAX);
            self.door.metrics.queue_depth.set(depth);
            let not_before = self.not_before;
            let is_due = self.under_way.is_none() && !self.due.is_empty();
            tokio::select! {
                message = queue.recv() => match message {
                    Some(message) => self.take(message),
                    // The process ends.
                    None => std::future::pending().await,
                },
                (result, number) = under_way(&mut self.under_way) => self.written(result, number),
                () = sleep_until(not_before), if is_due => {}
                _ = tick.tick() => {
                    let over = self.folds.over(Instant::now());
                    self.push(over);
                    self.say();
                }
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Note(entry, at) => match self.folds.take(*entry, at) {
                Taken::Write(folded) => self.push(vec![*folded]),
                Taken::Folded => self.door.metrics.folded.inc(),
                Taken::Dropped => self.door.drop_some(1),
            },
            Message::Flush(done) => {
                let all = self.folds.all();
                self.push(all);
                self.flushes.push(done);
                self.not_before = Instant::now();
                self.tell_flushed();
            }
        }
    }

    fn push(&mut self, rows: Vec<Folded>) {
        for row in rows {
            if self.due.len() < MOST_DUE {
                self.due.push_back(row);
            } else {
                self.door.drop_some(row.events);
            }
        }
    }

    /// Begins to write what is due, unless that is under way.
    fn start(&mut self) {
        if self.under_way.is_some() || self.due.is_empty() || Instant::now() < self.not_before {
            return;
        }
        let rows: Vec<_> = self.due.iter().take(self.batch).cloned().collect();
        let (database, again, number) = (self.database.clone(), self.again, rows.len());
        self.under_way = Some(Box::pin(async move {
            let written = database.write("audit_notes", move |connection| {
                Box::pin(write(connection, rows, again))
            });
            (written.await, number)
        }));
    }

    fn written(&mut self, result: Result<(), DatabaseError>, number: usize) {
        self.under_way = None;
        match result {
            Ok(()) => {
                self.due.drain(..number);
                (self.again, self.violations) = (false, 0);
                self.batch = match self.due.is_empty() {
                    true => BATCH,
                    false => (self.batch + 1).min(BATCH),
                };
                self.tell_flushed();
            }
            // Such a row was written meanwhile, by a transaction of which it was not known how it
            // ends.
            Err(DatabaseError::UniqueViolation) if self.violations < MOST_VIOLATIONS => {
                self.violations += 1;
                self.again = true;
                self.not_before = Instant::now() + AFTER_A_FAILURE;
            }
            Err(error @ (DatabaseError::Refused(_) | DatabaseError::UniqueViolation)) => {
                if number > 1 {
                    // One of them, which does not keep the others from being written.
                    self.batch = 1;
                } else if let Some(row) = self.due.pop_front() {
                    let action = row.entry.action.text();
                    tracing::error!(%error, action, company = %row.entry.company, "an entry of the audit trail is refused, and dropped");
                    self.door.drop_some(row.events);
                    self.tell_flushed();
                }
            }
            Err(error) => {
                self.again |= error.outcome_is_unknown();
                if !matches!(error, DatabaseError::Away(_)) {
                    // As many may never be written in time.
                    self.batch = (number / 2).max(1);
                }
                self.not_before = Instant::now() + AFTER_A_FAILURE;
            }
        }
    }

    fn tell_flushed(&mut self) {
        if self.due.is_empty() {
            for done in self.flushes.drain(..) {
                // Who has waited for it may have gone.
                let _ = done.send(());
            }
        }
    }

    fn say(&mut self) {
        if self.said.is_some_and(|said| said.elapsed() < SAID) {
            return;
        }
        let dropped = self.door.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.said = Some(Instant::now());
            tracing::error!(
                dropped,
                waiting = self.due.len(),
                "entries of the audit trail were dropped: more came than could be written"
            );
        }
    }
}

async fn under_way(writing: &mut Option<BoxFuture<'static, Written>>) -> Written {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

/// Writes these rows, but for those that are there already.
async fn write(
    connection: &mut Connection<'_>,
    mut rows: Vec<Folded>,
    again: bool,
) -> Result<(), DatabaseError> {
    connection.across_companies().await?;
    if again {
        let ids = rows.iter().map(|row| row.id).collect::<Vec<_>>();
        let there = are_there(connection, &ids).await?;
        rows.retain(|row| !there.contains(&row.id));
    }
    // One moment for all: of two that were looked at one after the other the later could be a millisecond longer ago.
    let now = Instant::now();
    append(
        connection,
        rows.iter().map(|row| pending(row, now)).collect(),
    )
    .await
}

fn pending(row: &Folded, now: Instant) -> Pending<'_> {
    let ago = |at: Instant| i64::try_from(now.duration_since(at).as_millis()).unwrap_or(i64::MAX);
    Pending {
        entry: &row.entry,
        id: row.id,
        events: i64::try_from(row.events).unwrap_or(i64::MAX),
        first_ago: ago(row.first),
        last_ago: ago(row.last),
    }
}
