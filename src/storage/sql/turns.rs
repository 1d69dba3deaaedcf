//! Turns: which of the processes that share an embedded database writes next.
//!
//! SQLite waits for another process' transaction by sleeping ever longer between its tries, so on
//! a busy machine whoever has waited longest is the last to try again. Here the waiting is done in
//! the kernel's queue for a lock on a file of its own. The lock is a courtesy and never a
//! condition: what keeps two processes from writing at once is SQLite, and who gets no turn, since
//! another process was stopped in its own perhaps, goes to SQLite without one.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use crate::supervision::Piece;

/// The turns of one process. One of its threads at a time takes one.
pub struct Turns {
    /// The longest that a turn is waited for.
    limit: Duration,
    /// `None` where the file cannot be had.
    queue: Option<Queue>,
}

/// This process' turn, until it is dropped or the process ends.
pub struct Turn(Arc<File>);

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// A place in the kernel's queue, in which a thread waits: it cannot be waited in asynchronously,
/// nor left.
struct Queue {
    file: Arc<File>,
    place: Arc<Mutex<Place>>,
    thread: mpsc::Sender<()>,
}

/// What the thread waits for. While it waits nobody else may try the lock: it belongs to the open
/// file, so this process would have two turns at once.
enum Place {
    /// It does not wait.
    Free,
    /// The turn of this one.
    TakenBy(oneshot::Sender<Turn>),
    /// A turn that did not come in time, and is wanted no more.
    Overdue,
}

impl Turns {
    /// Opens the file, and creates it if need be.
    pub fn open(path: &Path, limit: Duration) -> Self {
        let queue = Queue::open(path)
            .inspect_err(|error| tracing::debug!(path = %path.display(), %error, "no turns"));
        Self {
            limit,
            queue: queue.ok(),
        }
    }

    /// For who never writes.
    pub fn none() -> Self {
        Self {
            limit: Duration::ZERO,
            queue: None,
        }
    }

    /// Waits for this process' turn; `None` if it does not come in time, and at once as long as an
    /// earlier one has not come either.
    pub async fn take(&self) -> Option<Turn> {
        let queue = self.queue.as_ref()?;
        let coming = match queue.join()? {
            Ok(turn) => return Some(turn),
            Err(coming) => coming,
        };
        match timeout(self.limit, coming).await {
            Ok(turn) => turn.ok(),
            Err(_) => {
                queue.give_up();
                None
            }
        }
    }
}

impl Queue {
    fn open(path: &Path) -> io::Result<Self> {
        let file = Arc::new(File::options().create(true).append(true).open(path)?);
        let place = Arc::new(Mutex::new(Place::Free));
        let (thread, calls) = mpsc::channel();
        let (locked, taken) = (file.clone(), place.clone());
        // No thread of a runtime: the end of one would wait for it. It ends when `thread` is dropped.
        Piece::Turn.thread("turns", move || wait_when_called(&calls, &locked, &taken))?;
        Ok(Self {
            file,
            place,
            thread,
        })
    }

    /// The turn, if it is nobody's, else what will bring it; `None` if one is overdue.
    fn join(&self) -> Option<Result<Turn, oneshot::Receiver<Turn>>> {
        let mut place = lock(&self.place);
        match *place {
            Place::Overdue => return None,
            Place::Free => {
                if self.file.try_lock().is_ok() {
                    return Some(Ok(Turn(self.file.clone())));
                }
                self.thread.send(()).ok()?;
            }
            // Of one who was cancelled: nobody else of this process would ask.
            Place::TakenBy(_) => {}
        }
        let (sender, receiver) = oneshot::channel();
        *place = Place::TakenBy(sender);
        Some(Err(receiver))
    }

    fn give_up(&self) {
        let mut place = lock(&self.place);
        if matches!(*place, Place::TakenBy(_)) {
            *place = Place::Overdue;
        }
    }
}

fn wait_when_called(calls: &mpsc::Receiver<()>, file: &Arc<File>, place: &Mutex<Place>) {
    while calls.recv().is_ok() {
        let waited = Piece::Turn.isolated_blocking(|| file.lock().map(|()| Turn(file.clone())));
        // Held until the turn has gone or is over: the lock that somebody else of this process would
        // try is the same one.
        let mut place = lock(place);
        let taken = std::mem::replace(&mut *place, Place::Free);
        if let (Ok(Ok(turn)), Place::TakenBy(recipient)) = (waited, taken) {
            // Whoever has gone leaves the turn here, and it ends.
            let _ = recipient.send(turn);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two processes as the kernel sees them: each has opened the file for itself.
    fn two(directory: &Path, limit: Duration) -> (Turns, Turns) {
        let file = directory.join("turn");
        (Turns::open(&file, limit), Turns::open(&file, limit))
    }

    const LONG: Duration = Duration::from_secs(30);

    async fn soon<T>(what: impl Future<Output = T>) -> T {
        timeout(LONG, what).await.expect("it happens")
    }

    #[tokio::test]
    async fn a_turn_begins_when_the_one_before_ends() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = two(directory.path(), LONG);
        for _ in 0..100 {
            let turn = one.take().await.unwrap();
            let mut next = Box::pin(other.take());
            assert!(futures_util::poll!(&mut next).is_pending());
            drop(turn);
            assert!(soon(next).await.is_some());
        }
    }

    #[tokio::test]
    async fn a_turn_that_does_not_come_is_not_waited_for_again() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = two(directory.path(), Duration::from_millis(20));
        let turn = one.take().await.unwrap();
        assert!(other.take().await.is_none());
        // Without a clock that it could be waited by.
        let mut again = Box::pin(other.take());
        assert!(matches!(
            futures_util::poll!(&mut again),
            std::task::Poll::Ready(None)
        ));
        drop(turn);
        soon(async {
            while other.take().await.is_none() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_turn_that_nobody_waits_for_any_more_is_over_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = two(directory.path(), LONG);
        let turn = one.take().await.unwrap();
        let mut cancelled = Box::pin(other.take());
        assert!(futures_util::poll!(&mut cancelled).is_pending());
        drop(cancelled);
        drop(turn);
        for _ in 0..3 {
            assert!(soon(one.take()).await.is_some());
        }
        // Nor does it keep the next of its own process waiting.
        assert!(soon(other.take()).await.is_some());
    }

    #[tokio::test]
    async fn without_a_file_there_are_no_turns() {
        let turns = Turns::open(Path::new("/nowhere/turn"), LONG);
        assert!(turns.take().await.is_none());
    }
}
