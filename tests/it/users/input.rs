//! Bad input: the field is named, and nothing is done.

use super::*;

fn long(count: usize) -> String {
    "a".repeat(count)
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let stage = Stage::sqlite().await;
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let bo = stage.person("acme", "bo", Role::Viewer).await;
    let (users, user) = ("/api/users".to_owned(), format!("/api/users/{}", bo.id));
    let before = stage.number("SELECT count(*) FROM users").await;
    let email = json!("x@acme.example");
    let mut cases = Vec::new();
    for bad in [json!(null), json!(1), json!(true), json!([]), json!({})] {
        cases.push((
            &users,
            json!({ "email": bad, "role": "viewer" }),
            "invalid_body",
            "email",
        ));
        cases.push((
            &users,
            json!({ "email": email, "role": bad }),
            "invalid_body",
            "role",
        ));
        if !bad.is_null() {
            cases.push((
                &users,
                json!({ "email": email, "role": "viewer", "username": bad }),
                "invalid_body",
                "username",
            ));
            for field in ["username", "role", "state"] {
                cases.push((&user, json!({ field: bad }), "invalid_body", field));
            }
        }
    }
    for bad in [
        "",
        "a",
        "a@",
        "@b.example",
        "a@b",
        "a b@c.example",
        "a@b..example",
        "a\0@b.example",
        "a@b.example\r\nBcc: c@d.example",
        "ä@b.example",
        "😀@b.example",
        &format!("{}@b.example", long(65)),
        &format!("a@{}.example", long(250)),
    ] {
        cases.push((
            &users,
            json!({ "email": bad, "role": "viewer" }),
            "invalid_email",
            "email",
        ));
    }
    for bad in [
        "",
        " ",
        "a b",
        "a/b",
        "a@b",
        "a\0",
        "😀",
        "аnna",
        "a\u{200b}b",
        "a\u{202e}b",
        "-a",
        "a-",
        &long(65),
        &"ü".repeat(65),
    ] {
        cases.push((
            &users,
            json!({ "email": email, "role": "viewer", "username": bad }),
            "invalid_body",
            "username",
        ));
        cases.push((
            &user,
            json!({ "username": bad }),
            "invalid_body",
            "username",
        ));
    }
    for bad in ["", "owner", "Admin", "admin ", "adm\u{130}n"] {
        cases.push((
            &users,
            json!({ "email": email, "role": bad }),
            "invalid_body",
            "role",
        ));
        cases.push((&user, json!({ "role": bad }), "invalid_body", "role"));
    }
    for bad in ["", "deleted", "invited", "Active"] {
        cases.push((&user, json!({ "state": bad }), "invalid_body", "state"));
    }
    let mut client = stage.client(&anna);
    for (path, body, code, field) in cases {
        let reply = match path == &users {
            true => client.post_json(path, &body.to_string()).await,
            false => client.put_json(path, &body.to_string()).await,
        };
        assert_eq!(refusal(&reply), (422, code.into(), json!(field)), "{body}");
    }
    for (body, code) in [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[]", "invalid_body"),
        ("null", "invalid_body"),
        (
            r#"{"email":"x@acme.example","role":"viewer""#,
            "invalid_json",
        ),
    ] {
        assert_eq!(
            client.post_json(&users, body).await.problem(),
            code,
            "{body}"
        );
    }
    assert_eq!(stage.number("SELECT count(*) FROM users").await, before);
    // The longest that may be.
    let body = json!({ "email": format!("{}@b.example", long(64)), "role": "viewer", "username": long(64) });
    assert_eq!(
        client.post_json(&users, &body.to_string()).await.status,
        201
    );
}

#[tokio::test]
async fn names_of_companies_are_checked() {
    let stage = Stage::sqlite().await;
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let mut client = stage.client(&anna);
    for bad in [
        json!(null),
        json!(1),
        json!(""),
        json!(" a"),
        json!("a  b"),
        json!("a\tb"),
        json!("a\0"),
        json!("😀"),
        json!("a/b"),
        json!("раypal"),
        json!(long(65)),
    ] {
        let reply = client
            .put_json("/api/company", &json!({ "name": bad }).to_string())
            .await;
        assert_eq!(
            refusal(&reply),
            (422, "invalid_body".into(), json!("name")),
            "{bad}"
        );
        let body = json!({ "name": bad, "email": "x@x.example" });
        let reply = stage
            .operator()
            .await
            .post_json("/api/companies", &body.to_string())
            .await;
        assert_eq!(
            refusal(&reply),
            (422, "invalid_body".into(), json!("name")),
            "{bad}"
        );
    }
    for good in ["a", "Müller & Söhne, Graz", &long(64)] {
        let reply = client
            .put_json("/api/company", &json!({ "name": good }).to_string())
            .await;
        assert_eq!(reply.status, 200, "{good} {reply:?}");
    }
}
