//! A bad day: too many logins, the database away, the store as well, and then only the store.

use serde_json::json;

use super::gallery::{Stop, visit};
use crate::support::{Footfall, Redis, console::Visitor, people, postgres::Postgres};

/// What is seen where the database does not answer.
const WITHOUT_DATABASE: [(&str, &str); 4] = [
    ("away-home", "console/"),
    ("away-counters", "console/counters"),
    ("away-counter", "console/counters/visits"),
    ("error-database-away", "console/audiences"),
];

/// Where the store does not answer either.
const WITHOUT_BOTH: [(&str, &str); 1] = [("error-both-away", "console/")];

/// Where the database is back, and the store is not.
const WITHOUT_STORE: [(&str, &str); 3] = [
    ("away-store-home", "console/"),
    ("away-store-counters", "console/counters"),
    ("away-store-counter", "console/counters/visits"),
];

/// Has each of its pages looked at.
pub async fn go_through(mut look: impl AsyncFnMut(&Visitor, &Stop)) {
    let (mut postgres, mut redis) = (Postgres::start(), Redis::start());
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", postgres.url("migrated"))
        .env("FOOTFALL_STORE_TIMEOUT", "500ms")
        .env("FOOTFALL_REQUEST_TIMEOUT", "60s")
        .start();
    footfall.ready().await;
    footfall.metric_becomes("footfall_database_up", 1.0).await;
    let visitor = Visitor::start(&footfall).await;
    visitor.browser.screen(1280, 800).await;
    visitor.log_in("admin", "password").await;
    let mut client = footfall.client().logged_in().await;
    for number in 1..=3 {
        let counted = people::post(&mut client, "/api/counters/visits", &json!({})).await;
        assert_eq!(counted.visits(), number, "{}", counted.text());
    }

    // Those of this address: whoever is signed in stays so, and comes back by the cookies.
    let page = &visitor.browser.page;
    let cookies = page.get_all_cookies().await.unwrap();
    page.delete_all_cookies().await.unwrap();
    while footfall.client().login("nobody", "wrong").await.status != 429 {}
    let logins = Stop::new("nobody", "login-too-many", "console/login").doing("send");
    visit(&visitor, &logins).await;
    visitor.shows("try again in 5 minutes").await;
    look(&visitor, &logins).await;
    for cookie in cookies {
        page.add_cookie(cookie).await.unwrap();
    }

    postgres.kill();
    footfall.metric_becomes("footfall_database_up", 0.0).await;
    each(&visitor, &WITHOUT_DATABASE, &mut look).await;
    redis.stop();
    footfall.metric_becomes("footfall_store_up", 0.0).await;
    each(&visitor, &WITHOUT_BOTH, &mut look).await;
    postgres.restart();
    footfall.metric_becomes("footfall_database_up", 1.0).await;
    each(&visitor, &WITHOUT_STORE, &mut look).await;
    visitor.browser.close().await;
}

async fn each(
    visitor: &Visitor,
    pages: &[(&str, &str)],
    look: &mut impl AsyncFnMut(&Visitor, &Stop),
) {
    for (name, path) in pages {
        let stop = Stop::new("operator", name, path);
        visit(visitor, &stop).await;
        look(visitor, &stop).await;
    }
}
