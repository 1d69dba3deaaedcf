//! Replicas come and go over slots that a proxy knows in advance.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::{FileTypeExt, symlink},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rustix::process::Signal;

use crate::support::{
    Client, Footfall, Redis, client::pings, eventually, footfall::footfall_command,
    load::assert_exact, nginx::Nginx,
};

const SLOTS: usize = 32;

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn slot(&self, number: usize) -> PathBuf {
        self.0.path().join(format!("{number}.sock"))
    }

    fn start(&self) -> Footfall {
        Footfall::builder().socket(&self.slot_template()).start()
    }

    fn slot_template(&self) -> PathBuf {
        self.0.path().join("{slot}.sock")
    }

    /// The slots that are sockets.
    fn sockets(&self) -> Vec<usize> {
        (1..=SLOTS)
            .filter(|slot| is_socket(&self.slot(*slot)))
            .collect()
    }

    /// How many slots lead to each socket; every slot must lead to one.
    fn spread(&self) -> HashMap<PathBuf, usize> {
        let mut spread = HashMap::new();
        for slot in (1..=SLOTS)
            .map(|slot| self.slot(slot))
            .filter(|slot| slot.is_symlink())
        {
            *spread.entry(fs::read_link(&slot).unwrap()).or_default() += 1;
        }
        spread
    }
}

fn is_socket(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|file| file.file_type().is_socket())
}

#[tokio::test]
async fn slots_are_taken_in_order_and_free_ones_lead_to_replicas() {
    let directory = Directory::new();
    let mut first = directory.start();
    assert_eq!(directory.sockets(), [1]);
    assert_eq!(directory.spread(), HashMap::from([("1.sock".into(), 31)]));
    let mut second = directory.start();
    let _third = directory.start();
    assert_eq!(directory.sockets(), [1, 2, 3]);
    assert_eq!(
        directory.spread(),
        HashMap::from([
            ("1.sock".into(), 10),
            ("2.sock".into(), 10),
            ("3.sock".into(), 9)
        ])
    );
    assert_eq!(second.stop().code(), Some(0));
    assert_eq!(directory.sockets(), [1, 3]);
    assert_eq!(
        directory.spread(),
        HashMap::from([("1.sock".into(), 15), ("3.sock".into(), 15)])
    );
    for slot in 1..=SLOTS {
        assert!(pings(&directory.slot(slot)).await, "slot {slot}");
    }
    let _again = directory.start();
    assert_eq!(directory.sockets(), [1, 2, 3]);
    assert_eq!(first.stop().code(), Some(0));
    assert_eq!(directory.sockets(), [2, 3]);
}

#[tokio::test]
async fn the_last_replica_leaves_nothing_behind() {
    let directory = Directory::new();
    let mut replicas = [directory.start(), directory.start()];
    for replica in &mut replicas {
        assert_eq!(replica.stop().code(), Some(0));
    }
    let left: Vec<_> = fs::read_dir(directory.0.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, [".footfall.lock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn survivors_repair_what_a_crashed_replica_left() {
    let directory = Directory::new();
    let _first = directory.start();
    let mut second = directory.start();
    second.process.kill();
    eventually("the slot of the dead leads to the living", || {
        (directory.spread() == HashMap::from([("1.sock".into(), 31)])).then_some(())
    });
    // What somebody removes is put back, too.
    fs::remove_file(directory.slot(7)).unwrap();
    eventually("the slot is back", || {
        directory.slot(7).is_symlink().then_some(())
    });
    assert!(pings(&directory.slot(2)).await && pings(&directory.slot(7)).await);
}

/// Without the lock a leaving replica touches nothing but its own path.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_cannot_have_the_lock_leaves_the_other_slots_alone() {
    let directory = Directory::new();
    let mut replica = directory.start();
    let spread = directory.spread();
    assert_eq!(spread.values().sum::<usize>(), SLOTS - 1);
    let lock = fs::File::create(directory.0.path().join(".footfall.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(replica.stop().code(), Some(0));
    assert_eq!(directory.spread(), spread);
    assert!(directory.slot(1).symlink_metadata().is_err());
    lock.unlock().unwrap();
    let _successor = directory.start();
    assert_eq!(directory.spread(), spread);
}

#[tokio::test]
async fn a_crashed_replica_alone_is_succeeded() {
    let directory = Directory::new();
    directory.start().process.kill();
    let _successor = directory.start();
    assert_eq!(directory.sockets(), [1]);
    assert_eq!(directory.spread(), HashMap::from([("1.sock".into(), 31)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_at_once_take_different_slots() {
    let directory = Directory::new();
    let template = directory.slot_template();
    let starting: Vec<_> = (0..8)
        .map(|_| {
            let template = template.clone();
            std::thread::spawn(move || Footfall::builder().socket(&template).start())
        })
        .collect();
    let _replicas: Vec<_> = starting
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(directory.sockets(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(
        directory.spread().values().all(|links| *links == 3),
        "{:?}",
        directory.spread()
    );
}

#[tokio::test]
async fn what_is_not_ours_keeps_its_slot() {
    let directory = Directory::new();
    fs::write(directory.slot(1), "precious").unwrap();
    symlink("/elsewhere", directory.slot(2)).unwrap();
    let mut replica = directory.start();
    assert_eq!(directory.sockets(), [3]);
    assert_eq!(replica.stop().code(), Some(0));
    assert_eq!(fs::read_to_string(directory.slot(1)).unwrap(), "precious");
    assert_eq!(
        fs::read_link(directory.slot(2)).unwrap(),
        Path::new("/elsewhere")
    );
}

#[tokio::test]
async fn when_all_slots_are_taken_the_next_replica_says_so() {
    let directory = Directory::new();
    let listeners: Vec<_> = (1..=SLOTS)
        .map(|slot| std::os::unix::net::UnixListener::bind(directory.slot(slot)).unwrap())
        .collect();
    let listen = format!("unix:{}", directory.slot_template().display());
    let output = footfall_command()
        .current_dir(directory.0.path())
        .env("FOOTFALL_LISTEN", listen)
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        message.contains("all 32 slots are taken; stop a replica first"),
        "{message}"
    );
    drop(listeners);
}

/// From 2 replicas to 5 and back, one of them killed, behind an nginx that is
/// never reloaded, under clients that take anything but a 200 for a failure.
#[tokio::test(flavor = "multi_thread")]
async fn nginx_follows_replicas_without_a_reload_or_a_failed_request() {
    let redis = Redis::start();
    let directory = Directory::new();
    let start = || {
        Footfall::builder()
            .env("REDIS_URL", redis.url())
            .socket(&directory.slot_template())
            .start()
    };
    let mut replicas = vec![start(), start()];
    let token = replicas[0].token().await;
    let slots: Vec<_> = (1..=16).map(|slot| directory.slot(slot)).collect();
    let nginx = Nginx::start(
        &slots.iter().map(AsRef::as_ref).collect::<Vec<&Path>>(),
        "max_fails=0",
        "",
    );
    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let clients: Vec<_> = (0..24)
        .map(|_| {
            let (stop, done) = (stop.clone(), done.clone());
            let mut client = Client::tcp(&nginx.address).with_token(&token);
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    numbers.push(client.get("/api/count").await.visits());
                    done.fetch_add(1, Ordering::Relaxed);
                }
                numbers
            })
        })
        .collect();
    let more_requests = || {
        let goal = done.load(Ordering::Relaxed) + 1000;
        eventually("requests are served", || {
            (done.load(Ordering::Relaxed) > goal).then_some(())
        });
    };
    more_requests();
    for _ in 0..3 {
        replicas.push(start());
        more_requests();
    }
    for _ in 0..2 {
        assert_eq!(replicas.remove(0).stop().code(), Some(0));
        more_requests();
    }
    assert!(
        nginx.errors().is_empty(),
        "in the steady state nginx has nothing to say: {}",
        nginx.errors()
    );
    replicas.pop().unwrap().process.signal(Signal::KILL);
    more_requests();
    eventually("the dead one's slot is repaired", || {
        (directory.sockets().len() == 2).then_some(())
    });
    let said = nginx.errors();
    more_requests();
    assert_eq!(
        nginx.errors(),
        said,
        "after the repair nginx is silent again"
    );
    stop.store(true, Ordering::Relaxed);
    let mut numbers = Vec::new();
    for client in clients {
        numbers.extend(client.await.unwrap());
    }
    assert_exact(&numbers);
    assert_eq!(replicas[0].total(&token).await, numbers.len() as u64);
}
