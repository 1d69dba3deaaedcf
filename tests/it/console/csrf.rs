//! What strange pages cannot do, whatever their forms send.

use hyper::Method;

use super::founder;
use crate::support::{
    people::{PASSWORD, sqlite},
    reader::{Reader, assert_is_page},
};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Each form of somebody who is signed in: where it goes, and what it sends.
const FORMS: &[(&str, &str)] = &[
    ("/console/users/invite", "email=bo%40a.example&role=member"),
    (
        "/console/users/019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e/remove",
        "",
    ),
    (
        "/console/audiences/new",
        "do=save&name=A&include.0.kind=did&include.0.counter=a",
    ),
    (
        "/console/presets/new",
        "do=save&name=A&include.0.kind=did&include.0.counter=a",
    ),
    (
        "/console/audiences/019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e/edit",
        "do=save&name=A",
    ),
    (
        "/console/audiences/019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e/rename",
        "name=A",
    ),
    (
        "/console/audiences/019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e/remove",
        "",
    ),
    (
        "/console/presets/019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e/edit",
        "do=save&name=A",
    ),
    (
        "/console/presets/019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e/rename",
        "preset_name=A",
    ),
    (
        "/console/presets/019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e/remove",
        "",
    ),
    ("/console/logout", ""),
];

#[tokio::test]
async fn forms_of_strange_pages_do_nothing() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    place.founder("eve@e.example").await;
    let eve = Reader::new(place.client())
        .log_in("eve@e.example", PASSWORD)
        .await;
    let own = anna.cookies["footfall-csrf"].clone();
    let others = eve.cookies["footfall-csrf"].clone();
    let rows = place.rows().await;
    for (path, body) in FORMS {
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
            anna.site = site;
            let body = match token {
                Some(token) => format!("{body}&csrf_token={token}"),
                None => (*body).to_owned(),
            };
            let mut headers = vec![FORM];
            if !origin.is_empty() {
                headers.push(("origin", origin));
            }
            let page = anna.send(Method::POST, path, &headers, &body).await;
            assert_is_page(&page, 403);
            assert!(
                page.text().contains("Nothing was changed"),
                "{path} {site} {token:?}"
            );
        }
        // A form that is none.
        anna.site = "same-origin";
        for kind in [
            "text/plain",
            "application/json",
            "multipart/form-data; boundary=x",
        ] {
            let body = format!("csrf_token={own}");
            let page = anna
                .send(Method::POST, path, &[("content-type", kind)], &body)
                .await;
            assert_is_page(&page, 415);
        }
    }
    assert_is_page(&anna.get("/console/users").await, 200);
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
