//! A wall clock of a process' own, that can be set. Its monotonic clock goes on as ever.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The clock of the processes that are started with its environment.
pub struct Clock {
    directory: tempfile::TempDir,
    library: PathBuf,
}

impl Clock {
    /// Right for now.
    pub fn new() -> Self {
        let clock = Self {
            directory: tempfile::tempdir().unwrap(),
            library: library(),
        };
        clock.set(0);
        clock
    }

    /// Sets it so many seconds forward from the time that it is, or back.
    pub fn set(&self, seconds: i64) {
        let new = self.directory.path().join("new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        // Never seen half-written.
        fs::rename(new, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("clock")
    }

    /// What makes a process go by this clock.
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        // Redis comes with an allocator that asks for the time before the library can tell it.
        let libc = self.library.ancestors().nth(2).unwrap().join("libc.so.6");
        let variables = [
            (
                "LD_PRELOAD",
                format!("{} {}", text(&self.library), text(&libc)),
            ),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.file())),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }
}

impl Drop for Clock {
    /// The library leaves what it shares behind when its process is killed.
    fn drop(&mut self) {
        for entry in fs::read_dir("/dev/shm").unwrap().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kinds = ["faketime_shm_", "sem.faketime_sem_"];
            let process = kinds.iter().find_map(|kind| name.strip_prefix(kind));
            if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Debian keeps it in a folder named after the processor.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap();
    let places = folders.map(|folder| folder.unwrap().path().join("faketime/libfaketime.so.1"));
    let mut found = places.filter(|place| place.is_file());
    found
        .next()
        .expect("libfaketime is missing; ./test.sh installs it")
}
