//! The life cycle of a Unix socket's path.
//!
//! A socket is bound under a hidden name, given its mode, and renamed into
//! place: there is no moment at which it can be reached with the wrong mode.
//! A stale socket (a connect is refused) is replaced, a live one is left alone
//! and the process refuses to start; anything that is no socket is never
//! touched. A lock file in the directory makes looking and renaming one step
//! among the processes that share it.
//!
//! A socket is published once and withdrawn once. One whose path was lost cannot
//! have it back, since no name leads to it any more: another one takes its place.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use socket2::Socket;

use super::{directory, slots::Slots, socket_error::MAX_PATH_BYTES};
pub use super::{
    directory::FileIdentity,
    occupant::{Occupant, occupant},
    slots::{Serves, listens},
    socket_error::SocketError,
};
use crate::config::values::{SLOTS, SocketTemplate};

/// The largest process id Linux gives, with seven digits.
const MAX_PID: u32 = 1 << 22;

/// Where a template leads.
#[derive(Debug, Clone)]
pub enum Paths {
    /// To one path.
    One(PathBuf),
    /// To the first free of these.
    Slots(Slots),
}

impl Paths {
    /// The paths of this process on this machine.
    pub fn of(template: &SocketTemplate) -> Self {
        let hostname = hostname();
        let pid = std::process::id();
        let expand = |slot| PathBuf::from(template.expand(&hostname, pid, slot));
        match template.has_slot() {
            true => Self::Slots(Slots::new(expand)),
            false => Self::One(expand(1)),
        }
    }

    /// The path, or that of slot 1.
    pub fn first(&self) -> &Path {
        match self {
            Self::One(path) => path,
            Self::Slots(slots) => slots.first(),
        }
    }

    /// The path a socket may be published under.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn free(&self) -> Result<PathBuf, SocketError> {
        match self {
            Self::Slots(slots) => slots.first_free(),
            Self::One(path) => match occupant(path)? {
                Occupant::Nothing | Occupant::Stale => Ok(path.clone()),
                Occupant::Live => Err(SocketError::Live),
                Occupant::Foreign => Err(SocketError::Foreign),
            },
        }
    }
}

/// A listening socket that only a hidden name leads to.
#[derive(Debug)]
pub struct HiddenSocket {
    paths: Paths,
    mode: u32,
    hidden: PathBuf,
    identity: FileIdentity,
}

/// Binds a socket that is to be published under one of these paths.
///
/// # Errors
///
/// If the directory cannot be used.
pub fn bind(paths: &Paths, mode: u32) -> Result<(Socket, HiddenSocket), SocketError> {
    within_length(paths.first())?;
    let _lock = directory::lock(paths.first(), mode)?;
    let (socket, hidden, identity) = directory::bind_hidden(paths.first(), mode)?;
    let hidden = HiddenSocket {
        paths: paths.clone(),
        mode,
        hidden,
        identity,
    };
    Ok((socket, hidden))
}

impl HiddenSocket {
    /// The hidden name.
    pub fn path(&self) -> &Path {
        &self.hidden
    }

    /// Publishes it under the path, or the first free slot.
    ///
    /// # Errors
    ///
    /// If the path, or every slot, is somebody else's; the path is told.
    pub fn publish(self) -> Result<PublishedSocket, (PathBuf, SocketError)> {
        let first = self.paths.first().to_owned();
        let describe = |error| (first.clone(), error);
        // Held until the path is published.
        let lock = directory::lock(&first, self.mode).map_err(describe)?;
        directory::sweep(&first);
        let path = self.paths.free().map_err(describe)?;
        let publish = || -> Result<(), SocketError> {
            within_length(&path)?;
            Ok(fs::rename(&self.hidden, &path)?)
        };
        publish().map_err(|error| (path.clone(), error))?;
        let published = PublishedSocket {
            path: path.clone(),
            identity: self.identity,
            mode: self.mode,
            paths: self.paths.clone(),
        };
        let spread = match &published.paths {
            Paths::Slots(slots) => slots.spread(&listens),
            Paths::One(_) => Ok(()),
        };
        // If that failed, the path is withdrawn again, which must not wait for ourselves.
        drop(lock);
        spread.map_err(|error| (path, error.into()))?;
        Ok(published)
    }
}

impl Drop for HiddenSocket {
    fn drop(&mut self) {
        // Gone, if it was published.
        let _ = fs::remove_file(&self.hidden);
    }
}

/// A path that leads to our socket.
#[derive(Debug)]
pub struct PublishedSocket {
    path: PathBuf,
    /// Which file at the path is ours.
    identity: FileIdentity,
    mode: u32,
    paths: Paths,
}

impl PublishedSocket {
    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Withdraws the path, if it still leads to our socket: nobody new finds it.
    /// Only to be called while the socket is open: once it is closed, its inode
    /// may be another's.
    pub fn withdraw(&self) {
        if !self.is_ours() {
            return;
        }
        let lock = directory::lock(&self.path, self.mode);
        // While it was waited for, a successor may have put its own socket there.
        if !self.is_ours() {
            return;
        }
        let result = match (lock, &self.paths) {
            (Ok(_lock), Paths::Slots(slots)) => slots.leave(&self.path, &listens),
            (Ok(_lock), Paths::One(_)) => self.remove(),
            (Err(error), _) => {
                // Shutting down must not depend on the others. But only our own path is ours to
                // change then: a link put elsewhere could replace what a successor puts there.
                // The survivors put the slots in order.
                tracing::warn!(path = %self.path.display(), %error, "the socket's path is withdrawn without the lock");
                self.remove()
            }
        };
        if let Err(error) = result {
            tracing::warn!(path = %self.path.display(), %error, "the socket's path could not be withdrawn");
        }
    }

    /// Writing to the log may have waited, too.
    fn remove(&self) -> io::Result<()> {
        match self.is_ours() {
            true => fs::remove_file(&self.path),
            false => Ok(()),
        }
    }

    /// Has our slot lead to others that serve, at once or not at all. One path
    /// alone leads to nobody else.
    ///
    /// # Errors
    ///
    /// If the lock is held, or the directory cannot be changed.
    pub fn give_up_slot(&self, serves: Serves) -> Result<(), SocketError> {
        if let Paths::Slots(slots) = &self.paths {
            // Not waited for: who holds the lock will be done in the next round.
            let _lock = directory::try_lock(&self.path, self.mode)?;
            if self.is_ours() {
                slots.leave(&self.path, serves)?;
            }
        }
        Ok(())
    }

    /// Puts the slots in order that others have left, as far as one knows who
    /// serves.
    ///
    /// # Errors
    ///
    /// If the lock is held, or the directory cannot be changed.
    pub fn repair(&self, serves: Serves) -> Result<(), SocketError> {
        let Paths::Slots(slots) = &self.paths else {
            return Ok(());
        };
        if slots.are_tidy(serves)? {
            return Ok(());
        }
        // Not waited for: who holds the lock puts the slots in order, or the next round does.
        let _lock = directory::try_lock(&self.path, self.mode)?;
        if self.is_ours() {
            slots.spread(serves)?;
            directory::sweep(&self.path);
        }
        Ok(())
    }

    /// Whether the path leads to our socket.
    pub fn is_ours(&self) -> bool {
        fs::symlink_metadata(&self.path)
            .is_ok_and(|file| FileIdentity::from(&file) == self.identity)
    }
}

impl Drop for PublishedSocket {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// Whether every path that a template may give on this machine is short enough.
///
/// # Errors
///
/// [`SocketError::TooLong`]
pub fn check_length(template: &SocketTemplate) -> Result<(), SocketError> {
    within_length(Path::new(&template.expand(&hostname(), MAX_PID, SLOTS)))
}

fn within_length(path: &Path) -> Result<(), SocketError> {
    match path.as_os_str().len() {
        0..=MAX_PATH_BYTES => Ok(()),
        length => Err(SocketError::TooLong(length)),
    }
}

/// The name of this host, as `{hostname}` stands for it.
pub fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::net::UnixListener,
        sync::atomic::{AtomicUsize, Ordering},
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    /// Descriptors of this process that are open on this file.
    fn open_on(file: &Path) -> usize {
        let all = fs::read_dir("/proc/self/fd").unwrap().flatten();
        all.filter(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))
            .count()
    }

    /// A lock that was broken keeps nobody apart: whoever was taken to hang with it may go on.
    #[test]
    fn two_at_once_fail_with_nothing_but_that_the_other_was_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let template: SocketTemplate = format!("{}/{{slot}}.sock", folder.path().display())
            .parse()
            .unwrap();
        let paths = Paths::of(&template);
        let Paths::Slots(slots) = &paths else {
            unreachable!("there is a {{slot}}");
        };
        let (_listening, hidden) = bind(&paths, 0o660).unwrap();
        let _published = hidden.publish().unwrap();
        let bind = || directory::bind_hidden(paths.first(), 0o660).map(drop);
        let sweep = || {
            directory::sweep(paths.first());
            Ok(())
        };
        let mend = || {
            let _ = fs::remove_file(folder.path().join("7.sock"));
            slots.spread(&listens)
        };
        let pairs: [[&(dyn Fn() -> io::Result<()> + Sync); 2]; 2] =
            [[&bind, &sweep], [&mend, &mend]];
        for (number, pair) in pairs.into_iter().enumerate() {
            let begin = Instant::now();
            let met = AtomicUsize::new(0);
            thread::scope(|scope| {
                for work in pair {
                    let met = &met;
                    scope.spawn(move || {
                        while met.load(Ordering::Relaxed) < 10 {
                            assert!(begin.elapsed() < Duration::from_secs(60), "pair {number}");
                            match work().map_err(SocketError::from) {
                                Ok(()) => {}
                                Err(SocketError::Overtaken(_)) => {
                                    met.fetch_add(1, Ordering::Relaxed);
                                }
                                Err(error) => panic!("pair {number}: {error:?}"),
                            }
                        }
                    });
                }
            });
        }
    }

    /// Whoever has the lock when a replica leaves may be its successor.
    #[test]
    fn a_successor_that_came_while_the_lock_was_waited_for_keeps_its_socket() {
        for (name, gives_the_lock_back) in [
            ("f.sock", true),
            ("f.sock", false),
            ("{slot}.sock", true),
            ("{slot}.sock", false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().canonicalize().unwrap();
            let template = folder.join(name).to_str().unwrap().parse().unwrap();
            let (_listening, hidden) = bind(&Paths::of(&template), 0o660).unwrap();
            let published = hidden.publish().unwrap();
            let path = published.path().to_owned();
            let lock = directory::lock(&path, 0o660).unwrap();
            let lock_file = folder.join(".footfall.lock");

            let leaving = thread::spawn(move || published.withdraw());
            let begin = Instant::now();
            while open_on(&lock_file) < 2 {
                assert!(begin.elapsed() < Duration::from_secs(30), "it waits");
                thread::sleep(Duration::from_millis(1));
            }
            let _successor = UnixListener::bind(folder.join("new")).unwrap();
            fs::rename(folder.join("new"), &path).unwrap();
            let held = (!gives_the_lock_back).then_some(lock);
            leaving.join().unwrap();
            assert_eq!(occupant(&path).unwrap(), Occupant::Live, "{name}");
            drop(held);
        }
    }
}
