//! Lets a test break any part, at any moment of its life. Builds without debug assertions, as
//! releases are, have none of this.
//!
//! The variable `TEST_FAULTS` names a folder. When a file `NAME.panic` appears in it, the part of
//! this name panics; while there is a file `NAME.hang`, its thread hangs, and while there is a file
//! `NAME.broken`, what [`is_broken`] is asked about does not do its work. Points of failure that
//! are set inside of the process, as the crate `fail` has them, could not be set from a test that
//! runs the real binary, nor in a part that waits.

use std::borrow::Cow;

/// Breaks this part here, if it is to be broken.
#[cfg(not(debug_assertions))]
pub fn strike(_: &str) {}

/// Runs this part, and breaks it when it is to be broken.
#[cfg(not(debug_assertions))]
pub fn with<F: Future>(_: impl Into<Cow<'static, str>>, work: F) -> F {
    work
}

/// Whether this is broken for as long as there is a file `NAME.broken`.
#[cfg(not(debug_assertions))]
pub fn is_broken(_: &str) -> bool {
    false
}

#[cfg(debug_assertions)]
pub use self::in_debug::{is_broken, strike, with};

#[cfg(debug_assertions)]
mod in_debug {
    use std::{env, fs, path::PathBuf, sync::LazyLock, thread, time::Duration};

    use super::Cow;

    static FOLDER: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| env::var_os("TEST_FAULTS").map(PathBuf::from));

    /// Between two looks whether there is a file.
    const PAUSE: Duration = Duration::from_millis(10);

    /// Whether there is a file that says so.
    pub fn is_broken(name: &str) -> bool {
        let folder = FOLDER.as_ref();
        folder.is_some_and(|folder| folder.join(format!("{name}.broken")).exists())
    }

    pub fn strike(name: &str) {
        let Some(folder) = &*FOLDER else { return };
        let [panics, hangs] = ["panic", "hang"].map(|how| folder.join(format!("{name}.{how}")));
        // Of several with this name, one panics: whoever removes the file.
        if fs::remove_file(panics).is_ok() {
            panic!("{name} is to panic");
        }
        while hangs.exists() {
            thread::sleep(PAUSE);
        }
    }

    pub async fn with<T>(name: impl Into<Cow<'static, str>>, work: impl Future<Output = T>) -> T {
        if FOLDER.is_none() {
            return work.await;
        }
        let name = name.into();
        let strikes = async {
            loop {
                strike(&name);
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            biased;
            // First, so that it is broken in the middle and not before its beginning.
            done = work => done,
            () = strikes => unreachable!("it never ends"),
        }
    }
}
