//! In a Redis Cluster, where nothing can be compared when it is counted.

use std::time::Duration;

use super::*;
use crate::support::{cluster::Cluster, process::throughout};

/// What is promised there.
const PROMISE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn it_is_known_within_a_second() {
    let cluster = Cluster::start();
    let database = postgres::Database::migrated();
    let apps = replicas(3, &cluster.url(), &database).await;
    let good = pass();
    for round in 0..10 {
        let pass = pass();
        // Counters on several masters.
        let counter = format!("/api/counters/counter-{round}");
        for app in &apps {
            client(app, &pass).post(&counter).await.visits();
        }
        apps[round % 3].revoke(&session(&pass)).await.unwrap();
        throughout(PROMISE, async || {
            client(&apps[0], &good).post(&counter).await.visits();
        })
        .await;
        for app in &apps {
            assert_eq!(client(app, &pass).post(&counter).await.status, 401);
        }
    }
    let known = "footfall_revocation_known_seconds_count";
    for app in &apps {
        assert_eq!(app.metric(known).await, Some(10.0));
    }
}
