//! Of the visits of one round trip the store remembers some, and may not remember the others.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use hyper::Method;

use super::{Clerk, outages};
use crate::support::{Client, Reply, process::PATIENCE};

const REQUEST: &str = "x-request-id";
const KEY: &str = "idempotency-key";

/// All but writing to keys' sets, with a script that declares that it does.
const RULES: &str = "resetkeys ~footfall:*:count ~footfall:*:record ~footfall:*:requests* %R~footfall:*:keys* ~footfall:{.probe-* ~footfall:counters ~footfall:schema ~footfall:layout (~footfall:* +evalsha)";

async fn visit(client: &mut Client, kind: &str, id: &str) -> Reply {
    let path = "/api/counters/part";
    client.send(Method::POST, path, &[(kind, id)], "").await
}

/// Their numbers stay given, so nobody can be told that nothing was counted.
#[tokio::test(flavor = "multi_thread")]
async fn their_outcome_is_unknown() {
    let clerk = Clerk::new();
    let sockets = tempfile::tempdir().unwrap();
    let socket = sockets.path().join("f.sock");
    // With one worker both kinds are sure to meet.
    let builder = clerk.service().env("FOOTFALL_WORKERS", 1);
    let footfall = builder.socket(&socket).start();
    let token = footfall.token().await;
    let client = || Client::unix(&socket).with_token(&token);
    for kind in [REQUEST, KEY] {
        // Sets that are there are only added to.
        visit(&mut client(), kind, "before").await.visits();
    }
    clerk.may(RULES);
    let seen = AtomicBool::new(false);
    let clients = (0..16).map(async |number| {
        let (mut client, mut visits, mut unknown) = (client(), 0, Vec::new());
        let kind = [REQUEST, KEY][number % 2];
        while !seen.load(Ordering::Relaxed) {
            visits += 1;
            let id = format!("{number}-{visits}");
            let reply = visit(&mut client, kind, &id).await;
            match (kind, reply.status == 200) {
                (REQUEST, true) => {}
                (KEY, false) if reply.problem() == "store_unavailable" => {}
                _ => {
                    assert_eq!(reply.problem(), "outcome_unknown");
                    seen.store(true, Ordering::Relaxed);
                    unknown.push((kind, id));
                }
            }
        }
        unknown
    });
    let unknown = tokio::time::timeout(PATIENCE, join_all(clients)).await;
    let unknown = unknown.expect("both kinds meet").concat();
    assert!(outages(&footfall).is_empty(), "{:?}", footfall.log());
    clerk.may_do_all();
    for (kind, id) in unknown {
        let again = visit(&mut client(), kind, &id).await;
        again.visits();
        assert_eq!(again.replayed(), kind == REQUEST, "{kind}");
    }
}
