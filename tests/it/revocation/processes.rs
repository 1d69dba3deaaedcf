//! Processes of their own, that know of each other only by the store they share.

use hyper::Method;

use crate::support::Footfall;

use super::*;

/// Logouts in each store.
const ROUNDS: usize = 20;

/// Each logout is acknowledged by one process, and the other is asked to count at once.
async fn never_counted_after_a_logout(processes: [Footfall; 2]) {
    let mut given = 0;
    for round in 0..ROUNDS {
        let (one, other) = (&processes[round % 2], &processes[(round + 1) % 2]);
        let token = one.client().token().await;
        let mut here = one.client().with_token(&token);
        let mut there = other.client().with_token(&token);
        let key = round.to_string();
        let repeatable = [("idempotency-key", key.as_str())];
        // What is sent first after the logout: a visit, or one that was counted before it.
        let headers = if round / 2 % 2 == 0 {
            &[][..]
        } else {
            &repeatable
        };
        for (client, headers) in [(&mut here, &[][..]), (&mut there, &repeatable[..])] {
            given += 1;
            let reply = client.send(Method::GET, "/api/count", headers, "").await;
            assert_eq!(reply.visits(), given);
        }
        let reply = here.post_json("/auth/logout", "{}").await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        for client in [&mut there, &mut here] {
            let reply = client.send(Method::GET, "/api/count", headers, "").await;
            assert_eq!(reply.problem(), "invalid_token", "in round {round}");
        }
    }
}

#[tokio::test]
async fn what_another_process_has_revoked_is_not_counted_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Footfall::builder().directory(folder.path()).start();
    never_counted_after_a_logout([start(), start()]).await;
}

#[tokio::test]
async fn what_another_process_has_revoked_is_not_counted_in_redis() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let processes = [(); 2].map(|()| {
        Footfall::builder()
            .env("REDIS_URL", redis.url())
            .env("DATABASE_URL", database.url())
            .start()
    });
    for process in &processes {
        until("its database is there", async || {
            let reply = process.client().login("admin", "password").await;
            (reply.status == 200).then_some(())
        })
        .await;
    }
    never_counted_after_a_logout(processes).await;
}
