//! What a request with cookies needs besides.

use super::*;

/// A line: what is sent beside the cookies, and whether it is let through.
type Line<'a> = (&'a [(&'a str, &'a str)], bool);

#[tokio::test]
async fn the_csrf_table() {
    let settings = [
        ("FOOTFALL_PUBLIC_URL", "http://a.example/app"),
        ("FOOTFALL_CORS_ORIGINS", "https://console.example"),
    ];
    let stack = Stack::sqlite(1, &settings).await;
    let app = &stack.apps[0];
    let [anna, berta, _] = people(app).await;
    let jar = Jar::login(&stack, &anna).await;
    let other = Jar::login(&stack, &berta).await;
    let again = Jar::login(&stack, &anna).await;
    let token = ("x-csrf-token", jar.csrf.as_str());
    let same = ("sec-fetch-site", "same-origin");
    let lines: &[Line] = &[
        (&[same, token], true),
        (&[("origin", "http://a.example"), token], true),
        (
            &[
                ("origin", "https://console.example"),
                ("sec-fetch-site", "cross-site"),
                token,
            ],
            true,
        ),
        (&[("origin", "http://localhost"), token], true),
        (&[same], false),
        (&[token], false),
        (&[], false),
        (&[same, ("x-csrf-token", "")], false),
        (&[same, ("x-csrf-token", "rubbish")], false),
        (&[same, ("x-csrf-token", &other.csrf)], false),
        (&[same, ("x-csrf-token", &again.csrf)], false),
        (&[same, token, token], false),
        (&[("sec-fetch-site", "cross-site"), token], false),
        (&[("sec-fetch-site", "same-site"), token], false),
        (&[("sec-fetch-site", "none"), token], false),
        (&[("origin", "https://evil.example"), token], false),
        (&[("origin", "null"), token], false),
        (&[("origin", "https://a.example"), token], false),
        (&[("referer", "http://a.example/"), token], false),
    ];
    for (headers, is_let_through) in lines {
        for (method, path, done) in [
            (Method::GET, "/api/count", 200),
            (Method::POST, "/api/counters/x", 200),
            (
                Method::DELETE,
                "/auth/sessions/019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e",
                404,
            ),
        ] {
            let before = visits(app, &jar).await;
            let reply = jar.with(app, method.clone(), path, headers).await;
            match is_let_through {
                true => assert_eq!(reply.status, done, "{method} {path} {headers:?}"),
                false => {
                    refused(&reply, 403, "csrf_failed");
                    assert_eq!(
                        visits(app, &jar).await,
                        before,
                        "{method} {path} {headers:?}"
                    );
                }
            }
        }
        // What changes nothing is let through.
        for (method, path) in [
            (Method::HEAD, "/api/count"),
            (Method::GET, "/api/counters"),
            (Method::GET, "/auth/sessions"),
        ] {
            let reply = jar.with(app, method.clone(), path, headers).await;
            assert_eq!(reply.status, 200, "{method} {path} {headers:?}");
        }
    }
    for path in ["/auth/refresh", "/auth/logout", "/auth/logout/all"] {
        for (headers, _) in lines.iter().filter(|line| !line.1) {
            refused(
                &jar.with(app, Method::POST, path, headers).await,
                403,
                "csrf_failed",
            );
        }
    }
    // The session's own token, with the cookie of another one beside it.
    let mut mixed = Jar {
        cookies: jar.cookies.clone(),
        csrf: jar.csrf.clone(),
    };
    mixed.cookies.retain(|(name, _)| name != "footfall-csrf");
    refused(
        &mixed.send(app, Method::GET, "/api/count").await,
        403,
        "csrf_failed",
    );
    mixed
        .cookies
        .push(("footfall-csrf".to_owned(), other.csrf.clone()));
    refused(
        &mixed.send(app, Method::GET, "/api/count").await,
        403,
        "csrf_failed",
    );
    mixed.csrf = other.csrf.clone();
    refused(
        &mixed.send(app, Method::GET, "/api/count").await,
        403,
        "csrf_failed",
    );
}
