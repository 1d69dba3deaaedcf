//! What is sent again is counted once.

use super::*;

#[tokio::test]
async fn a_request_that_is_repeated_counts_nothing_twice() {
    let app = TestApp::builder()
        .env("FOOTFALL_PROXY_REQUEST_ID", "on")
        .start()
        .await;
    let token = app.token().await;
    let body = "{\"counter\":\"a\",\"path\":\"/\"}\n{\"counter\":\"a\"}\n{\"counter\":\"b\"}\n";
    let mut before = 0;
    for (mut client, header) in [
        (
            app.client().with_token(&token),
            ("idempotency-key", "batch-1"),
        ),
        (app.proxy().with_token(&token), ("x-request-id", "batch-1")),
    ] {
        for replayed in [false, true, true] {
            let reply = post(&mut client, &[NDJSON, header], body).await;
            let expected = [
                (1, before + 1, replayed),
                (2, before + 2, replayed),
                (3, before / 2 + 1, replayed),
            ];
            assert_eq!(counted(&lines(&reply)), expected, "{header:?}");
        }
        before += 2;
    }
    // What nothing identifies is new each time.
    let mut client = app.client().with_token(&token);
    for visits in [5, 7] {
        let reply = post(&mut client, &[NDJSON], body).await;
        assert_eq!(counted(&lines(&reply))[0], (1, visits, false));
    }
    // A line is not the request of the same key, and no other line.
    let reply = client
        .send(
            Method::POST,
            "/api/counters/a",
            &[("idempotency-key", "batch-1")],
            "",
        )
        .await;
    assert_eq!((reply.visits(), reply.replayed()), (9, false));
    let reply = post(
        &mut client,
        &[NDJSON, ("idempotency-key", "batch-1")],
        format!("\n{body}"),
    )
    .await;
    let lines = counted(&lines(&reply));
    assert_eq!(
        lines[0],
        (2, 2, true),
        "the second line was one on this counter"
    );
    assert_eq!((lines[1].2, lines[2].2), (false, false));
    let malformed = [NDJSON, ("idempotency-key", "two words")];
    assert_eq!(
        post(&mut client, &malformed, body).await.problem(),
        "invalid_idempotency_key"
    );
}

#[tokio::test]
async fn a_line_with_a_key_is_one_visit() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    let body = r#"{"counter":"a","key":"one","path":"/first"}
{"counter":"a","key":"two"}
{"counter":"a","key":"one","path":"/second"}
{"counter":"b","key":"one"}"#;
    let reply = post(&mut client, &[NDJSON, ("idempotency-key", "x")], body).await;
    let first = [(1, 1, false), (2, 2, false), (3, 1, true), (4, 1, false)];
    assert_eq!(counted(&lines(&reply)), first);
    // Under another key of the request, and by itself.
    let reply = post(&mut client, &[NDJSON, ("idempotency-key", "y")], body).await;
    let again = first.map(|(line, visits, _)| (line, visits, true));
    assert_eq!(counted(&lines(&reply)), again);
    let reply = client
        .send(
            Method::POST,
            "/api/counters/a",
            &[("idempotency-key", "two")],
            "",
        )
        .await;
    assert_eq!((reply.visits(), reply.replayed()), (2, true));
    assert_eq!(
        (count(&mut client, "a").await, count(&mut client, "b").await),
        (2, 1)
    );
}
