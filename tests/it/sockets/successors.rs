//! A successor takes the path over while its predecessor still serves.

use std::{os::unix::fs::FileTypeExt, path::Path};

use rustix::process::Signal;

use crate::support::{
    Client, Footfall, Redis, client::pings, directories::both, eventually, footfall::Builder,
    load::get_insistently,
};

fn is_socket(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|file| file.file_type().is_socket())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_starts_while_the_old_one_drains() {
    for directory in both() {
        let socket = directory.path().join("f.sock");
        let redis = Redis::start();
        let service = || -> Builder {
            Footfall::builder()
                .env("REDIS_URL", redis.url())
                .socket(&socket)
        };
        let mut old = service().start();
        let mut client = Client::unix(&socket).logged_in().await;
        redis.signal(Signal::STOP);
        let request = tokio::spawn(async move { client.get("/api/count").await });
        old.metric_becomes("http_requests_in_flight", 1.0).await;
        old.process.signal(Signal::TERM);
        eventually("the path is free", || (!is_socket(&socket)).then_some(()));

        // Its first look at the store must not wait for the hung one.
        let successor = service().env("FOOTFALL_STORE_TIMEOUT", "200ms").start();
        assert!(pings(&socket).await);
        assert!(old.process.0.try_wait().unwrap().is_none(), "still drains");
        redis.signal(Signal::CONT);
        assert_eq!(request.await.unwrap().visits(), 1);
        assert_eq!(old.process.wait().code(), Some(0));

        // What the old one's socket was on the disk may now be the successor's inode.
        assert!(is_socket(&socket));
        assert!(pings(&socket).await, "the path is the successor's");
        successor.logged("store is up");
        let mut client = Client::unix(&socket).logged_in().await;
        get_insistently(&mut client, "/api/count").await.visits();
    }
}
