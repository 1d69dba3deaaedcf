//! Notices what ends in the background.
//!
//! A process whose monitor, accept loop or queue has ended looks alive and is of
//! no use. So whatever runs in the background is watched, and what ends without
//! having been asked to, by itself or by a panic, ends the process: whoever
//! started it starts it again, whole.

use std::{borrow::Cow, fmt, io, panic::AssertUnwindSafe, thread};

use futures_util::FutureExt;
use tokio::{runtime, sync::mpsc};

use super::{Part, Vitals, faults};

/// Something that was watched and is over.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// What it was, as it stands in a sentence.
    pub what: Cow<'static, str>,
    /// Whether it panicked. The panic hook has logged the message and the place.
    pub panicked: bool,
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.panicked {
            true => "by a panic, which the log above has",
            false => "by itself",
        };
        write!(formatter, "{} ended unexpectedly, {why}", self.what)
    }
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

    /// Runs a part on the current runtime and watches it. Others of its kind, if there are, have the same name.
    pub fn spawn(&self, part: Part, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_named(part.name().into(), task);
    }

    /// Shows from now on that the thread of the current runtime turns.
    pub fn heartbeat(&self, thread: &str, beats: impl Future<Output = ()> + Send + 'static) {
        self.spawn_named(Part::Heartbeat.of(thread).into(), beats);
    }

    #[expect(clippy::disallowed_methods, reason = "this is what is to be called")]
    fn spawn_named(
        &self,
        what: Cow<'static, str>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let watch = self.watch(what.clone());
        tokio::spawn(async move {
            let _watch = watch;
            faults::with(what, task).await;
        });
    }

    /// Starts a thread with a runtime of its own, watches it and gives it a heartbeat. It ends with
    /// the work.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread or a runtime.
    #[expect(clippy::disallowed_methods, reason = "this is what is to be called")]
    pub fn thread<F: Future<Output = ()>>(
        &self,
        name: &str,
        vitals: &Vitals,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<()> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let what = Part::Thread.of(name);
        let watch = self.watch(what.clone().into());
        let beats = vitals.heartbeat(name);
        let (supervisor, thread) = (self.clone(), name.to_owned());
        let body = move || {
            // Dropped before the runtime and what else it watches there: this is what ended first.
            let _watch = watch;
            runtime.block_on(async {
                supervisor.heartbeat(&thread, beats);
                faults::with(what, work()).await;
            });
        };
        thread::Builder::new().name(name.to_owned()).spawn(body)?;
        Ok(())
    }

    fn watch(&self, what: Cow<'static, str>) -> Watch {
        Watch {
            what,
            ended: self.0.clone(),
        }
    }
}

/// Does the work of the main thread, which nobody else could watch.
///
/// # Errors
///
/// If it panicked.
pub async fn main_thread<T>(work: impl Future<Output = T>) -> Result<T, Ended> {
    let what = Part::Thread.of("main");
    let work = AssertUnwindSafe(faults::with(what.clone(), work));
    work.catch_unwind().await.map_err(|_| Ended {
        what: what.into(),
        panicked: true,
    })
}

/// Tells when it is dropped.
#[derive(Debug)]
struct Watch {
    what: Cow<'static, str>,
    ended: mpsc::UnboundedSender<Ended>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Nobody listens any more once the process ends.
        let _ = self.ended.send(Ended {
            what: std::mem::take(&mut self.what),
            panicked: thread::panicking(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(what: &'static str, panicked: bool) -> Option<Ended> {
        let what = what.into();
        Some(Ended { what, panicked })
    }

    #[tokio::test]
    async fn a_task_that_ends_or_panics_is_noticed() {
        let (supervisor, mut ends) = Supervisor::new();
        supervisor.spawn(Part::Monitor, async {});
        assert_eq!(ends.recv().await, ended("the monitor of the store", false));
        supervisor.spawn(Part::Queue, async {
            tokio::task::yield_now().await;
            panic!("a bug");
        });
        assert_eq!(ends.recv().await, ended("the queue of visits", true));
    }

    #[tokio::test]
    async fn a_thread_that_panics_is_noticed_before_what_it_runs() {
        let (supervisor, mut ends) = Supervisor::new();
        let inner = supervisor.clone();
        let work = || async move {
            inner.spawn(Part::Queue, std::future::pending());
            tokio::task::yield_now().await;
            panic!("a bug");
        };
        let vitals = Vitals::default();
        supervisor.thread("one", &vitals, work).unwrap();
        drop(supervisor);
        assert_eq!(ends.recv().await, ended("the thread one", true));
        let mut rest = [ends.recv().await, ends.recv().await].map(|ended| ended.unwrap().what);
        rest.sort();
        assert_eq!(rest, ["the heartbeat of one", "the queue of visits"]);
        assert_eq!(ends.recv().await, None);
    }

    #[tokio::test]
    async fn what_goes_on_is_not_noticed_and_in_the_end_nothing_is_watched() {
        let (supervisor, mut ends) = Supervisor::new();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        supervisor.spawn(Part::Monitor, async { stopped.await.unwrap_or_default() });
        tokio::task::yield_now().await;
        assert!(ends.try_recv().is_err());
        drop((stop, supervisor));
        assert_eq!(ends.recv().await, ended("the monitor of the store", false));
        assert_eq!(ends.recv().await, None);
    }

    #[tokio::test]
    async fn the_main_thread_says_that_it_panicked() {
        assert_eq!(main_thread(async { 7 }).await, Ok(7));
        let ended = main_thread(async { panic!("a bug") }).await.unwrap_err();
        let message = "the thread main ended unexpectedly, by a panic, which the log above has";
        assert_eq!(ended.to_string(), message);
    }
}
