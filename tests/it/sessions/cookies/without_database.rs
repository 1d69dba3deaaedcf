//! Where there is no database there is one account, and a browser can be logged in all the same.

use super::*;

/// The account of the settings without any database logs in with a browser as well.
#[tokio::test]
async fn a_browser_needs_no_database() {
    let redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    let mut client = app.client().with("sec-fetch-site", "same-origin");
    let body = json!({ "username": "admin", "password": "password" }).to_string();
    let jar = Jar::of(&client.post_json("/auth/login?mode=cookie", &body).await);
    let names: Vec<_> = jar.cookies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["footfall-access", "footfall-csrf"]);
    assert_eq!(jar.send(&app, Method::GET, "/api/count").await.visits(), 1);
    refused(
        &jar.with(&app, Method::GET, "/api/count", &[]).await,
        403,
        "csrf_failed",
    );
}

/// Nor can it be told that a session has ended where there is none.
#[tokio::test]
async fn without_a_database_nothing_is_ended_and_that_is_said() {
    let redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    for path in ["/auth/logout", "/auth/logout/all"] {
        let mut client = app.client().with("sec-fetch-site", "same-origin");
        let body = json!({ "username": "admin", "password": "password" }).to_string();
        let jar = Jar::of(&client.post_json("/auth/login?mode=cookie", &body).await);
        refused(
            &jar.with(&app, Method::POST, path, &[]).await,
            403,
            "csrf_failed",
        );
        let reply = jar.send(&app, Method::POST, path).await;
        refused(&reply, 501, "no_database");
        let cleared: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
        for name in ["footfall-access=;", "footfall-csrf=;"] {
            let is_cleared = |cookie: &&&hyper::header::HeaderValue| {
                let cookie = cookie.to_str().unwrap();
                cookie.starts_with(name) && cookie.contains("Max-Age=0")
            };
            assert!(
                cleared.iter().any(|cookie| is_cleared(&cookie)),
                "{name} {cleared:?}"
            );
        }
        // It is as good as before, which is why it must not be said that it was ended.
        assert_eq!(jar.send(&app, Method::GET, "/api/count").await.status, 200);
        let mut bearer = app.client().logged_in().await;
        refused(&bearer.post(path).await, 501, "no_database");
    }
    for body in [
        r#"{"refresh_token":"ffr_x"}"#,
        r#"{"refresh_token":""}"#,
        "{}",
    ] {
        let reply = app.client().post_json("/auth/refresh", body).await;
        refused(&reply, 501, "no_database");
    }
}
