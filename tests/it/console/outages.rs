//! What is away is said calmly, and what works all the same works.

use crate::support::{
    Redis, TestApp,
    people::{PASSWORD, on},
    postgres::Postgres,
    reader::{Reader, assert_is_page},
};

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_one_stays_signed_in() {
    let mut server = Postgres::start();
    let place = on(&server, &[]).await;
    let mut anna = super::founder(&place, "anna@a.example").await;
    server.kill();
    for app in &place.replicas {
        app.metric_becomes("footfall_database_up", 0.0).await;
    }
    let page = anna.get("/console/").await;
    assert_is_page(&page, 200);
    assert!(page.text().contains("Signed in") && page.text().contains("Log out"));
    let page = anna.get("/console/users").await;
    assert_is_page(&page, 503);
    assert!(
        page.text().contains("Accounts and records are away"),
        "{}",
        page.text()
    );
    assert!(page.header("retry-after").is_some());
    assert!(page.text().contains("Log out"), "the navigation is there");
    let fields = [("email", "bo@a.example"), ("role", "member")];
    let page = anna.submit("/console/users/invite", &fields).await;
    assert_is_page(&page, 503);
    // A session that is to be refreshed just now is not lost by that.
    let access = anna.cookies.remove("footfall-access").unwrap();
    for path in ["/console/", "/console/users"] {
        let page = anna.get(path).await;
        assert_is_page(&page, 503);
        assert!(page.text().contains("you stay signed in"));
    }
    assert!(anna.cookies.contains_key("footfall-refresh"));
    anna.cookies.insert("footfall-access".to_owned(), access);
    // Pages of who is not signed in are there, and say what is wrong when they are sent.
    let mut stranger = Reader::new(place.client());
    for path in ["login", "register", "forgot"] {
        assert_is_page(&stranger.get(&format!("/console/{path}")).await, 200);
    }
    let fields = [("username", "anna@a.example"), ("password", PASSWORD)];
    assert_is_page(&stranger.submit("/console/login", &fields).await, 503);
    let fields = [("email", "anna@a.example")];
    assert_is_page(&stranger.submit("/console/forgot", &fields).await, 503);

    server.restart();
    for app in &place.replicas {
        app.metric_becomes("footfall_database_up", 1.0).await;
    }
    anna.cookies.remove("footfall-access");
    assert_is_page(&anna.get("/console/users").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_pages_are_there() {
    let mut redis = Redis::start();
    let database = crate::support::postgres::Database::migrated();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", database.url())
        .env("FOOTFALL_STORE_TIMEOUT", "700ms")
        .start()
        .await;
    app.ready().await;
    app.metric_becomes("footfall_database_up", 1.0).await;
    let mut admin = super::operator(&app).await;
    redis.kill();
    app.metric_becomes("footfall_store_up", 0.0).await;
    for path in ["/console/", "/console/users", "/console/users/invite"] {
        assert_is_page(&admin.get(path).await, 200);
    }
    // What must hold everywhere is not acknowledged where it cannot.
    let page = admin.submit("/console/logout", &[]).await;
    assert_is_page(&page, 503);
    assert!(page.text().contains("The store is away"));
    assert_is_page(&Reader::new(app.client()).get("/console/login").await, 200);
}
