//! Forms of a page, without a script.

use super::*;

/// A form has its token in a field.
#[tokio::test]
async fn a_form_refreshes_and_logs_out() {
    let stack = Stack::sqlite(1, &[]).await;
    let [anna, ..] = people(&stack.apps[0]).await;
    let jar = Jar::login(&stack, &anna).await;
    let send = async |path: &str, body: String| {
        let cookies = jar.header();
        let headers = [
            ("cookie", cookies.as_str()),
            ("origin", "http://localhost"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        stack
            .client()
            .send(Method::POST, path, &headers, body)
            .await
    };
    for wrong in [
        String::new(),
        "csrf_token=".to_owned(),
        format!("csrf_token={0}&csrf_token={0}", jar.csrf),
        format!("x={}", jar.csrf),
    ] {
        for path in ["/auth/refresh", "/auth/logout"] {
            refused(&send(path, wrong.clone()).await, 403, "csrf_failed");
        }
    }
    for (path, status) in [("/auth/refresh", 200), ("/auth/logout", 204)] {
        let reply = send(path, format!("a=b&csrf_token={}", jar.csrf)).await;
        assert_eq!(reply.status, status, "{path} {}", reply.text());
    }
    assert_eq!(status_of(&stack, &jar).await, 401);
}

/// A page without scripts counts by a form, which sends its csrf token in a field.
#[tokio::test]
async fn a_form_counts() {
    let stack = Stack::sqlite(1, &[]).await;
    let [anna, ..] = people(&stack.apps[0]).await;
    let jar = Jar::login(&stack, &anna).await;
    let form = "application/x-www-form-urlencoded";
    let send = async |media_type: &str, more: &[(&str, &str)], body: &str| {
        let cookies = jar.header();
        let mut headers = vec![
            ("cookie", cookies.as_str()),
            ("origin", "http://localhost"),
            ("content-type", media_type),
        ];
        headers.extend(more);
        stack
            .client()
            .send(Method::POST, "/api/counters/form", &headers, body)
            .await
    };
    let token = format!("csrf_token={}", jar.csrf);
    let header = ("x-csrf-token", jar.csrf.as_str());
    let mut visits = 0;
    for (media_type, more, body, code) in [
        (form, &[][..], token.as_str(), ""),
        (
            "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
            &[],
            &token,
            "",
        ),
        (form, &[header], &token, ""),
        (form, &[header], "", ""),
        (form, &[], "", "csrf_failed"),
        (form, &[], "csrf_token=", "csrf_failed"),
        (form, &[], "csrf_token=rubbish", "csrf_failed"),
        (form, &[header], "csrf_token=rubbish", "csrf_failed"),
        (
            form,
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "http://evil.example"),
            ],
            &token,
            "csrf_failed",
        ),
        (form, &[], &format!("{token}&{token}"), "invalid_body"),
        (form, &[], &format!("{token}&a=b"), "invalid_body"),
        (form, &[header], "a=b", "invalid_body"),
        (
            "multipart/form-data; boundary=x",
            &[],
            &token,
            "csrf_failed",
        ),
        ("text/plain", &[], &token, "csrf_failed"),
        ("application/json", &[], &token, "csrf_failed"),
    ] {
        let reply = send(media_type, more, body).await;
        match code {
            "" => {
                visits += 1;
                assert_eq!(reply.visits(), visits, "{media_type} {body}");
            }
            code => assert_eq!(reply.problem(), code, "{media_type} {more:?} {body}"),
        }
    }
    // Whoever sends a token in `Authorization` needs none in the form, which is read all the same.
    let mut bearer = stack.client().logged_in().await;
    let headers = [("content-type", form)];
    let reply = bearer
        .send(Method::POST, "/api/counters/form", &headers, "a=b")
        .await;
    refused(&reply, 422, "invalid_body");
    let reply = bearer
        .send(Method::POST, "/api/counters/form", &headers, "csrf_token=x")
        .await;
    // Of another company.
    assert_eq!(reply.visits(), 1);
}
