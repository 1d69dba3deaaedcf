//! How long visits wait, by the clock of the store.

use crate::support::{Redis, TestApp, clock::Clock, postgres};

#[tokio::test]
async fn a_clock_that_is_slow_makes_no_visit_older() {
    for hours in [-5, 5] {
        let clock = Clock::new();
        clock.set(hours * 3600);
        let (redis, database) = (Redis::start_with(&clock), postgres::Database::migrated());
        let app = TestApp::builder()
            .env("REDIS_URL", redis.url())
            .env("DATABASE_URL", database.url())
            .start()
            .await;
        app.metric_becomes("footfall_database_up", 1.0).await;
        let mut client = app.client().logged_in().await;
        // Nothing can be recorded.
        database.sql("ALTER TABLE runs RENAME TO away");
        assert_eq!(client.post("/api/counters/a").await.visits(), 1);
        let view = client.get("/api/counters/a/recording").await.json();
        assert_eq!(view["waiting"], 1, "{view}");
        let seconds = view["oldest_waiting_seconds"].as_u64().unwrap();
        assert!(seconds < 3600, "{view}");
        // It waits for more than no time.
        clock.set(hours * 3600 + 100);
        let view = client.get("/api/counters/a/recording").await.json();
        let seconds = view["oldest_waiting_seconds"].as_u64().unwrap();
        assert!((100..3600).contains(&seconds), "{view}");
    }
}
