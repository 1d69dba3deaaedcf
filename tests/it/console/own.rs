//! One's own account and sessions, in the console.

use super::founder;
use crate::support::{
    people::{OTHER, PASSWORD, both, sqlite},
    reader::{Reader, assert_is_page},
};

#[tokio::test]
async fn name_address_and_password_are_changed() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        let mut elsewhere = Reader::new(place.client())
            .log_in("anna@a.example", PASSWORD)
            .await;
        let page = anna.get("/console/account").await;
        assert_is_page(&page, 200);
        assert!(page.text().contains("anna@a.example") && page.text().contains("Acme"));
        let sent = anna
            .submit("/console/account/name", &[("username", "anne")])
            .await;
        let to = Reader::location(&sent, "/console/account/name");
        assert_eq!(to, "/console/account?done=account-saved");
        assert!(anna.get(&to).await.text().contains("anne"));

        let fields = [("email", "anne@a.example"), ("password", PASSWORD)];
        let sent = anna.submit("/console/account/email", &fields).await;
        let to = Reader::location(&sent, "/console/account/email");
        assert_eq!(to, "/console/account?done=email-asked");
        assert!(
            anna.get(&to).await.text().contains("anna@a.example"),
            "until it is confirmed"
        );
        assert_eq!(place.letters_sent("anne@a.example").await, 1);

        let fields = [("password", PASSWORD), ("new_password", OTHER)];
        let sent = anna.submit("/console/account/password", &fields).await;
        let to = Reader::location(&sent, "/console/account/password");
        assert_eq!(to, "/console/account?done=password-changed");
        assert_is_page(&anna.get(&to).await, 200);
        let page = elsewhere.get("/console/account").await;
        assert!(Reader::location(&page, "/console/account").starts_with("/console/login"));
        Reader::new(place.client())
            .log_in("anna@a.example", OTHER)
            .await;
    }
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    for (path, fields, status, field) in [
        ("name", &[("username", "")][..], 422, "username"),
        ("name", &[("username", "an na")], 422, "username"),
        (
            "email",
            &[("email", "nowhere"), ("password", PASSWORD)],
            422,
            "email",
        ),
        (
            "email",
            &[("email", "b@a.example"), ("password", "wrong")],
            401,
            "password",
        ),
        (
            "password",
            &[("password", "wrong"), ("new_password", OTHER)],
            401,
            "password",
        ),
        (
            "password",
            &[("password", PASSWORD), ("new_password", "short")],
            422,
            "new_password",
        ),
        (
            "password",
            &[("password", PASSWORD), ("new_password", "")],
            422,
            "new_password",
        ),
        ("delete", &[("password", "wrong")], 401, "password"),
        ("delete", &[("password", "")], 401, "password"),
    ] {
        let path = format!("/console/account/{path}");
        assert_is_page(&anna.get(&path).await, 200);
        let page = anna.submit(&path, fields).await;
        assert_is_page(&page, status);
        let (text, field) = (page.text(), field.replace('_', "-"));
        assert!(
            text.contains(&format!("id=\"{field}-error\"")),
            "{path} {fields:?}: {text}"
        );
        assert!(
            !text.contains(PASSWORD) && !text.contains(OTHER),
            "a password is never shown"
        );
        if path.ends_with("name") || path.ends_with("email") {
            assert!(
                text.contains(&format!("value=\"{}\"", fields[0].1)),
                "{text}"
            );
        }
    }
    // The last admin stays.
    let page = anna
        .submit("/console/account/delete", &[("password", PASSWORD)])
        .await;
    assert_is_page(&page, 409);
}

#[tokio::test]
async fn an_account_is_deleted() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    let fields = [
        ("email", "bo@a.example"),
        ("username", "bo"),
        ("role", "viewer"),
    ];
    anna.submit("/console/users/invite", &fields).await;
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
    let ask = bo.get("/console/account/delete").await;
    assert!(ask.text().contains("Delete your account bo?"));
    let gone = bo
        .submit("/console/account/delete", &[("password", PASSWORD)])
        .await;
    let to = Reader::location(&gone, "/console/account/delete");
    assert_eq!(to, "/console/login?done=account-deleted");
    let page = bo.get(&to).await;
    assert_is_page(&page, 200);
    assert!(page.text().contains("Your account is deleted."));
    assert!(
        !anna
            .get("/console/users")
            .await
            .text()
            .contains("bo@a.example")
    );
}

#[tokio::test]
async fn the_account_of_the_settings_is_changed_there() {
    let place = sqlite(&[]).await;
    let mut admin = Reader::new(place.client())
        .log_in("admin", "password")
        .await;
    let page = admin.get("/console/account").await;
    assert_is_page(&page, 200);
    assert!(page.text().contains("FOOTFALL_ADMIN_PASSWORD"));
    assert!(!page.text().contains("account/delete"));
    let fields = [("password", "password"), ("new_password", OTHER)];
    assert_is_page(
        &admin.submit("/console/account/password", &fields).await,
        409,
    );
}

#[tokio::test]
async fn sessions_are_seen_and_ended() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        let mut others = Vec::new();
        for _ in 0..3 {
            others.push(
                Reader::new(place.client())
                    .log_in("anna@a.example", PASSWORD)
                    .await,
            );
        }
        let page = anna.get("/console/sessions").await;
        assert_is_page(&page, 200);
        let text = page.text();
        assert_eq!(text.matches("this one").count(), 1, "{text}");
        let rows: Vec<_> = text.split("<tr>").skip(2).collect();
        assert_eq!(rows.len(), 4);
        let other = rows.iter().find(|row| !row.contains("this one")).unwrap();
        let (_, end) = other.split_once("href=\"./").unwrap();
        let end = format!("/console/{}", end.split('"').next().unwrap());
        assert_is_page(&anna.get(&end).await, 200);
        let sent = anna.submit(&end, &[]).await;
        let to = Reader::location(&sent, &end);
        assert_eq!(anna.get(&to).await.text().matches("<tr>").count() - 1, 3);
        assert_is_page(&anna.get(&end).await, 404);

        assert_is_page(&anna.get("/console/sessions/end-others").await, 200);
        let sent = anna.submit("/console/sessions/end-others", &[]).await;
        let to = Reader::location(&sent, "/console/sessions/end-others");
        let page = anna.get(&to).await;
        assert_eq!(page.text().matches("<tr>").count() - 1, 1);
        assert!(!page.text().contains("End all others"));
        for other in &mut others {
            let page = other.get("/console/account").await;
            assert_eq!(page.status, 303, "{}", place.kind);
        }
    }
}
