//! A directory of slots, as its replicas keep it.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use super::{Footfall, eventually, footfall::Builder};

/// As many as there are.
pub const SLOTS: usize = 32;

pub struct Slots(PathBuf);

impl Slots {
    /// The slots of this directory.
    pub fn of(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    pub fn slot(&self, number: usize) -> PathBuf {
        self.0.join(format!("{number}.sock"))
    }

    pub fn template(&self) -> PathBuf {
        self.0.join("{slot}.sock")
    }

    /// A replica of this directory.
    pub fn replica(&self) -> Builder {
        Footfall::builder().socket(&self.template())
    }

    /// The slots that are sockets.
    pub fn sockets(&self) -> Vec<usize> {
        (1..=SLOTS)
            .filter(|slot| is_socket(&self.slot(*slot)))
            .collect()
    }

    /// Waits until these slots are sockets, and no others.
    #[track_caller]
    pub fn become_sockets(&self, expected: &[usize]) {
        eventually(&format!("the sockets are {expected:?}"), || {
            (self.sockets() == expected).then_some(())
        });
    }

    /// The inodes of the slots that are sockets.
    pub fn inodes(&self) -> Vec<u64> {
        let sockets = self.sockets().into_iter();
        let inode = |slot| self.slot(slot).symlink_metadata().map(|file| file.ino());
        sockets.filter_map(|slot| inode(slot).ok()).collect()
    }

    /// How many slots lead to each socket.
    pub fn spread(&self) -> HashMap<PathBuf, usize> {
        let mut spread = HashMap::new();
        for slot in (1..=SLOTS).map(|slot| self.slot(slot)) {
            if let Ok(target) = fs::read_link(&slot) {
                *spread.entry(target).or_default() += 1;
            }
        }
        spread
    }
}

pub fn is_socket(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|file| file.file_type().is_socket())
}
