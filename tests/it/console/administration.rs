//! People, companies, the audit trail and the settings, in the console.

use footfall::auth::role::Role;
use hyper::Method;

use super::{founder, operator};
use crate::support::{
    people::{PASSWORD, both, sqlite},
    reader::{Reader, assert_is_page, attribute},
    stage::{self, Stage},
};

#[tokio::test]
async fn somebody_is_changed_suspended_and_let_in_again() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        let fields = [
            ("email", "bo@a.example"),
            ("username", "bo"),
            ("role", "member"),
        ];
        anna.submit("/console/users/invite", &fields).await;
        let page = anna.get("/console/users?state=invited").await;
        let again = attribute(&page, "/invite\">Send", "href");
        let again = format!("/console/{}", again.strip_prefix("./").unwrap());
        assert!(
            anna.get(&again)
                .await
                .text()
                .contains("Send the invitation of bo again?")
        );
        assert_eq!(place.letters_sent("bo@a.example").await, 1);
        let sent = anna.submit(&again, &[("form_id", "1")]).await;
        let person = again.strip_suffix("/invite").unwrap().to_owned();
        assert_eq!(
            Reader::location(&sent, &again),
            format!("{person}?done=invited")
        );
        assert_eq!(place.letters_sent("bo@a.example").await, 2);
        let letter = place
            .letter("bo@a.example", "You are invited to Footfall")
            .await;
        let fields = [("token", letter.token()), ("password", PASSWORD)];
        Reader::new(place.client())
            .submit("/console/invitation", &fields)
            .await;
        let mut bo = Reader::new(place.client())
            .log_in("bo@a.example", PASSWORD)
            .await;
        // Who has come is not invited again.
        assert_eq!(Reader::location(&anna.get(&again).await, &again), person);

        let page = anna.get(&person).await;
        assert_is_page(&page, 200);
        assert!(page.text().contains("<option value=\"member\" selected>"));
        let fields = [("username", "bob"), ("role", "viewer")];
        let sent = anna.submit(&person, &fields).await;
        assert_eq!(
            Reader::location(&sent, &person),
            format!("{person}?done=user-saved")
        );
        let page = anna.get(&person).await;
        assert!(page.text().contains("<h1>bob</h1>") && page.text().contains("viewer"));
        assert_eq!(
            bo.get("/console/tokens").await.status,
            403,
            "{}",
            place.kind
        );

        for (fields, field) in [
            ([("username", "anna"), ("role", "viewer")], "username"),
            ([("username", "b o"), ("role", "viewer")], "username"),
            ([("username", "bob"), ("role", "king")], "role"),
        ] {
            let page = anna.submit(&person, &fields).await;
            assert!(page.status == 422 || page.status == 409, "{}", page.text());
            assert!(
                page.text().contains(&format!("id=\"{field}-error\"")),
                "{}",
                page.text()
            );
            assert_eq!(attribute(&page, "name=\"username\"", "value"), fields[0].1);
        }

        let suspend = format!("{person}/suspend");
        assert!(anna.get(&suspend).await.text().contains("Suspend bob?"));
        let sent = anna.submit(&suspend, &[]).await;
        assert_eq!(
            Reader::location(&sent, &suspend),
            format!("{person}?done=user-suspended")
        );
        let page = bo.get("/console/account").await;
        assert!(Reader::location(&page, "/console/account").starts_with("/console/login"));
        let resume = format!("{person}/resume");
        assert!(anna.get(&resume).await.text().contains("Let bob in again?"));
        let sent = anna.submit(&resume, &[]).await;
        assert_eq!(
            Reader::location(&sent, &resume),
            format!("{person}?done=user-resumed")
        );
        Reader::new(place.client())
            .log_in("bo@a.example", PASSWORD)
            .await;

        // Oneself one cannot.
        let page = anna.get("/console/users").await;
        assert_eq!(page.text().matches("/remove\"").count(), 1);
    }
}

#[tokio::test]
async fn a_company_is_renamed_by_its_admins() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    let page = anna.get("/console/company").await;
    assert_is_page(&page, 200);
    assert_eq!(attribute(&page, "name=\"name\"", "value"), "Acme");
    for wrong in ["", "default", "a/b", &"x".repeat(65)] {
        let page = anna.submit("/console/company", &[("name", wrong)]).await;
        assert!(
            page.status == 422 || page.status == 409,
            "{wrong}: {}",
            page.text()
        );
        assert!(
            page.text().contains("id=\"name-error\""),
            "{wrong}: {}",
            page.text()
        );
        assert_eq!(attribute(&page, "name=\"name\"", "value"), wrong);
    }
    let sent = anna
        .submit("/console/company", &[("name", "Acme & Sons")])
        .await;
    let to = Reader::location(&sent, "/console/company");
    assert_eq!(to, "/console/company?done=company-saved");
    assert!(anna.get(&to).await.text().contains("Acme &#38; Sons"));
}

#[tokio::test]
async fn companies_are_founded_suspended_and_let_in_again() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        let mut admin = Reader::new(place.client())
            .log_in("admin", "password")
            .await;
        let page = admin.get("/console/companies").await;
        assert_is_page(&page, 200);
        assert!(page.text().contains("Acme") && page.text().contains("of the settings"));
        let suspend = attribute(&page, "/suspend\"", "href");
        let suspend = format!("/console/{}", suspend.strip_prefix("./").unwrap());
        assert!(admin.get(&suspend).await.text().contains("Suspend Acme?"));
        let sent = admin.submit(&suspend, &[]).await;
        assert_eq!(
            Reader::location(&sent, &suspend),
            "/console/companies?done=company-suspended"
        );
        assert_eq!(anna.get("/console/account").await.status, 303);
        let resume = suspend.replace("/suspend", "/resume");
        let sent = admin.submit(&resume, &[]).await;
        assert_eq!(
            Reader::location(&sent, &resume),
            "/console/companies?done=company-resumed"
        );
        Reader::new(place.client())
            .log_in("anna@a.example", PASSWORD)
            .await;

        let one = suspend.strip_suffix("/suspend").unwrap().to_owned();
        let sent = admin.submit(&one, &[("name", "Acme Ltd")]).await;
        assert_eq!(
            Reader::location(&sent, &one),
            format!("{one}?done=company-saved")
        );
        assert!(admin.get(&one).await.text().contains("<h1>Acme Ltd</h1>"));
        let page = admin.submit(&one, &[("name", "default")]).await;
        assert_is_page(&page, 409);
        assert!(page.text().contains("id=\"name-error\""));

        let fields = [
            ("name", "Zeta"),
            ("email", "zoe@z.example"),
            ("username", ""),
        ];
        let sent = admin.submit("/console/companies/new", &fields).await;
        let to = Reader::location(&sent, "/console/companies/new");
        assert!(admin.get(&to).await.text().contains("Zeta"));
        assert_eq!(place.letters_sent("zoe@z.example").await, 1);
        for (fields, field) in [
            ([("name", ""), ("email", "y@z.example")], "name"),
            ([("name", "Zeta"), ("email", "y@z.example")], "name"),
            ([("name", "Eta"), ("email", "nowhere")], "email"),
        ] {
            let page = admin.submit("/console/companies/new", &fields).await;
            assert!(
                page.text().contains(&format!("id=\"{field}-error\"")),
                "{}",
                page.text()
            );
            assert_eq!(attribute(&page, "name=\"email\"", "value"), fields[1].1);
        }
        // For everyone else they are not there.
        let mut anna = Reader::new(place.client())
            .log_in("anna@a.example", PASSWORD)
            .await;
        for path in [
            "/console/companies",
            "/console/companies/new",
            &one,
            "/console/settings",
        ] {
            assert_is_page(&anna.get(path).await, 404);
        }
    }
}

#[tokio::test]
async fn the_trail_is_filtered_page_by_page_and_exported() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        place.founder("eve@e.example").await;
        let page = anna.get("/console/audit").await;
        assert_is_page(&page, 200);
        let text = page.text();
        assert!(
            text.contains("session.login") && text.contains("account.confirm"),
            "{text}"
        );
        assert!(
            text.contains(">anna</a>") && !text.contains(">eve<"),
            "{text}"
        );
        let page = anna
            .get("/console/audit?action=session.*&actor=user&outcome=success")
            .await;
        let rows = page.text().matches("<tr>").count();
        assert!(
            rows >= 2 && !page.text().contains("class=\"nowrap\">account."),
            "{}",
            page.text()
        );
        assert!(
            page.text()
                .contains("<option value=\"session.*\" selected>")
        );
        let by = attribute(&page, ">anna</a>", "href");
        let page = anna
            .get(&format!("/console/{}", by.strip_prefix("./").unwrap()))
            .await;
        assert!(page.text().matches("<tr>").count() >= 2, "{}", page.text());
        let page = anna
            .get("/console/audit?from=2001-01-01&to=2001-01-01")
            .await;
        assert!(page.text().contains("Nothing is like this"));
        assert_eq!(attribute(&page, "name=\"from\"", "value"), "2001-01-01");
        for (query, field) in [
            ("from=yesterday", "from"),
            ("to=2026-13-01", "to"),
            ("actor=king", "actor"),
            ("action=x", "action"),
            ("outcome=maybe", "outcome"),
        ] {
            let page = anna.get(&format!("/console/audit?{query}")).await;
            assert_is_page(&page, 400);
            assert!(
                page.text().contains(&format!("id=\"{field}-error\"")),
                "{}",
                page.text()
            );
        }
        assert_is_page(&anna.get("/console/audit?cursor=x").await, 400);

        for _ in 0..60 {
            anna.submit("/console/company", &[("name", "Acme Ltd")])
                .await;
            anna.submit("/console/company", &[("name", "Acme")]).await;
        }
        let page = anna.get("/console/audit?action=company.update").await;
        assert_eq!(page.text().matches("<tr>").count() - 1, 50);
        let next = attribute(&page, "rel=\"next\"", "href").replace("&#38;", "&");
        assert!(
            next.starts_with("./audit?action=company.update&cursor="),
            "{next}"
        );
        let page = anna.get(&next.replacen('.', "/console", 1)).await;
        assert_eq!(page.text().matches("<tr>").count() - 1, 50);

        let lines = anna
            .get("/console/audit/export?action=company.update")
            .await;
        assert_eq!(lines.status, 200);
        assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
        assert!(
            lines
                .header("content-disposition")
                .unwrap()
                .starts_with("attachment")
        );
        assert_eq!(lines.text().lines().count(), 120);
        let page = anna.get("/console/audit?action=export.audit").await;
        assert_eq!(
            page.text().matches("<tr>").count() - 1,
            1,
            "that is in the trail as well"
        );
    }
}

/// Whoever sees all companies is told which one an entry is of, and can choose one.
#[tokio::test]
async fn an_operator_sees_all_trails() {
    let stage = Stage::sqlite().await;
    let zoe = stage.person("Zeta", "zoe", Role::Admin).await;
    let mut admin = operator(&stage.app).await;
    let page = admin.get("/console/audit").await;
    assert!(
        page.text().contains("<td data-label=\"Company\">Zeta</td>"),
        "{}",
        page.text()
    );
    let page = admin
        .get("/console/audit?company=00000000-0000-0000-0000-000000000000")
        .await;
    assert!(!page.text().contains("<td data-label=\"Company\">Zeta</td>"));
    let mut zoe = Reader::new(stage.app.client())
        .log_in(&zoe.email, stage::PASSWORD)
        .await;
    let page = zoe.get("/console/audit").await;
    assert!(!page.text().contains("name=\"company\""));
    let page = zoe
        .get("/console/audit?company=00000000-0000-0000-0000-000000000000")
        .await;
    assert_is_page(&page, 404);
}

#[tokio::test]
async fn settings_are_shown_without_secrets() {
    let stage = Stage::sqlite().await;
    let mut admin = operator(&stage.app).await;
    let page = admin.get("/console/settings").await;
    assert_is_page(&page, 200);
    let text = page.text();
    for line in [
        "FOOTFALL_LISTEN",
        "SECRET_KEY",
        "FOOTFALL_ADMIN_PASSWORD",
        "http://footfall.example",
    ] {
        assert!(text.contains(line), "{line}");
    }
    assert!(
        !text.contains(crate::support::footfall::SECRET_KEY),
        "{text}"
    );
    let reply = admin.send(Method::POST, "/console/settings", &[], "").await;
    assert_eq!(reply.status, 405);
}
