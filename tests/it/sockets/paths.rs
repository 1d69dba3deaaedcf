//! Paths that cannot be used, told by a start and by `footfall doctor` alike.

use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    process::Command,
};

use super::{refused_as, unix};
use crate::support::{
    Footfall,
    client::pings,
    directories::both,
    footfall::{footfall_command, unprivileged_footfall_command},
    process::run,
};

/// What `footfall doctor` finds to be bad about this listener.
fn diagnosis(mut command: Command, directory: &Path, listen: &str) -> String {
    command
        .current_dir(directory)
        .args(["doctor", "--listen", listen]);
    let output = run(&mut command);
    let found = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{found}");
    found
}

/// A path of this many bytes.
fn path_of(directory: &Path, bytes: usize) -> PathBuf {
    let rest = bytes - directory.as_os_str().len() - 1;
    directory.join("x".repeat(rest))
}

#[tokio::test]
async fn the_longest_path_works_and_a_longer_one_is_refused() {
    for directory in both() {
        let longest = path_of(directory.path(), 100);
        let footfall = Footfall::builder().socket(&longest).start();
        assert!(pings(&longest).await);
        drop(footfall);
        for length in [101, 108, 300] {
            let listen = unix(&path_of(directory.path(), length));
            let expected = format!("the path is {length} bytes long; the limit is 100");
            let message = refused_as(footfall_command(), directory.path(), &listen);
            assert!(message.contains(&expected), "{message}");
            let found = diagnosis(footfall_command(), directory.path(), &listen);
            assert!(found.contains(&expected), "{found}");
        }
    }
}

#[test]
fn doctor_counts_what_placeholders_become() {
    let directory = tempfile::tempdir().unwrap();
    for (placeholder, bytes) in [("{slot}", 2), ("{pid}", 7)] {
        let path_with = |length: usize| {
            let path = path_of(directory.path(), length - bytes);
            format!("{}{placeholder}", unix(&path))
        };
        let found = diagnosis(footfall_command(), directory.path(), &path_with(101));
        assert!(found.contains("the path is 101 bytes long"), "{found}");
        let fits = footfall_command()
            .current_dir(directory.path())
            .args(["doctor", "--listen", &path_with(100)])
            .output()
            .unwrap();
        assert_eq!(fits.status.code(), Some(0), "{fits:?}");
    }
}

#[test]
fn a_directory_that_may_not_be_written() {
    for directory in both() {
        let locked = directory.path().join("locked");
        fs::create_dir(&locked).unwrap();
        fs::set_permissions(&locked, Permissions::from_mode(0o555)).unwrap();
        let listen = unix(&locked.join("f.sock"));
        let message = refused_as(unprivileged_footfall_command(), directory.path(), &listen);
        assert!(
            message.contains("locked or its .footfall.lock may not be written by this user"),
            "{message}"
        );
        let found = diagnosis(unprivileged_footfall_command(), directory.path(), &listen);
        assert!(found.contains("may not be written by this user"), "{found}");
        assert_eq!(fs::read_dir(&locked).unwrap().count(), 0);
    }
}

#[test]
fn a_lock_that_may_not_be_written() {
    for directory in both() {
        let lock = directory.path().join(".footfall.lock");
        fs::write(&lock, "").unwrap();
        fs::set_permissions(&lock, Permissions::from_mode(0o444)).unwrap();
        let listen = unix(&directory.path().join("f.sock"));
        let message = refused_as(unprivileged_footfall_command(), directory.path(), &listen);
        assert!(
            message.contains("or its .footfall.lock may not be written by this user"),
            "{message}"
        );
    }
}

#[test]
fn a_directory_that_is_missing_or_none() {
    for directory in both() {
        fs::write(directory.path().join("file"), "").unwrap();
        for (path, said, found) in [
            (
                "missing/f.sock",
                "does not exist; create it",
                "create the directory",
            ),
            ("file/f.sock", "is not a directory", "is not a directory"),
        ] {
            let listen = unix(&directory.path().join(path));
            let message = refused_as(footfall_command(), directory.path(), &listen);
            assert!(message.contains(said), "{message}");
            let diagnosed = diagnosis(footfall_command(), directory.path(), &listen);
            assert!(diagnosed.contains(found), "{diagnosed}");
        }
    }
}

/// Whoever listens there cannot be asked, and so is not to be replaced.
#[test]
fn a_socket_one_may_not_connect_to_is_left_alone() {
    for directory in both() {
        let path = directory.path().join("f.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
        let message = refused_as(
            unprivileged_footfall_command(),
            directory.path(),
            &unix(&path),
        );
        assert!(
            message.contains("another process is listening there"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn what_replaces_a_stale_socket_has_its_own_mode() {
    for directory in both() {
        let path = directory.path().join("f.sock");
        drop(UnixListener::bind(&path).unwrap());
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        let _footfall = Footfall::builder().socket(&path).start();
        let mode = path.symlink_metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        assert!(pings(&path).await);
    }
}
