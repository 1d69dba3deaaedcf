//! Who is signed in stays so, and who is not comes back to where they were.

use hyper::Method;

use super::operator;
use crate::support::{
    TestApp,
    people::{PASSWORD, both},
    reader::{Reader, assert_is_page, attribute},
};

const HOME: &str = "/console/";

#[tokio::test]
async fn who_is_not_signed_in_logs_in_and_comes_back() {
    let app = TestApp::start().await;
    let mut reader = Reader::new(app.client());
    let asked = "/console/users?state=active&role=";
    let to = Reader::location(&reader.get(asked).await, asked);
    assert_eq!(to, "/console/login?next=users%3Fstate%3Dactive%26role%3D");
    let page = reader.get(&to).await;
    assert_is_page(&page, 200);
    let next = attribute(&page, "name=\"next\" value=\"users", "value").replace("&#38;", "&");
    assert_eq!(next, "users?state=active&role=");
    let fields = [
        ("next", next.as_str()),
        ("username", "admin"),
        ("password", "wrong"),
    ];
    let page = reader.submit("/console/login", &fields).await;
    assert_is_page(&page, 401);
    assert!(
        page.text()
            .contains("The user name or the password is wrong.")
    );
    assert_eq!(attribute(&page, "name=\"username\"", "value"), "admin");
    assert!(!page.text().contains("value=\"wrong\"") && reader.cookies.is_empty());
    let next = attribute(&page, "name=\"next\" value=\"users", "value").replace("&#38;", "&");
    let fields = [
        ("next", next.as_str()),
        ("username", "admin"),
        ("password", "password"),
    ];
    let reply = reader.submit("/console/login", &fields).await;
    assert_eq!(Reader::location(&reply, "/console/login"), asked);
    assert_is_page(&reader.get(asked).await, 200);
    // The page to log in at leads on.
    let reply = reader.get("/console/login?next=users").await;
    assert_eq!(Reader::location(&reply, "/console/login"), "/console/users");
}

#[tokio::test]
async fn the_console_has_a_slash_at_its_end() {
    let app = TestApp::start().await;
    let mut reader = Reader::new(app.client());
    let reply = reader.get("/console").await;
    assert_eq!(Reader::location(&reply, "/console"), HOME);
}

/// No address leads out of the console, whoever wrote it.
#[tokio::test]
async fn a_login_leads_nowhere_else() {
    let app = TestApp::start().await;
    for next in [
        "https://evil.example/",
        "//evil.example/",
        "\\\\evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "../api/count",
        "/",
        "login",
        "x\r\nset-cookie: a=b",
    ] {
        let mut reader = Reader::new(app.client());
        let fields = [
            ("next", next),
            ("username", "admin"),
            ("password", "password"),
        ];
        let reply = reader.submit("/console/login", &fields).await;
        assert_eq!(Reader::location(&reply, "/console/login"), HOME, "{next:?}");
        assert!(!reader.cookies.contains_key("a"));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("next", next);
        let path = format!("/console/login?{}", query.finish());
        assert_eq!(
            Reader::location(&reader.get(&path).await, &path),
            HOME,
            "{next:?}"
        );
    }
}

/// A browser that comes from another site sends no cookies: it is sent here once more, and only once.
#[tokio::test]
async fn who_comes_from_another_site_is_not_told_to_log_in() {
    let app = TestApp::start().await;
    let mut reader = operator(&app).await;
    let asked = "/console/users?state=active&role=";
    let cookies = std::mem::take(&mut reader.cookies);
    for site in ["cross-site", "same-site"] {
        reader.site = site;
        let page = reader.get(asked).await;
        assert_is_page(&page, 200);
        let refresh = attribute(&page, "http-equiv=\"refresh\"", "content");
        assert_eq!(refresh, "0; url=./users?state=active&#38;role=");
    }
    reader.site = "same-origin";
    reader.cookies = cookies;
    assert_is_page(&reader.get(asked).await, 200);
    reader.cookies.clear();
    assert_eq!(reader.get(asked).await.status, 303);
    // Typed into the address bar: that brings all cookies that there are.
    reader.site = "none";
    assert_eq!(reader.get(asked).await.status, 303);
    // What is to be changed is not sent again.
    reader.site = "cross-site";
    assert_eq!(
        reader
            .submit_bare("/console/users/invite", &[])
            .await
            .status,
        303
    );
    // And programs are not sent anywhere.
    let json = [("accept", "application/json")];
    let reply = app.client().send(Method::GET, asked, &json, "").await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (401, "missing_token")
    );
}

/// The access token is over, as it is each quarter of an hour: nobody notices.
#[tokio::test]
async fn a_session_goes_on_by_itself() {
    for place in both(&[]).await {
        let mut anna = super::founder(&place, "anna@a.example").await;
        let before = anna.cookies.clone();
        anna.cookies.remove("footfall-access").unwrap();
        let page = anna.get("/console/users").await;
        assert_is_page(&page, 200);
        assert_ne!(anna.cookies["footfall-refresh"], before["footfall-refresh"]);
        assert!(anna.cookies.contains_key("footfall-access"));
        assert_eq!(
            anna.cookies["footfall-csrf"], before["footfall-csrf"],
            "forms go on"
        );
        // Also with the form that was open.
        anna.cookies.remove("footfall-access").unwrap();
        let fields = [("email", "bo@a.example"), ("role", "member")];
        let sent = anna.submit("/console/users/invite", &fields).await;
        assert_eq!(
            Reader::location(&sent, "/console/users/invite"),
            "/console/users?done=invited"
        );
        // Two tabs at once, of which the second sends the token before.
        let mut tab = anna.tab(place.client());
        for reader in [&mut anna, &mut tab] {
            reader.cookies.remove("footfall-access").unwrap();
        }
        let pages = tokio::join!(anna.get(HOME), tab.get(HOME));
        assert_is_page(&pages.0, 200);
        assert_is_page(&pages.1, 200);
        assert_eq!(
            anna.cookies["footfall-refresh"],
            tab.cookies["footfall-refresh"]
        );
    }
}

/// The session was ended elsewhere: the cookies go, and the login leads back.
#[tokio::test]
async fn a_session_that_is_over_leads_to_the_login() {
    for place in both(&[]).await {
        let mut anna = super::founder(&place, "anna@a.example").await;
        let mut elsewhere = Reader::new(place.client())
            .log_in("anna@a.example", PASSWORD)
            .await;
        let mut tab = anna.tab(place.client());
        let left = anna.submit("/console/logout", &[]).await;
        let to = Reader::location(&left, "/console/logout");
        assert_eq!(to, "/console/login?done=signed-out");
        assert!(!anna.is_signed_in(), "{:?}", anna.cookies);
        assert!(anna.get(&to).await.text().contains("You are signed out."));
        let reply = tab.get("/console/users").await;
        let to = Reader::location(&reply, "/console/users");
        assert_eq!(
            (to.as_str(), !tab.is_signed_in()),
            ("/console/login?next=users", true)
        );
        // What was typed was not done, and that is said.
        let reply = tab
            .submit("/console/users/invite", &[("email", "bo@a.example")])
            .await;
        let to = Reader::location(&reply, "/console/users/invite");
        assert_eq!(to, "/console/login?next=users%2Finvite&done=not-sent");
        assert!(tab.get(&to).await.text().contains("nothing was changed"));
        // The session of another browser goes on.
        assert_is_page(&elsewhere.get("/console/users").await, 200);
        // Logging out twice is no error.
        assert_eq!(tab.submit_bare("/console/logout", &[]).await.status, 303);
    }
}

#[tokio::test]
async fn light_and_dark_are_a_cookie_and_nothing_else() {
    let app = TestApp::start().await;
    let mut reader = Reader::new(app.client());
    let page = reader.get("/console/login?next=users").await;
    assert!(page.text().contains("data-theme=\"system\"") && reader.cookies.is_empty());
    for (theme, scheme) in [
        ("dark", "dark"),
        ("light", "light"),
        ("system", "light dark"),
    ] {
        let fields = [("theme", theme), ("next", "users?state=active")];
        let reply = reader.submit_bare("/console/theme", &fields).await;
        assert_eq!(
            Reader::location(&reply, "/console/theme"),
            "/console/users?state=active"
        );
        assert_eq!(reader.cookies.len(), usize::from(theme != "system"));
        let page = reader.get("/console/login").await;
        assert!(page.text().contains(&format!("data-theme=\"{theme}\"")));
        assert_eq!(attribute(&page, "name=\"color-scheme\"", "content"), scheme);
    }
    // A strange place to come back to is none, and never a header of its own.
    for next in [
        "//evil.example",
        "login?x\r\nset-cookie: a=b",
        "..",
        "login?next=users",
    ] {
        let reply = reader
            .submit_bare("/console/theme", &[("theme", "system"), ("next", next)])
            .await;
        let to = Reader::location(&reply, "/console/theme");
        assert!(to == HOME || to.starts_with("/console/login?"), "{to}");
        assert!(!reader.cookies.contains_key("a"));
    }
    for wrong in ["", "blue", "dark; Path=/x", "\"><script>"] {
        assert_is_page(
            &reader
                .submit_bare("/console/theme", &[("theme", wrong)])
                .await,
            400,
        );
    }
    reader
        .cookies
        .insert("footfall-theme".to_owned(), "\"><script>".to_owned());
    assert!(
        reader
            .get("/console/login")
            .await
            .text()
            .contains("data-theme=\"system\"")
    );
}

/// Without a database there is the one account, with a token of an hour.
#[tokio::test]
async fn the_one_account_without_a_database() {
    let redis = crate::support::Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    app.ready().await;
    let mut reader = operator(&app).await;
    let page = reader.get(HOME).await;
    assert_is_page(&page, 200);
    assert!(page.text().contains("<p class=\"name\">admin</p>"));
    let page = reader.get("/console/users").await;
    assert_is_page(&page, 501);
    assert!(page.text().contains("There is no database here"));
    reader.submit("/console/logout", &[]).await;
    assert!(!reader.is_signed_in());
}
