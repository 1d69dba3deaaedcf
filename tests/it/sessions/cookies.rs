//! Sessions of a browser: cookies in place of tokens in bodies, and no page but ours may use them.

mod csrf;
mod forms;
mod without_database;

use hyper::Method;

use super::*;

/// What a browser keeps, and what a page of ours reads of it.
struct Jar {
    cookies: Vec<(String, String)>,
    csrf: String,
}

impl Jar {
    async fn login(stack: &Stack, person: &Person) -> Self {
        let mut client = stack.client().with("sec-fetch-site", "same-origin");
        let body = json!({ "username": person.name(), "password": people::PASSWORD });
        Self::of(
            &client
                .post_json("/auth/login?mode=cookie", &body.to_string())
                .await,
        )
    }

    #[track_caller]
    fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{reply:?}");
        let body = reply.json();
        let names: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["csrf_token", "user"], "no token is in the body");
        let mut jar = Self {
            cookies: Vec::new(),
            csrf: body["csrf_token"].as_str().unwrap().to_owned(),
        };
        jar.take(reply);
        jar
    }

    fn take(&mut self, reply: &Reply) {
        for cookie in reply.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.cookies.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn header(&self) -> String {
        let pairs = self.cookies.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    /// What a page of ours sends.
    async fn send(&self, app: &TestApp, method: Method, path: &str) -> Reply {
        let headers = [
            ("sec-fetch-site", "same-origin"),
            ("x-csrf-token", &self.csrf),
        ];
        self.with(app, method, path, &headers).await
    }

    async fn with(
        &self,
        app: &TestApp,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut client = app.client().with("cookie", &self.header());
        client.send(method, path, headers, "").await
    }
}

#[tokio::test]
async fn a_browser_has_its_tokens_in_cookies() {
    for stack in Stack::both(2).await {
        let [anna, ..] = people(&stack.apps[0]).await;
        let mut client = stack.client().with("sec-fetch-site", "same-origin");
        let body = json!({ "username": anna.name(), "password": people::PASSWORD }).to_string();
        let reply = client.post_json("/auth/login?mode=cookie", &body).await;
        let mut jar = Jar::of(&reply);
        assert_eq!(
            reply.json()["user"],
            json!({
                "id": anna.id, "username": "anna", "email": "anna@example.org", "role": "member",
                "company": { "id": anna.company, "name": "Acme" },
            })
        );
        let names: Vec<_> = jar.cookies.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "footfall-access",
                "footfall-refresh",
                "footfall-csrf",
                "footfall-device"
            ]
        );
        assert_eq!(jar.get("footfall-csrf"), Some(jar.csrf.as_str()));
        assert!(!reply.text().contains(jar.get("footfall-access").unwrap()));
        for cookie in reply.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(
                cookie.contains("; Path=/;") && cookie.contains("SameSite=Strict"),
                "{cookie}"
            );
            let readable = !cookie.contains("HttpOnly");
            assert_eq!(readable, cookie.starts_with("footfall-csrf="), "{cookie}");
            assert!(
                !cookie.contains("Secure") && !cookie.contains("Domain"),
                "{cookie}"
            );
        }
        assert_eq!(
            jar.send(&stack.apps[1], Method::GET, "/api/count")
                .await
                .status,
            200
        );
        let sessions = jar
            .with(&stack.apps[0], Method::GET, "/auth/sessions", &[])
            .await
            .json();
        assert_eq!(sessions["sessions"][0]["kind"], "cookie");

        let old = jar.get("footfall-refresh").unwrap().to_owned();
        let reply = jar
            .send(&stack.apps[1], Method::POST, "/auth/refresh")
            .await;
        let next = Jar::of(&reply);
        assert_eq!(next.csrf, jar.csrf, "it is the session's");
        jar.take(&reply);
        assert_ne!(jar.get("footfall-refresh"), Some(old.as_str()));
        // It never gets into a body.
        refused(
            &refresh(&mut stack.client(), jar.get("footfall-refresh").unwrap()).await,
            401,
            "session_ended",
        );
        assert_eq!(
            jar.send(&stack.apps[0], Method::GET, "/api/count")
                .await
                .status,
            200
        );

        let before = Jar {
            cookies: jar.cookies.clone(),
            csrf: jar.csrf.clone(),
        };
        let reply = jar.send(&stack.apps[0], Method::POST, "/auth/logout").await;
        assert_eq!(reply.status, 204);
        jar.take(&reply);
        let names: Vec<_> = jar.cookies.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["footfall-device"]);
        refused(
            &before.send(&stack.apps[1], Method::GET, "/api/count").await,
            401,
            "invalid_token",
        );
        assert_eq!(
            before
                .send(&stack.apps[1], Method::POST, "/auth/logout")
                .await
                .status,
            204
        );
    }
}

/// How often was counted on both counters.
async fn visits(app: &TestApp, jar: &Jar) -> String {
    jar.with(app, Method::GET, "/api/counters", &[])
        .await
        .text()
}

#[tokio::test]
async fn a_bearer_needs_no_page_and_wins_over_cookies() {
    let stack = Stack::sqlite(1, &[]).await;
    let app = &stack.apps[0];
    let [anna, berta, _] = people(app).await;
    let jar = Jar::login(&stack, &anna).await;
    let pair = Pair::login(&mut stack.client(), &berta).await;
    let bearer = format!("Bearer {}", pair.access);
    let evil = [
        ("authorization", bearer.as_str()),
        ("origin", "https://evil.example"),
    ];
    assert_eq!(
        jar.with(app, Method::GET, "/api/count", &evil).await.status,
        200
    );
    let me = jar
        .with(app, Method::GET, "/auth/sessions", &evil)
        .await
        .json();
    assert_eq!(me["sessions"][0]["kind"], "bearer");
    for wrong in ["Bearer a.b.c", "Basic YTpi", "Bearer"] {
        let reply = jar
            .with(
                app,
                Method::GET,
                "/auth/sessions",
                &[("authorization", wrong)],
            )
            .await;
        assert_eq!(
            reply.status, 401,
            "{wrong}: a cookie does not stand in for it"
        );
    }
}

/// Else a strange page could log somebody in as somebody else.
#[tokio::test]
async fn a_strange_page_cannot_log_in() {
    let stack = Stack::sqlite(1, &[]).await;
    people(&stack.apps[0]).await;
    let body = json!({ "username": "carla", "password": people::PASSWORD }).to_string();
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("sec-fetch-site", "cross-site")],
        &[],
    ] {
        let headers = [&[("content-type", "application/json")], headers].concat();
        let mut client = stack.client();
        let reply = client
            .send(Method::POST, "/auth/login?mode=cookie", &headers, &body)
            .await;
        refused(&reply, 403, "csrf_failed");
        assert_eq!(reply.header("set-cookie"), None);
        // It is nobody's cookie that is set by this.
        assert_eq!(
            client
                .send(Method::POST, "/auth/login", &headers, &body)
                .await
                .status,
            200
        );
    }
    for mode in ["x", "Cookie", "cookie&mode=bearer"] {
        let reply = stack
            .client()
            .post_json(&format!("/auth/login?mode={mode}"), &body)
            .await;
        refused(&reply, 400, "invalid_query");
    }
    assert_eq!(
        stack
            .client()
            .post_json("/auth/login?mode=&x=y", &body)
            .await
            .status,
        200
    );
}

async fn status_of(stack: &Stack, jar: &Jar) -> u16 {
    jar.send(&stack.apps[0], Method::GET, "/api/count")
        .await
        .status
        .as_u16()
}

/// Whoever logs in at a browser takes the place of who was logged in there, and nobody else's.
#[tokio::test]
async fn a_login_ends_the_session_that_the_browser_had() {
    for stack in Stack::both(2).await {
        let [anna, ..] = people(&stack.apps[0]).await;
        let (before, elsewhere) = (
            Jar::login(&stack, &anna).await,
            Jar::login(&stack, &anna).await,
        );
        let again = async |password: &str| {
            let body = json!({ "username": anna.name(), "password": password }).to_string();
            let client = stack.client().with("sec-fetch-site", "same-origin");
            let mut client = client.with("cookie", &before.header());
            client.post_json("/auth/login?mode=cookie", &body).await
        };
        assert_eq!(again("wrong").await.status, 401);
        assert_eq!(status_of(&stack, &before).await, 200);
        let next = again(people::PASSWORD).await;
        assert_eq!(next.status, 200, "{}", next.text());
        let next = Jar::of(&next);
        for (jar, status) in [(&before, 401), (&next, 200), (&elsewhere, 200)] {
            assert_eq!(status_of(&stack, jar).await, status);
        }
        let ended = "SELECT count(*) FROM sessions WHERE end_reason = 'logout'";
        assert_eq!(stack.number(ended).await, 1);
    }
}

/// In production a browser is only ever reached by HTTPS.
#[tokio::test]
async fn production_has_cookies_of_https_alone() {
    let settings = [
        ("FOOTFALL_ENV", "production"),
        ("FOOTFALL_ADMIN_PASSWORD", "a password of production"),
    ];
    let stack = Stack::sqlite(1, &settings).await;
    let [anna, ..] = people(&stack.apps[0]).await;
    let jar = Jar::login(&stack, &anna).await;
    let names: Vec<_> = jar.cookies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "__Host-footfall-access",
            "__Host-footfall-refresh",
            "__Host-footfall-csrf",
            "__Host-footfall-device"
        ]
    );
    assert_eq!(
        jar.send(&stack.apps[0], Method::GET, "/api/count")
            .await
            .status,
        200
    );
    // `Host` is whatever somebody says.
    let headers = [
        ("origin", "http://localhost"),
        ("x-csrf-token", jar.csrf.as_str()),
    ];
    refused(
        &jar.with(&stack.apps[0], Method::GET, "/api/count", &headers)
            .await,
        403,
        "csrf_failed",
    );
    let plain = Jar {
        cookies: jar
            .cookies
            .iter()
            .map(|(name, value)| (name.replace("__Host-", ""), value.clone()))
            .collect(),
        csrf: jar.csrf.clone(),
    };
    refused(
        &plain.send(&stack.apps[0], Method::GET, "/api/count").await,
        401,
        "missing_token",
    );
}
