//! Turns: which of the processes that share an embedded database writes next.
//!
//! SQLite waits for another process' transaction by sleeping ever longer between its tries, so on
//! a busy machine whoever has waited longest is the last to try again. Here the waiting is done in
//! the kernel's queue for a lock on a file of its own. The lock is a courtesy and never a
//! condition: what keeps two processes from writing at once is SQLite, and who gets no turn, since
//! another process was stopped in its own perhaps, goes to SQLite without one.

use std::{
    fs::File,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

/// The turns of one process. One of its threads at a time takes one.
pub struct Turns {
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

struct Queue {
    file: Arc<File>,
    /// Who gets the lock that the thread waits for, while it waits. A lock belongs to the open
    /// file: taken meanwhile from elsewhere, it would be two turns at once.
    waiting: Arc<Mutex<Option<Waiting>>>,
    thread: mpsc::Sender<()>,
}

type Waiting = oneshot::Sender<Turn>;

impl Turns {
    /// Opens the file, and creates it if need be.
    pub fn open(path: &Path, store_timeout: Duration) -> Self {
        let queue = Queue::open(path);
        if let Err(error) = &queue {
            tracing::debug!(path = %path.display(), %error, "processes take no turns");
        }
        Self {
            // What is left is for SQLite's own wait.
            limit: store_timeout / 2,
            queue: queue.ok(),
        }
    }

    /// Waits for this process' turn; `None` if it does not come.
    pub async fn take(&self) -> Option<Turn> {
        let queue = self.queue.as_ref()?;
        match queue.join() {
            Ok(turn) => Some(turn),
            Err(coming) => timeout(self.limit, coming).await.ok()?.ok(),
        }
    }
}

impl Queue {
    fn open(path: &Path) -> std::io::Result<Self> {
        let file = Arc::new(File::options().create(true).append(true).open(path)?);
        let waiting = Arc::default();
        let (thread, calls) = mpsc::channel();
        let (held, recipient) = (file.clone(), Arc::clone(&waiting));
        // Ends when `thread` is dropped. While it waits for the lock nothing can wake it, and so it
        // is not one that the end of a runtime waits for.
        thread::Builder::new()
            .name("turns".to_owned())
            .spawn(move || wait_when_called(&calls, &held, &recipient))?;
        Ok(Self {
            file,
            waiting,
            thread,
        })
    }

    /// The lock, if nobody has it, else a place in the queue for it.
    fn join(&self) -> Result<Turn, oneshot::Receiver<Turn>> {
        let mut waiting = lock(&self.waiting);
        if waiting.is_none() && matches!(self.file.try_lock(), Ok(())) {
            return Ok(Turn(self.file.clone()));
        }
        let (sender, receiver) = oneshot::channel();
        // Whoever has given up leaves the place in the queue to the next.
        if waiting.replace(sender).is_none() {
            let _ = self.thread.send(());
        }
        Err(receiver)
    }
}

fn wait_when_called(
    calls: &mpsc::Receiver<()>,
    file: &Arc<File>,
    waiting: &Mutex<Option<Waiting>>,
) {
    while calls.recv().is_ok() {
        let locked = file.lock();
        let mut waiting = lock(waiting);
        let recipient = waiting.take();
        if locked.is_ok() {
            let turn = Turn(file.clone());
            // If nobody waits any more, the turn is dropped and with it over.
            let _ = recipient.map(|recipient| recipient.send(turn));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
