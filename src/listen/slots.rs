//! Slots: numbered paths that a proxy knows in advance.
//!
//! nginx is told of all slots once and never reloaded. So that a free slot is
//! no failed connect, its path is a symbolic link to the socket of a live
//! replica. A joining replica renames its socket over the link of the first
//! free slot, a leaving one renames a link over its socket, and the survivors
//! of one that crashed or hangs replace its socket by a link. Links are spread
//! evenly, so that a proxy that takes the slots in turn takes the replicas in turn.
//!
//! All of this happens under the lock of the directory, but for [`Slots::sockets`]
//! and [`Slots::are_tidy`].

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::{FileTypeExt, symlink},
    path::{Path, PathBuf},
};

use super::{
    directory::FileIdentity,
    occupant::{Occupant, occupant},
    socket_error::SocketError,
};
use crate::config::values::SLOTS;

/// A link is made under this name and renamed into place.
const NEW_LINK: &str = ".link";

/// What is at a slot's path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot {
    /// Nothing, or nobody that serves.
    Free,
    /// A link to a slot, by its path.
    Link(PathBuf),
    /// A socket.
    Socket(FileIdentity),
    /// Nothing of ours.
    Foreign,
}

/// Whether somebody serves on the socket at this path, as far as one knows.
pub type Serves<'a> = &'a dyn Fn(&Path, FileIdentity) -> bool;

/// Whether somebody listens at this path; whoever cannot be asked does.
pub fn listens(path: &Path, _: FileIdentity) -> bool {
    !matches!(occupant(path), Ok(Occupant::Nothing | Occupant::Stale))
}

/// The paths of all slots.
#[derive(Debug, Clone)]
pub struct Slots {
    paths: Vec<PathBuf>,
}

impl Slots {
    /// The slots whose paths this gives.
    pub fn new(path: impl Fn(u16) -> PathBuf) -> Self {
        Self {
            paths: (1..=SLOTS).map(path).collect(),
        }
    }

    /// The path of slot 1.
    pub fn first(&self) -> &Path {
        &self.paths[0]
    }

    /// The first path a replica may take.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn first_free(&self) -> Result<PathBuf, SocketError> {
        for path in &self.paths {
            match self.slot(path)? {
                Slot::Free | Slot::Link(_) => return Ok(path.clone()),
                Slot::Socket(identity) if !listens(path, identity) => return Ok(path.clone()),
                Slot::Socket(_) | Slot::Foreign => {}
            }
        }
        Err(SocketError::NoFreeSlot)
    }

    /// The slots that are sockets, in their order.
    ///
    /// # Errors
    ///
    /// If it cannot be told.
    pub fn sockets(&self) -> io::Result<Vec<(PathBuf, FileIdentity)>> {
        let mut sockets = Vec::new();
        for path in &self.paths {
            if let Slot::Socket(identity) = self.slot(path)? {
                sockets.push((path.clone(), identity));
            }
        }
        Ok(sockets)
    }

    /// Makes every free slot a link to a live replica, each replica having as
    /// many as the others. Without a live replica there are no links.
    ///
    /// # Errors
    ///
    /// If the directory cannot be changed.
    pub fn spread(&self, serves: Serves) -> io::Result<()> {
        self.change(None, serves)
    }

    /// Gives a slot of ours up: its path leads to another replica, if there is
    /// one, without a moment at which it leads nowhere.
    ///
    /// # Errors
    ///
    /// If the directory cannot be changed.
    pub fn leave(&self, own: &Path, serves: Serves) -> io::Result<()> {
        self.change(Some(own), serves)
    }

    fn change(&self, leaving: Option<&Path>, serves: Serves) -> io::Result<()> {
        let changes = self.plan(leaving, serves)?;
        changes
            .iter()
            .try_for_each(|(path, target)| place(path, *target))
    }

    /// Whether every slot is a live replica or leads to one.
    ///
    /// # Errors
    ///
    /// If it cannot be told.
    pub fn are_tidy(&self, serves: Serves) -> io::Result<bool> {
        Ok(self.plan(None, serves)?.is_empty())
    }

    /// What is to be changed: a path, and the live replica it should lead to, if
    /// there is one. `leaving` counts as free.
    fn plan(
        &self,
        leaving: Option<&Path>,
        serves: Serves,
    ) -> io::Result<Vec<(&Path, Option<&OsStr>)>> {
        let slots = self.paths.iter().map(|path| {
            let slot = match self.slot(path)? {
                Slot::Socket(_) if leaving == Some(path) => Slot::Free,
                Slot::Socket(identity) if !serves(path, identity) => Slot::Free,
                slot => slot,
            };
            Ok((path.as_path(), slot))
        });
        let slots = slots.collect::<io::Result<Vec<_>>>()?;
        let live: Vec<&OsStr> = slots
            .iter()
            .filter(|(_, slot)| matches!(slot, Slot::Socket(_)))
            .filter_map(|(path, _)| path.file_name())
            .collect();
        let mut targets = live.iter().copied().cycle();
        let mut changes = Vec::new();
        for (path, slot) in slots
            .iter()
            .filter(|(_, slot)| matches!(slot, Slot::Free | Slot::Link(_)))
        {
            let target = targets.next();
            let tidy = match (slot, target) {
                (Slot::Link(at), Some(target)) => at.as_os_str() == target,
                (Slot::Free, None) => fs::symlink_metadata(path).is_err(),
                _ => false,
            };
            if !tidy {
                changes.push((*path, target));
            }
        }
        Ok(changes)
    }

    fn slot(&self, path: &Path) -> io::Result<Slot> {
        if let Ok(target) = fs::read_link(path) {
            // Links of ours name a sibling; any other is somebody's own.
            let ours = self
                .paths
                .iter()
                .any(|slot| slot.file_name() == Some(target.as_os_str()));
            return Ok(if ours {
                Slot::Link(target)
            } else {
                Slot::Foreign
            });
        }
        match fs::symlink_metadata(path) {
            Ok(file) if file.file_type().is_socket() => Ok(Slot::Socket((&file).into())),
            Ok(_) => Ok(Slot::Foreign),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Slot::Free),
            Err(error) => Err(error),
        }
    }
}

/// Replaces what is at the path by a link, or removes it.
fn place(path: &Path, target: Option<&OsStr>) -> io::Result<()> {
    let Some(target) = target else {
        return fs::remove_file(path);
    };
    let new = path.with_file_name(NEW_LINK);
    let _ = fs::remove_file(&new);
    symlink(target, &new)?;
    fs::rename(&new, path)
}
