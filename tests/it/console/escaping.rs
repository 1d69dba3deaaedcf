//! What strangers type is text, wherever it is shown.

use super::founder;
use crate::support::{
    Reply, TestApp,
    people::{PASSWORD, sqlite},
    reader::{Reader, assert_is_page},
};

/// After the usual lists (OWASP's among them).
const PAYLOADS: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "\" autofocus onfocus=alert(1) x=\"",
    "' onmouseover='alert(1)",
    "<iframe src=javascript:alert(1)>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<form action=//evil.example><button>x</button></form>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "{{7*7}}<%= 7*7 %>${7*7}<x>",
    "\u{0}<script>alert(1)</script>",
    "＜script＞<b>",
];

/// Checks that the text is nowhere as it is.
#[track_caller]
fn assert_is_text(page: &Reply, payload: &str) {
    let text = page.text();
    assert!(!text.contains(payload), "{payload}: {text}");
    for begin in [
        "<script>",
        "<img",
        "<svg/",
        "<iframe",
        "<base",
        "<b>",
        "<x>",
        "<a href=\"javascript",
        "<form action=//",
    ] {
        assert!(!text.contains(begin), "{payload}: {text}");
    }
    for attribute in [" onfocus=alert(1) x=\"", " onmouseover='"] {
        assert!(!text.contains(attribute), "{payload}: {text}");
    }
}

#[tokio::test]
async fn what_is_typed_into_forms() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    for payload in PAYLOADS {
        for (path, names) in [
            ("/console/login", &["username", "password", "next"][..]),
            (
                "/console/register",
                &["company", "email", "username", "password"],
            ),
            ("/console/forgot", &["email"]),
            ("/console/confirm", &["token", "password"]),
        ] {
            let fields: Vec<_> = names.iter().map(|name| (*name, *payload)).collect();
            let mut reader = Reader::new(place.client());
            assert_is_text(&reader.submit(path, &fields).await, payload);
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&fields).append_pair("done", payload);
            let page = reader.get(&format!("{path}?{}", query.finish())).await;
            assert_is_text(&page, payload);
        }
        let fields = ["email", "username", "role", "form_id"].map(|name| (name, *payload));
        let page = anna.submit("/console/users/invite", &fields).await;
        assert_is_page(&page, 422);
        assert_is_text(&page, payload);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(["state", "role", "cursor", "done"].map(|name| (name, payload)));
        assert_is_text(
            &anna
                .get(&format!("/console/users?{}", query.finish()))
                .await,
            payload,
        );
    }
}

/// Whatever a database has, also from before there was a check.
#[tokio::test]
async fn what_is_stored() {
    let place = sqlite(&[]).await;
    for payload in PAYLOADS.iter().filter(|payload| !payload.contains('\0')) {
        let mut anna = Reader::new(place.client());
        let email = format!("a{}@a.example", uuid::Uuid::now_v7().simple());
        place.founder(&email).await;
        anna = anna.log_in(&email, PASSWORD).await;
        let quoted = payload.replace('\'', "''");
        let of = format!("(SELECT company_id FROM users WHERE email_key = '{email}')");
        place
            .change(&format!(
                "UPDATE companies SET name = '{quoted}' WHERE id = {of}"
            ))
            .await;
        place
            .change(&format!("UPDATE users SET username = '{quoted}', email = '{quoted}' WHERE email_key = '{email}'"))
            .await;
        for path in [
            "/console/",
            "/console/users",
            "/console/nothing",
            "/console/users/invite",
        ] {
            let page = anna.get(path).await;
            assert_is_text(&page, payload);
        }
    }
}

/// A host is in lines to copy: into a shell, and into a page.
#[tokio::test]
async fn the_address_of_the_start_page() {
    let app = TestApp::start().await;
    let asked = async |host: &str| {
        let headers = [("host", host)];
        app.client()
            .send(hyper::Method::GET, "/", &headers, "")
            .await
    };
    let page = asked("footfall.example:8080").await;
    assert!(page.text().contains("curl footfall.example:8080/api/ping"));
    assert!(page.text().contains("href=\"console/\""));
    for host in [
        "a.example;id",
        "$(id)",
        "a`id`",
        "\"><script>",
        "a.example'",
        "a&b",
    ] {
        let page = asked(host).await;
        assert!(
            page.status == 400 || page.text().contains("curl localhost/api/ping"),
            "{host}"
        );
        assert!(
            !page.text().contains("id)") && !page.text().contains("<script"),
            "{host}"
        );
    }
    // Behind a proxy that is believed, by HTTPS.
    let headers = [("host", "footfall.example"), ("x-forwarded-proto", "https")];
    let page = app
        .proxy()
        .send(hyper::Method::GET, "/", &headers, "")
        .await;
    assert!(
        page.text()
            .contains("curl https://footfall.example/api/ping")
    );
    let page = app
        .client()
        .send(hyper::Method::GET, "/", &headers, "")
        .await;
    assert!(page.text().contains("curl footfall.example/api/ping"));
}
