//! What strange pages cannot do, whatever their forms send.

use hyper::Method;

use super::{
    matrix::{patterns, place},
    operator,
};
use crate::support::{
    people::{PASSWORD, sqlite},
    reader::{Reader, assert_is_page},
};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Forms of who is not signed in, which have no token to send: they are refused by where they come from.
const ENTRY: [&str; 10] = [
    "/console/login",
    "/console/register",
    "/console/forgot",
    "/console/resend",
    "/console/confirm",
    "/console/invitation",
    "/console/email",
    "/console/reset",
    "/console/theme",
    "/console/assets/{file}",
];

/// Where each form of somebody who is signed in goes: those of the router.
async fn forms(chief: &mut Reader) -> Vec<String> {
    let mut forms = Vec::new();
    for pattern in patterns() {
        let path = place(&pattern, "019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e");
        let reply = chief.send(Method::POST, &path, &[FORM], "").await;
        let is_nowhere = pattern.ends_with("{*rest}");
        if reply.status != 405 && !is_nowhere && !ENTRY.contains(&pattern.as_str()) {
            forms.push(path);
        }
    }
    assert!(forms.len() > 10, "{forms:?}");
    forms
}

#[tokio::test]
async fn forms_of_strange_pages_do_nothing() {
    let place = sqlite(&[]).await;
    // Whom no page is closed to.
    let mut chief = operator(&place.replicas[0]).await;
    place.founder("eve@e.example").await;
    let eve = Reader::new(place.client())
        .log_in("eve@e.example", PASSWORD)
        .await;
    let own = chief.cookies["footfall-csrf"].clone();
    let others = eve.cookies["footfall-csrf"].clone();
    let rows = place.rows().await;
    for path in &forms(&mut chief).await {
        for (site, origin, token) in [
            ("same-origin", "", None),
            ("same-origin", "", Some("")),
            ("same-origin", "", Some(others.as_str())),
            ("same-origin", "", Some(&own[1..])),
            ("cross-site", "https://evil.example", Some(own.as_str())),
            ("same-site", "https://evil.localhost", Some(own.as_str())),
            ("none", "", Some(own.as_str())),
            ("cross-site", "null", Some(own.as_str())),
        ] {
            chief.site = site;
            let body = match token {
                Some(token) => format!("csrf_token={token}"),
                None => String::new(),
            };
            let mut headers = vec![FORM];
            if !origin.is_empty() {
                headers.push(("origin", origin));
            }
            let page = chief.send(Method::POST, path, &headers, &body).await;
            assert_is_page(&page, 403);
            assert!(
                page.text().contains("Nothing was changed"),
                "{path} {site} {token:?}"
            );
        }
        // A form that is none.
        chief.site = "same-origin";
        for kind in [
            "text/plain",
            "application/json",
            "multipart/form-data; boundary=x",
        ] {
            let body = format!("csrf_token={own}");
            let page = chief
                .send(Method::POST, path, &[("content-type", kind)], &body)
                .await;
            assert_is_page(&page, 415);
        }
    }
    assert_is_page(&chief.get("/console/users").await, 200);
    let after = place.rows().await;
    for (before, after) in rows.iter().zip(&after) {
        // That somebody tried is in the trail.
        assert!(
            before == after || before.0 == "audit_entries",
            "{before:?} {after:?}"
        );
    }
}

/// A strange page logs nobody in as somebody else.
#[tokio::test]
async fn strange_pages_log_nobody_in() {
    let place = sqlite(&[]).await;
    let mut reader = Reader::new(place.client());
    let fields = [("username", "admin"), ("password", "password")];
    for site in ["cross-site", "same-site", "none", ""] {
        reader.site = site;
        assert_is_page(&reader.submit_bare("/console/login", &fields).await, 403);
        assert_is_page(
            &reader
                .submit_bare("/console/theme", &[("theme", "dark")])
                .await,
            403,
        );
        assert!(reader.cookies.is_empty());
    }
}
