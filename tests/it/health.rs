//! `footfall health` finds the service where its settings put it.

use std::{
    path::Path,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::support::{
    Client, Footfall, directories::hang_with_the_lock, eventually, footfall::footfall_command,
    process::run, slots::is_socket,
};

fn start(listen: &str) -> Footfall {
    Footfall::builder()
        .env("FOOTFALL_OPS_LISTEN", listen)
        .start()
}

fn ask(directory: &Path, command: &str, listen: &str) -> (i32, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = run(footfall_command()
        .current_dir(directory)
        .env("FOOTFALL_OPS_LISTEN", listen)
        .arg(command));
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    (status.code().unwrap(), said)
}

#[test]
fn placeholders_are_filled_in() {
    let directory = tempfile::tempdir().unwrap();
    for name in [
        "ops.sock",
        "ops-{hostname}.sock",
        "ops-{pid}.sock",
        "{slot}-{hostname}",
        "a{pid}.{slot}",
        "{hostname}-{pid}-{slot}.sock",
    ] {
        let listen = format!("unix:{}/{name}", directory.path().display());
        let (code, said) = ask(directory.path(), "health", &listen);
        assert_eq!(code, 1, "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        let service = start(&listen);
        let (code, said) = ask(directory.path(), "health", &listen);
        assert_eq!((code, said.as_str()), (0, "live\n"), "{name}");
        drop(service);
    }
}

#[test]
fn of_several_one_has_to_be_named() {
    let directory = tempfile::tempdir().unwrap();
    let listen = format!("unix:{}/ops-{{pid}}.sock", directory.path().display());
    let _services = [start(&listen), start(&listen)];
    let (code, said) = ask(directory.path(), "health", &listen);
    assert_eq!(code, 1);
    let socket = said.trim().rsplit(' ').next().unwrap();
    assert!(
        said.contains("2 processes listen here; say which is meant"),
        "{said}"
    );
    let output = run(footfall_command().args(["health", "--socket", socket]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// Then the public listener is asked.
#[test]
fn a_service_without_an_internal_listener_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let listen = format!("unix:{}/{{slot}}.sock", directory.path().display());
    let mut service = Footfall::builder()
        .directory(directory.path())
        .env("FOOTFALL_LISTEN", &listen)
        .env("FOOTFALL_OPS_LISTEN", "")
        .start();
    let output = run(footfall_command()
        .current_dir(directory.path())
        .env("FOOTFALL_LISTEN", &listen)
        .env("FOOTFALL_OPS_LISTEN", "")
        .arg("health"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(service.stop().code(), Some(0));
}

/// A path relative to the folder, as in a settings file.
#[test]
fn a_relative_path_is_found_too() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["ops-{pid}.sock", "./{slot}.ops", "ops-{hostname}.sock"] {
        let listen = format!("unix:{name}");
        let _service = Footfall::builder()
            .directory(directory.path())
            .env("FOOTFALL_OPS_LISTEN", &listen)
            .start();
        let (code, said) = ask(directory.path(), "health", &listen);
        assert_eq!((code, said.as_str()), (0, "live\n"), "{name}");
    }
}

#[test]
fn doctor_looks_at_the_socket_of_this_host() {
    let directory = tempfile::tempdir().unwrap();
    let listen = format!("unix:{}/ops-{{hostname}}.sock", directory.path().display());
    let (_, said) = ask(directory.path(), "doctor", &listen);
    assert!(said.contains(".sock is free"), "{said}");
    let _service = start(&listen);
    let (_, said) = ask(directory.path(), "doctor", &listen);
    assert!(said.contains(".sock is in use"), "{said}");
}

#[tokio::test]
async fn audit_asks_every_replica_of_this_host() {
    let directory = tempfile::tempdir().unwrap();
    let listen = format!("unix:{}/ops-{{pid}}.sock", directory.path().display());
    let start = || {
        Footfall::builder()
            .directory(directory.path())
            .env("FOOTFALL_OPS_LISTEN", &listen)
            .start()
    };
    let services = [start(), start()];
    for (service, expected) in services.iter().zip(1..) {
        let mut client = service.client().logged_in().await;
        assert_eq!(client.get("/api/count").await.visits(), expected);
    }
    let output = run(footfall_command()
        .current_dir(directory.path())
        .env("FOOTFALL_OPS_LISTEN", &listen)
        .args(["audit", "--for", "10ms"]));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("watching 2 replicas"), "{said}");
    assert_eq!(output.status.code(), Some(0), "{said}");
}

/// Who waits for a start to end must not go on before the replica can be reached.
#[tokio::test(flavor = "multi_thread")]
async fn the_internal_listener_says_starting_until_the_public_path_is_there() {
    // A test that was held up may ask too late to see it.
    for _ in 0..20 {
        if says_starting_in_time().await {
            return;
        }
    }
    panic!("no service was ever asked before its public path was there");
}

/// Asks a service whose public path has to wait for a lock; whether it had to until it was asked.
async fn says_starting_in_time() -> bool {
    let [public, internal] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [path, ops] = [&public, &internal].map(|directory| directory.path().join("f.sock"));
    let over = Arc::new(AtomicBool::new(false));
    let hanging = {
        let (directory, over) = (public.path().to_owned(), over.clone());
        thread::spawn(move || hang_with_the_lock(&directory, usize::MAX, &over))
    };
    let starting = {
        let listen = format!("unix:{}", ops.display());
        let builder = Footfall::builder().env("FOOTFALL_OPS_LISTEN", listen);
        let builder = builder.socket(&path);
        thread::spawn(move || builder.start())
    };
    eventually("it can be asked", || is_socket(&ops).then_some(()));
    let mut replies = Vec::new();
    for target in ["/readyz", "/healthz"] {
        replies.push(Client::unix(&ops).get(target).await);
    }
    let in_time = !is_socket(&path);
    over.store(true, Ordering::Relaxed);
    hanging.join().unwrap();
    let _service = starting.join().unwrap();
    for reply in replies.iter().filter(|_| in_time) {
        assert_eq!(reply.status, 503);
        assert!(reply.text().contains("starting"), "{}", reply.text());
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    for target in ["/readyz", "/healthz"] {
        assert_eq!(Client::unix(&ops).get(target).await.status, 200);
    }
    in_time
}
