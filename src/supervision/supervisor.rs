//! Notices what ends in the background.
//!
//! A process whose monitor, accept loop or queue has ended looks alive and is of
//! no use. So whatever runs in the background is watched, and what ends without
//! having been asked to, by itself or by a panic, ends the process: whoever
//! started it starts it again, whole.

use tokio::sync::mpsc;

/// Something that was watched and is over.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// What it was, as it stands in a sentence.
    pub what: String,
    /// Whether it panicked. The panic hook has logged the message and the place.
    pub panicked: bool,
}

/// What ended, in this order; over when nothing is watched any more.
pub type Ends = mpsc::UnboundedReceiver<Ended>;

/// Watches threads and tasks.
#[derive(Debug, Clone)]
pub struct Supervisor(mpsc::UnboundedSender<Ended>);

impl Supervisor {
    /// A supervisor, and what it notices.
    pub fn new() -> (Self, Ends) {
        let (ended, ends) = mpsc::unbounded_channel();
        (Self(ended), ends)
    }

    /// Watches whoever holds this, a thread for instance, until it is dropped.
    pub fn watch(&self, what: impl Into<String>) -> Watch {
        Watch {
            what: what.into(),
            ended: self.0.clone(),
        }
    }

    /// Runs a task on the current runtime and watches it.
    pub fn spawn(
        &self,
        what: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let watch = self.watch(what);
        tokio::spawn(async move {
            let _watch = watch;
            task.await;
        })
    }
}

/// Tells when it is dropped.
#[derive(Debug)]
pub struct Watch {
    what: String,
    ended: mpsc::UnboundedSender<Ended>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Nobody listens any more once the process ends.
        let _ = self.ended.send(Ended {
            what: std::mem::take(&mut self.what),
            panicked: std::thread::panicking(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(what: &str, panicked: bool) -> Option<Ended> {
        let what = what.to_owned();
        Some(Ended { what, panicked })
    }

    #[tokio::test]
    async fn a_task_that_ends_or_panics_is_noticed() {
        let (supervisor, mut ends) = Supervisor::new();
        supervisor.spawn("one that ends", async {});
        assert_eq!(ends.recv().await, ended("one that ends", false));
        supervisor.spawn("one that panics", async {
            tokio::task::yield_now().await;
            panic!("a bug");
        });
        assert_eq!(ends.recv().await, ended("one that panics", true));
        let task = supervisor.spawn("one that is cancelled", std::future::pending());
        task.abort();
        assert_eq!(ends.recv().await, ended("one that is cancelled", false));
    }

    #[tokio::test]
    async fn a_thread_that_panics_is_noticed() {
        let (supervisor, mut ends) = Supervisor::new();
        let watch = supervisor.watch("a thread");
        let thread = std::thread::spawn(move || {
            let _watch = watch;
            panic!("a bug");
        });
        assert_eq!(ends.recv().await, ended("a thread", true));
        assert!(thread.join().is_err());
    }

    #[tokio::test]
    async fn what_goes_on_is_not_noticed_and_in_the_end_nothing_is_watched() {
        let (supervisor, mut ends) = Supervisor::new();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        supervisor.spawn("a task", async { stopped.await.unwrap_or_default() });
        tokio::task::yield_now().await;
        assert!(ends.try_recv().is_err());
        drop((stop, supervisor));
        assert_eq!(ends.recv().await, ended("a task", false));
        assert_eq!(ends.recv().await, None);
    }
}
