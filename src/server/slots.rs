//! Slots: numbered paths that a proxy knows in advance.
//!
//! nginx is told of all slots once and never reloaded. So that a free slot is
//! no failed connect, its path is a symbolic link to the socket of a live
//! replica. A joining replica renames its socket over the link of the first
//! free slot, a leaving one renames a link over its socket, and the survivors
//! of a crashed one replace its stale socket by a link. Links are spread evenly,
//! so that a proxy that takes the slots in turn takes the replicas in turn.
//!
//! All of this happens under the lock of the directory, but for [`Slots::are_tidy`].

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::socket::{Occupant, SocketError, occupant};

/// Slots there are: 1 to this. The proxy declares as many servers, or fewer.
pub const SLOTS: u16 = 32;

/// A link is made under this name and renamed into place.
const NEW_LINK: &str = ".link";

/// What is at a slot's path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot {
    /// Nothing, or a socket nobody listens on.
    Free,
    /// A link to a slot, by its path.
    Link(PathBuf),
    /// A replica.
    Live,
    /// Nothing of ours.
    Foreign,
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

    /// The first path a replica may take.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn first_free(&self) -> Result<PathBuf, SocketError> {
        for path in &self.paths {
            if matches!(self.slot(path)?, Slot::Free | Slot::Link(_)) {
                return Ok(path.clone());
            }
        }
        Err(SocketError::NoFreeSlot)
    }

    /// Makes every free slot a link to a live replica, each replica having as
    /// many as the others. Without a live replica there are no links.
    ///
    /// # Errors
    ///
    /// If the directory cannot be changed.
    pub fn spread(&self) -> io::Result<()> {
        self.change(None)
    }

    /// Gives a slot of ours up: its path leads to another replica, if there is
    /// one, without a moment at which it leads nowhere.
    ///
    /// # Errors
    ///
    /// If the directory cannot be changed.
    pub fn leave(&self, own: &Path) -> io::Result<()> {
        self.change(Some(own))
    }

    fn change(&self, leaving: Option<&Path>) -> io::Result<()> {
        let changes = self.plan(leaving)?;
        changes
            .iter()
            .try_for_each(|(path, target)| place(path, *target))
    }

    /// Whether every slot is a live replica or leads to one.
    ///
    /// # Errors
    ///
    /// If it cannot be told.
    pub fn are_tidy(&self) -> io::Result<bool> {
        Ok(self.plan(None)?.is_empty())
    }

    /// What is to be changed: a path, and the live replica it should lead to, if
    /// there is one. `leaving` counts as free.
    fn plan(&self, leaving: Option<&Path>) -> io::Result<Vec<(&Path, Option<&OsStr>)>> {
        let slots = self.paths.iter().map(|path| match self.slot(path)? {
            Slot::Live if leaving == Some(path) => Ok((path.as_path(), Slot::Free)),
            slot => Ok((path.as_path(), slot)),
        });
        let slots = slots.collect::<io::Result<Vec<_>>>()?;
        let live: Vec<&OsStr> = slots
            .iter()
            .filter(|(_, slot)| *slot == Slot::Live)
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
                (Slot::Free, None) => leaving != Some(path),
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
        Ok(match occupant(path)? {
            Occupant::Nothing | Occupant::Stale => Slot::Free,
            Occupant::Live => Slot::Live,
            Occupant::Foreign => Slot::Foreign,
        })
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
