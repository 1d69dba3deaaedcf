//! The embedded store.

use std::path::Path;

use super::{Findings, directory_of};
use crate::storage::sql::{migrations::newest, sqlite::Schema};

pub fn check(path: &Path, schema: Schema, findings: &mut Findings) {
    let shown = path.display();
    match schema {
        Schema::Missing => check_creatable(path, findings),
        Schema::Current => {
            findings.good(format_args!("{shown} is up to date"));
            check_writable(path, findings);
        }
        Schema::Older => {
            findings.good(format_args!(
                "{shown} will be brought up to date by the next start"
            ));
            check_writable(path, findings);
        }
        Schema::Newer(layout) => match layout.admits(newest()) {
            Ok(()) => {
                findings.good(format_args!(
                    "{shown} is of a newer version, and can be used: {layout}"
                ));
                check_writable(path, findings);
            }
            Err(error) => findings.bad(format_args!("{shown}: {error}"), "upgrade Footfall"),
        },
    }
    findings.warning(
        "counts are in a file of this machine",
        "replicas on several machines need a shared store: set REDIS_URL",
    );
}

/// Beside the database SQLite keeps its log, so the directory must be writable as well.
fn check_writable(database: &Path, findings: &mut Findings) {
    for path in [database, directory_of(database)] {
        if rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() {
            findings.bad(
                format_args!("{} may not be written by this user", path.display()),
                "chown it to the user Footfall runs as",
            );
        }
    }
}

fn check_creatable(database: &Path, findings: &mut Findings) {
    let shown = database.display();
    let existing = database
        .ancestors()
        .skip(1)
        .find(|ancestor| ancestor.exists());
    let directory = existing
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if directory.is_dir() && rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_ok() {
        findings.good(format_args!(
            "{shown} does not exist yet; the first start creates it"
        ));
    } else {
        findings.bad(
            format_args!("{shown} cannot be created"),
            format_args!(
                "{} is no directory this user may write to",
                directory.display()
            ),
        );
    }
}
