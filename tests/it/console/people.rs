//! The people of a company, in the console: what lists, forms and questions have in common.

use super::{form_id, founder};
use crate::support::{
    people::both,
    reader::{Reader, assert_is_page, attribute},
};

#[tokio::test]
async fn somebody_is_invited_seen_and_removed() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        let page = anna.get("/console/users").await;
        assert_is_page(&page, 200);
        assert!(page.text().contains("anna@a.example"));
        let page = anna.get("/console/users/invite").await;
        assert_is_page(&page, 200);
        let id = form_id(&page);
        let fields = [
            ("form_id", id.as_str()),
            ("email", "bo@a.example"),
            ("username", ""),
            ("role", "member"),
        ];
        // Pressed twice, or sent again by a proxy: it is one invitation, and one mail.
        for _ in 0..2 {
            let sent = anna.submit("/console/users/invite", &fields).await;
            let to = Reader::location(&sent, "/console/users/invite");
            assert_eq!(to, "/console/users?done=invited");
            let page = anna.get(&to).await;
            assert!(page.text().contains("The invitation is on its way."));
        }
        assert_eq!(
            place.letters_sent("bo@a.example").await,
            1,
            "{}",
            place.kind
        );

        let page = anna.get("/console/users?state=invited").await;
        let remove = attribute(&page, "/remove", "href");
        assert!(page.text().contains("bo@a.example") && !page.text().contains("anna@a.example"));
        let remove = format!("/console/{}", remove.strip_prefix("./").unwrap());
        let ask = anna.get(&remove).await;
        assert_is_page(&ask, 200);
        assert!(ask.text().contains("Remove bo?"));
        let gone = anna.submit(&remove, &[]).await;
        let to = Reader::location(&gone, &remove);
        assert_eq!(to, "/console/users?done=user-removed");
        assert!(!anna.get(&to).await.text().contains("bo@a.example"));
        assert_is_page(&anna.get(&remove).await, 404);
    }
}

/// A form that is not right comes back with what was typed, and what is wrong beside its field.
#[tokio::test]
async fn what_is_wrong_stands_beside_its_field() {
    let place = crate::support::people::sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    for (fields, status, field) in [
        (
            [
                ("email", "no address"),
                ("username", "bo"),
                ("role", "member"),
            ],
            422,
            "email",
        ),
        (
            [("email", ""), ("username", "bo"), ("role", "member")],
            422,
            "email",
        ),
        (
            [
                ("email", "bo@a.example"),
                ("username", "b o"),
                ("role", "member"),
            ],
            422,
            "username",
        ),
        (
            [
                ("email", "bo@a.example"),
                ("username", "bo"),
                ("role", "king"),
            ],
            422,
            "role",
        ),
        (
            [
                ("email", "bo@a.example"),
                ("username", "anna"),
                ("role", "viewer"),
            ],
            409,
            "username",
        ),
    ] {
        let page = anna.submit("/console/users/invite", &fields).await;
        assert_is_page(&page, status);
        let text = page.text();
        assert!(
            text.contains(&format!("id=\"{field}-error\"")),
            "{field}: {text}"
        );
        assert!(
            text.contains(&format!("<a href=\"#{field}\">")),
            "{field}: {text}"
        );
        assert_eq!(attribute(&page, "name=\"username\"", "value"), fields[1].1);
        assert_eq!(attribute(&page, "name=\"email\"", "value"), fields[0].1);
        assert!(!text.contains("The field `"), "{text}");
    }
}

#[tokio::test]
async fn the_next_page_keeps_the_filter() {
    let place = crate::support::people::sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    let company = "SELECT company_id FROM users WHERE email_key = 'anna@a.example'";
    for number in 0..60 {
        let id = uuid::Uuid::now_v7();
        let columns = "id, company_id, email, email_key, username, username_key, role, state, generation, created_at, updated_at";
        place
            .change(&format!("INSERT INTO users ({columns}) SELECT X'{}', ({company}), 'u{number}@a.example', 'invited:u{number}', 'u{number}', 'u{number}', 'viewer', 'invited', 1, 1764118800123, 1764118800123", id.simple()))
            .await;
    }
    let page = anna
        .get("/console/users?state=invited&role=&done=invited")
        .await;
    assert_is_page(&page, 200);
    let rows = page.text().matches("<tr>").count() - 1;
    assert_eq!(rows, 50);
    let next = attribute(&page, "rel=\"next\"", "href").replace("&#38;", "&");
    let (path, query) = next.split_once('?').unwrap();
    assert_eq!(path, "./users");
    assert!(query.starts_with("state=invited&cursor=1-"), "{query}");
    let page = anna.get(&format!("/console/users?{query}")).await;
    assert_eq!(page.text().matches("<tr>").count() - 1, 10);
    assert!(!page.text().contains("rel=\"next\""));
    let first = attribute(&page, ">First page", "href");
    assert_eq!(first, "./users?state=invited");
}
