//! nginx sends a form again to another replica when the first has died over it: it is done once.

use super::founder;
use crate::support::{
    people::{PASSWORD, Place, both},
    reader::Reader,
};

/// Somebody whose request comes to one replica, and then to the other.
fn readers(place: &Place, id: &str, like: &Reader) -> [Reader; 2] {
    [0, 1].map(|replica| {
        let proxy = place.replicas[replica].proxy();
        let proxy = proxy.with("x-forwarded-for", "192.0.2.77");
        like.tab(proxy.with("x-request-id", id))
    })
}

/// The cookies of a session, without those that differ by the moment at which they were made.
fn session(reader: &Reader) -> Option<&str> {
    reader.cookie("footfall-csrf")
}

#[tokio::test]
async fn each_form_is_done_once() {
    for place in both(&[]).await {
        let anna = founder(&place, "anna@a.example").await;
        let nobody = Reader::new(place.client());
        for (id, like, path, fields, to) in [
            (
                "register",
                &nobody,
                "/console/register",
                &[
                    ("company", "Bo"),
                    ("email", "bo@b.example"),
                    ("username", "bo"),
                    ("password", PASSWORD),
                ][..],
                "bo@b.example",
            ),
            (
                "forgot",
                &nobody,
                "/console/forgot",
                &[("email", "anna@a.example")],
                "anna@a.example",
            ),
            (
                "invite",
                &anna,
                "/console/users/invite",
                &[("email", "cy@a.example"), ("role", "viewer")],
                "cy@a.example",
            ),
        ] {
            let before = place.letters_sent(to).await;
            let mut statuses = Vec::new();
            for mut reader in readers(&place, id, like) {
                statuses.push(reader.submit(path, fields).await.status);
            }
            assert_eq!(statuses[0], statuses[1], "{path}");
            assert!(
                statuses[0].is_success() || statuses[0] == 303,
                "{path} {statuses:?}"
            );
            assert_eq!(
                place.letters_sent(to).await - before,
                1,
                "{} {path}",
                place.kind
            );
        }
        // A login is one session, however often it comes.
        let count = "SELECT count(*) FROM sessions";
        let before = place.number(count).await;
        let fields = [("username", "anna@a.example"), ("password", PASSWORD)];
        let mut sessions = Vec::new();
        for mut reader in readers(&place, "login", &nobody) {
            assert_eq!(reader.submit("/console/login", &fields).await.status, 303);
            sessions.push(session(&reader).unwrap().to_owned());
        }
        assert_eq!(place.number(count).await - before, 1);
        assert_eq!(sessions[0], sessions[1]);
    }
}

/// The same form with other things in it is another one: who goes back and changes them means it.
#[tokio::test]
async fn a_form_that_was_changed_is_another_one() {
    let place = crate::support::people::sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    let page = anna.get("/console/users/invite").await;
    let id = super::form_id(&page);
    for email in ["bo@a.example", "cy@a.example", "cy@a.example"] {
        let fields = [
            ("form_id", id.as_str()),
            ("email", email),
            ("role", "viewer"),
        ];
        assert_eq!(
            anna.submit("/console/users/invite", &fields).await.status,
            303
        );
    }
    for email in ["bo@a.example", "cy@a.example"] {
        assert_eq!(place.letters_sent(email).await, 1, "{email}");
    }
    // The id is of one reader: with another's it is another form.
    let mut eve = founder(&place, "eve@e.example").await;
    let fields = [
        ("form_id", id.as_str()),
        ("email", "cy@a.example"),
        ("role", "viewer"),
    ];
    assert_eq!(
        eve.submit("/console/users/invite", &fields).await.status,
        303
    );
    assert_eq!(place.letters_sent("cy@a.example").await, 2);
}
