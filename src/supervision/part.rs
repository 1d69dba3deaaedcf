//! What runs in the background, all of it: nothing else may start a task or a thread (`clippy.toml`
//! sees to that), so that of each it is decided what becomes of the process when it panics.

use std::{fmt, io, panic::AssertUnwindSafe, thread};

use futures_util::FutureExt;
use tokio::{
    runtime::Handle,
    task::{JoinHandle, JoinSet},
};
use tokio_util::task::TaskTracker;

use super::faults;

/// An enumeration with all of its variants, and the name of each as it stands in a sentence.
macro_rules! named {
    ($(#[$about:meta])* $kind:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $kind {
            $($(#[$doc])* $variant,)+
        }

        impl $kind {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name, as it stands in a sentence.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}

named! {
    /// Without this the process looks alive and is of no use: when it ends, by itself or by a panic,
    /// the process ends.
    Part {
        /// A thread, with whatever it is for. The name of the thread follows.
        Thread = "the thread",
        /// What shows that a thread turns. The name of the thread follows.
        Heartbeat = "the heartbeat of",
        /// Accepting from one listener on one thread.
        Accepting = "accepting",
        /// The internal listener.
        InternalListener = "the internal listener",
        /// What empties the queue of a worker.
        Queue = "the queue of visits",
        /// What asks the store whether it is there.
        Monitor = "the monitor of the store",
        /// What asks the database whether it can be used.
        DatabaseMonitor = "the monitor of the database",
        /// What sends mails.
        MailSender = "the sender of mails",
        /// What writes and tidies the audit trail.
        Audit = "the audit trail",
        /// What takes out of the database what nobody asks for any more.
        Cleanup = "the cleanup of the database",
        /// What reads the write keys of web pages.
        WriteKeys = "the reader of write keys",
        /// What makes the salts of days, and forgets them.
        VisitorSalts = "the keeper of visitors' salts",
        /// What writes into the database what Redis has of visits.
        Drain = "the record of visits",
        /// What thins, sums up and ends what is in the record.
        Upkeep = "the upkeep of the record",
        /// What reads the numbers that somebody looks at.
        LiveNumbers = "the reader of live numbers",
        /// What reads what was revoked, and publishes what nobody has.
        Revocations = "the monitor of revocations",
    }
}

named! {
    /// Something that ends by itself, and of which the next one may do better: a panic costs this one.
    Piece {
        /// A connection of a client.
        Connection = "a connection",
        /// A batch of visits: whether these were counted is unknown.
        Batch = "a batch of visits",
        /// A login: it is answered 500.
        Login = "a login",
        /// The hash of a password: its login is answered 500.
        PasswordHash = "the hash of a password",
        /// A charge for a login that is given back later: it is kept for the throttle's window.
        Refund = "a charge that is given back",
        /// A question to a sibling: nothing is known of it in this round.
        Look = "a look at a sibling",
        /// A report of an error: it is in the log only.
        Report = "a report of an error",
        /// An operation of the database: who asked for it is told that its outcome is unknown. Or what
        /// comes after one: its connection is closed.
        Operation = "an operation of the database",
        /// Looking up the name of the database's host: it is looked up again.
        Lookup = "looking up the database's host",
        /// Noting that an API token was used: its next use is noted, a minute later.
        LastUse = "noting the last use of an API token",
        /// A try to send a mail: it is tried again when its lease ends.
        Mail = "a try to send a mail",
        /// The wait for a turn at an embedded database: a visit goes on without.
        Turn = "the wait for a turn",
        /// The OpenAPI document: who asked for it is answered 500, and the next one has it made again.
        Document = "making the OpenAPI document",
    }
}

impl Part {
    /// This one of several.
    pub fn of(self, instance: &str) -> String {
        format!("{self} {instance}")
    }

    /// Runs a part of another one on the current runtime. Whoever joins the set passes a panic on.
    #[expect(clippy::disallowed_methods, reason = "this is what is to be called")]
    pub fn join_in<T: Send + 'static>(
        self,
        set: &mut JoinSet<T>,
        task: impl Future<Output = T> + Send + 'static,
    ) {
        set.spawn(faults::with(self.name(), task));
    }
}

/// It panicked. The panic hook has logged the message and the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} was ended by a bug; the log has the panic")]
pub struct Panicked(pub Piece);

#[expect(clippy::disallowed_methods, reason = "these are what is to be called")]
impl Piece {
    /// Runs it on the current runtime.
    pub fn spawn<T: Send + 'static>(
        self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        tokio::spawn(faults::with(self.name(), task))
    }

    /// Runs it on that runtime.
    pub fn spawn_on<T: Send + 'static>(
        self,
        runtime: &Handle,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        runtime.spawn(faults::with(self.name(), task))
    }

    /// Runs it on the current runtime, for one who waits for all that are tracked.
    pub fn track<T: Send + 'static>(
        self,
        tracker: &TaskTracker,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        tracker.spawn(faults::with(self.name(), task))
    }

    /// Runs what blocks on a thread for that.
    pub fn blocking<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        tokio::task::spawn_blocking(move || {
            faults::strike(self.name());
            work()
        })
    }

    /// Starts a thread that does one after the other, each [isolated](Self::isolated).
    ///
    /// # Errors
    ///
    /// If the system refuses a thread.
    pub fn thread(self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        thread::Builder::new().name(name.to_owned()).spawn(body)?;
        Ok(())
    }

    /// Does it here, so that a panic ends nothing else. What it has changed must be right even
    /// when it was left in the middle.
    ///
    /// # Errors
    ///
    /// If it panicked.
    pub async fn isolated<T>(self, work: impl Future<Output = T>) -> Result<T, Panicked> {
        let work = AssertUnwindSafe(faults::with(self.name(), work));
        work.catch_unwind().await.map_err(|_| Panicked(self))
    }

    /// [`Self::isolated`], for what blocks.
    ///
    /// # Errors
    ///
    /// If it panicked.
    pub fn isolated_blocking<T>(self, work: impl FnOnce() -> T) -> Result<T, Panicked> {
        let work = || {
            faults::strike(self.name());
            work()
        };
        std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked(self))
    }
}
