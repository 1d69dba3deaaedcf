//! A real browser, in which somebody has logged in with cookies, on pages of other origins. `./test.sh
//! quick` leaves these out.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Footfall, browser::Browser};

/// What any page may try: it knows our paths, and sends what the browser keeps. One on another port
/// of this host reads the csrf cookie, too.
const ATTEMPTS: &str = r#"
const [target, done] = arguments;
const csrf_token = (document.cookie.match(/footfall-csrf=([^;]*)/) || [])[1] || '';
const form = (method, path, fields) => {
    const frame = document.createElement('iframe');
    frame.name = method + path;
    const form = document.createElement('form');
    Object.assign(form, { method, action: target + path, target: frame.name });
    for (const [name, value] of Object.entries(fields)) {
        const input = document.createElement('input');
        Object.assign(input, { name, value });
        form.append(input);
    }
    document.body.append(frame, form);
    form.submit();
};
const image = new Image();
image.src = target + '/api/count';
form('GET', '/api/count', {});
form('POST', '/api/counters/evil', { csrf_token });
form('POST', '/auth/logout', { csrf_token });
const credentials = 'include';
Promise.allSettled([
    fetch(target + '/api/count', { mode: 'no-cors', credentials }),
    fetch(target + '/api/counters/evil', { method: 'POST', mode: 'no-cors', credentials }),
    fetch(target + '/api/count', { credentials }),
    fetch(target + '/api/count', { credentials, headers: { 'X-CSRF-Token': csrf_token } }),
    fetch(target + '/auth/login?mode=cookie', { method: 'POST', mode: 'no-cors', credentials, body: '{}' }),
]).then(results => done([csrf_token, results.map(result => result.status + (result.value?.status ?? ''))]));
"#;

/// What a page of ours does.
const OURS: &str = r#"
const [path, method, body, done] = arguments;
const csrf = (document.cookie.match(/footfall-csrf=([^;]*)/) || [])[1] || '';
const headers = { 'X-CSRF-Token': csrf, ...(body ? { 'Content-Type': 'application/json' } : {}) };
fetch(path, { method, headers, body }).then(async answer => done([answer.status, await answer.text()]))
    .catch(error => done([0, String(error)]));
"#;

async fn ours(browser: &Browser, method: &str, path: &str, body: Value) -> (u64, String) {
    let arguments = vec![json!(path), json!(method), body];
    let answer = browser.page.execute_async(OURS, arguments).await.unwrap();
    (
        answer[0].as_u64().unwrap(),
        answer[1].as_str().unwrap().to_owned(),
    )
}

/// A page of nobody's, on a port of its own.
async fn evil_port() -> u16 {
    const PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 34\r\nconnection: close\r\n\r\n<!doctype html><title>evil</title>";
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(PAGE.as_bytes()).await;
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_another_origin_uses_a_session() {
    let footfall = Footfall::start();
    let port = footfall.public().rsplit(':').next().unwrap().to_owned();
    let home = format!("http://localhost:{port}");
    let browser = Browser::start().await;
    // The home page may ask nobody for anything.
    let ours_page = format!("{home}/swagger/");
    browser.page.goto(&ours_page).await.unwrap();
    let body = json!({ "username": "admin", "password": "password" }).to_string();
    let (status, text) = ours(&browser, "POST", "/auth/login?mode=cookie", json!(body)).await;
    assert_eq!(status, 200, "{text}");
    let count = async || ours(&browser, "GET", "/api/count", Value::Null).await;
    assert_eq!(count().await, (200, r#"{"visits":1}"#.to_owned()));

    let evil = evil_port().await;
    // On the same host a browser sends the cookies along; from another one it does not.
    for (host, status, reads_cookies) in [("localhost", 403, true), ("127.0.0.1", 401, false)] {
        browser
            .page
            .goto(&format!("http://{host}:{evil}/"))
            .await
            .unwrap();
        let tried = browser
            .page
            .execute_async(ATTEMPTS, vec![json!(home)])
            .await
            .unwrap();
        assert_eq!(tried[0] != "", reads_cookies, "{tried}");
        let results: Vec<_> = tried[1].as_array().unwrap().iter().collect();
        assert_eq!(
            results[2..4],
            ["rejected", "rejected"],
            "nothing is read: {tried}"
        );
        for (method, route, number) in [
            ("GET", "/api/count", 4.0),
            ("POST", "/api/counters/{name}", 2.0),
            ("POST", "/auth/logout", 1.0),
        ] {
            let series = format!(
                r#"http_requests_total{{method="{method}",route="{route}",status="{status}"}}"#
            );
            footfall.metric_becomes(&series, number).await;
        }
        browser.page.goto(&ours_page).await.unwrap();
    }
    let login = r#"http_requests_total{method="POST",route="/auth/login",status="403"}"#;
    footfall.metric_becomes(login, 2.0).await;
    assert_eq!(
        count().await,
        (200, r#"{"visits":2}"#.to_owned()),
        "nothing else was counted"
    );
    let (_, counters) = ours(&browser, "GET", "/api/counters", Value::Null).await;
    assert!(!counters.contains("evil"), "{counters}");
    assert_eq!(
        ours(&browser, "POST", "/auth/refresh", Value::Null).await.0,
        200
    );
    assert_eq!(
        ours(&browser, "POST", "/auth/logout", Value::Null).await.0,
        204
    );
    assert_eq!(count().await.0, 401);
    browser.close().await;
}
