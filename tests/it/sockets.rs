//! The life cycle of a Unix socket's path, on a disk and in memory.

use std::{
    fs,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    path::Path,
    process::{Command, Output},
};

use crate::support::{
    Footfall, client::pings, directories::both, footfall::footfall_command, process::run,
};

mod lost;
mod overtaken;
mod paths;
mod queue;
mod races;
mod successors;

/// Tries to start on this path; the service is expected to refuse.
fn refused(directory: &Path, listen: &str) -> String {
    refused_as(footfall_command(), directory, listen)
}

fn refused_as(mut command: Command, directory: &Path, listen: &str) -> String {
    let command = command
        .current_dir(directory)
        .env("FOOTFALL_LISTEN", listen);
    let Output { status, stderr, .. } = run(command);
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

#[tokio::test]
async fn a_socket_has_its_mode_and_goes_away_with_its_process() {
    for directory in both() {
        let path = directory.path().join("f.sock");
        for (mode, expected) in [(None, 0o660), (Some("0600"), 0o600), (Some("0666"), 0o666)] {
            let builder = Footfall::builder().socket(&path);
            let mut footfall = match mode {
                Some(mode) => builder.env("FOOTFALL_SOCKET_MODE", mode).start(),
                None => builder.start(),
            };
            let file = path.symlink_metadata().unwrap();
            assert!(file.file_type().is_socket());
            assert_eq!(file.permissions().mode() & 0o777, expected);
            assert!(pings(&path).await);
            assert_eq!(footfall.stop().code(), Some(0));
            assert!(!path.exists());
        }
        let left: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, [".footfall.lock"], "nothing else is left behind");
    }
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    for directory in both() {
        let path = directory.path().join("f.sock");
        let mut dead = Footfall::builder().socket(&path).start();
        dead.process.kill();
        assert!(path.exists() && !pings(&path).await);
        let _successor = Footfall::builder().socket(&path).start();
        assert!(pings(&path).await);
    }
}

#[tokio::test]
async fn a_live_socket_is_left_alone() {
    for directory in both() {
        let path = directory.path().join("f.sock");
        let _first = Footfall::builder().socket(&path).start();
        let inode = path.symlink_metadata().unwrap().ino();
        let message = refused(directory.path(), &unix(&path));
        assert!(
            message.contains("another process is listening there"),
            "{message}"
        );
        assert_eq!(path.symlink_metadata().unwrap().ino(), inode);
        assert!(pings(&path).await);
    }
}

#[tokio::test]
async fn a_socket_with_a_full_queue_is_live() {
    for directory in both() {
        let path = directory.path().join("f.sock");
        let listener =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        listener
            .bind(&socket2::SockAddr::unix(&path).unwrap())
            .unwrap();
        listener.listen(0).unwrap();
        let connect = || {
            let socket =
                socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
                .connect(&socket2::SockAddr::unix(&path).unwrap())
                .map(|()| socket)
        };
        let mut queued = Vec::new();
        while let Ok(socket) = connect() {
            queued.push(socket);
        }
        assert!(
            refused(directory.path(), &unix(&path)).contains("another process is listening there")
        );
    }
}

#[tokio::test]
async fn what_is_no_socket_is_never_touched() {
    for directory in both() {
        let target = directory.path().join("real.sock");
        let _listener = UnixListener::bind(&target).unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "precious").unwrap();
        let folder = directory.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let link = directory.path().join("link");
        symlink(&target, &link).unwrap();
        let dangling = directory.path().join("dangling");
        symlink("nowhere", &dangling).unwrap();
        let pipe = directory.path().join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for path in [&file, &folder, &link, &dangling, &pipe] {
            let message = refused(directory.path(), &unix(path));
            assert!(
                message.contains("no socket is there, and it is left alone"),
                "{message}"
            );
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert!(folder.is_dir() && link.is_symlink() && dangling.is_symlink() && pipe.exists());
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_used_says_why() {
    for directory in both() {
        let missing = directory.path().join("missing/f.sock");
        let message = refused(directory.path(), &unix(&missing));
        assert!(message.contains("does not exist; create it"), "{message}");
        let long = directory.path().join("x".repeat(101));
        let message = refused(directory.path(), &unix(&long));
        assert!(message.contains("the limit is 100"), "{message}");
        // A listener that fails takes those before it down again.
        let good = directory.path().join("good.sock");
        refused(
            directory.path(),
            &format!("{},{}", unix(&good), unix(&missing)),
        );
        assert!(!good.exists());
    }
}

#[tokio::test]
async fn a_path_in_the_way_of_another_is_not_removed_at_the_end() {
    for directory in both() {
        let path = directory.path().join("f.sock");
        let mut first = Footfall::builder().socket(&path).start();
        // Someone puts another socket in its place.
        let other = directory.path().join("other.sock");
        let _usurper = UnixListener::bind(&other).unwrap();
        fs::rename(&other, &path).unwrap();
        first.logged("the path of the socket cannot be kept; it is tried again");
        assert_eq!(first.stop().code(), Some(0));
        assert!(path.exists(), "only our own socket is ours to remove");
    }
}

#[tokio::test]
async fn placeholders_name_host_and_process() {
    for directory in both() {
        let footfall = Footfall::builder()
            .socket(&directory.path().join("{hostname}.{pid}"))
            .start();
        let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let path =
            directory
                .path()
                .join(format!("{}.{}", hostname.trim(), footfall.process.0.id()));
        assert!(pings(&path).await);
    }
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_message() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let message = refused(
        directory.path(),
        &format!("tcp:{}", taken.local_addr().unwrap()),
    );
    assert!(
        message.contains("another process has this port"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1);
}

#[tokio::test]
async fn a_lock_that_is_never_given_back_stops_nobody_for_long() {
    for directory in both() {
        let path = directory.path().join("f.sock");
        let mut footfall = Footfall::builder().socket(&path).start();
        let lock_file = directory.path().join(".footfall.lock");
        let lock = || {
            let lock = fs::File::create(&lock_file).unwrap();
            lock.lock().unwrap();
            lock
        };
        let _held = lock();
        let other = directory.path().join("other.sock");
        let next = Footfall::builder().socket(&other).start();
        assert!(pings(&other).await);
        next.logged("the lock was held for about a second, by a process that hangs; it is replaced by a new one");
        let _held_again = lock();
        assert_eq!(footfall.stop().code(), Some(0));
        assert!(!path.exists());
        assert!(
            footfall
                .find("the socket's path is withdrawn without the lock")
                .is_some()
        );
    }
}
