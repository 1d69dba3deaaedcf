//! Refreshing: the next tokens, the same once more for a moment, and the end of a session of which somebody
//! else has a token.

use super::*;

/// Moves what was done so far into the past, by milliseconds.
async fn pass(stack: &Stack, millis: i64) {
    let sql = format!("UPDATE sessions SET rotated_at = rotated_at - {millis}");
    people::execute(&stack.apps[0], sql).await;
}

const DAY: i64 = 24 * 60 * 60 * 1000;

fn outcome(name: &str) -> String {
    format!("footfall_refreshes_total{{outcome=\"{name}\"}}")
}

#[tokio::test]
async fn each_token_gives_the_next_one_and_for_a_moment_the_same_again() {
    for stack in Stack::both(2).await {
        let [anna, ..] = people(&stack.apps[0]).await;
        let first = Pair::login(&mut stack.client(), &anna).await;
        let second = Pair::of(&refresh(&mut stack.client(), &first.refresh).await);
        assert_ne!(first.refresh, second.refresh);
        assert_eq!(claims(&first.access)["sid"], claims(&second.access)["sid"]);
        pass(&stack, 29_000).await;
        let again = Pair::of(&refresh(&mut stack.apps[1].client(), &first.refresh).await);
        assert_eq!(again.refresh, second.refresh, "byte for byte");
        let third = Pair::of(&refresh(&mut stack.client(), &second.refresh).await);
        for access in [&first.access, &second.access, &again.access, &third.access] {
            assert_eq!(status(&stack.apps[0], access).await, 200, "good to its end");
        }
        assert_eq!(stack.apps[0].metric(&outcome("success")).await, Some(2.0));
        assert_eq!(stack.apps[1].metric(&outcome("repeated")).await, Some(1.0));
        assert_eq!(stack.number("SELECT counter FROM sessions").await, 2);
    }
}

#[tokio::test]
async fn an_old_token_ends_the_session() {
    for stack in Stack::both(2).await {
        let [anna, ..] = people(&stack.apps[0]).await;
        // Too late, and two steps behind.
        for steps in [1, 2] {
            let first = Pair::login(&mut stack.client(), &anna).await;
            let other = Pair::login(&mut stack.client(), &anna).await;
            let mut last = first.clone();
            for _ in 0..steps {
                last = Pair::of(&refresh(&mut stack.client(), &last.refresh).await);
            }
            if steps == 1 {
                pass(&stack, 30_100).await;
            }
            let reply = refresh(&mut stack.apps[1].client(), &first.refresh).await;
            refused(&reply, 401, "refresh_token_reused");
            for app in &stack.apps {
                for access in [&first.access, &last.access] {
                    let mut client = app.client().with_token(access);
                    refused(&client.get("/api/count").await, 401, "invalid_token");
                }
                for token in [&first.refresh, &last.refresh] {
                    refused(
                        &refresh(&mut app.client(), token).await,
                        401,
                        "session_ended",
                    );
                }
            }
            assert_eq!(
                status(&stack.apps[0], &other.access).await,
                200,
                "another session goes on"
            );
        }
        assert_eq!(stack.apps[1].metric(&outcome("reused")).await, Some(2.0));
        let ended = r#"footfall_sessions_ended_total{reason="reused"}"#;
        assert_eq!(stack.apps[1].metric(ended).await, Some(2.0));
        assert_eq!(stack.number("SELECT count(*) FROM mails").await, 2);
    }
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    for stack in Stack::both(1).await {
        let [anna, ..] = people(&stack.apps[0]).await;
        let pair = Pair::login(&mut stack.client(), &anna).await;
        pass(&stack, 7 * DAY - 60_000).await;
        let pair = Pair::of(&refresh(&mut stack.client(), &pair.refresh).await);
        pass(&stack, 7 * DAY).await;
        refused(
            &refresh(&mut stack.client(), &pair.refresh).await,
            401,
            "session_ended",
        );

        let pair = Pair::login(&mut stack.client(), &anna).await;
        stack
            .execute("UPDATE sessions SET expires_at = rotated_at + 60000")
            .await;
        let reply = refresh(&mut stack.client(), &pair.refresh).await;
        let pair = Pair::of(&reply);
        let lives_for = reply.json()["refresh_expires_in"].as_u64().unwrap();
        assert!(lives_for <= 60, "not beyond 30 days: {lives_for}");
        stack
            .execute("UPDATE sessions SET expires_at = rotated_at")
            .await;
        refused(
            &refresh(&mut stack.client(), &pair.refresh).await,
            401,
            "session_ended",
        );
        // And so it is after it was tidied away.
        stack.execute("DELETE FROM sessions").await;
        refused(
            &refresh(&mut stack.client(), &pair.refresh).await,
            401,
            "session_ended",
        );
    }
}

#[tokio::test]
async fn what_holds_now_is_in_the_next_tokens() {
    for stack in Stack::both(1).await {
        let [anna, ..] = people(&stack.apps[0]).await;
        let pair = Pair::login(&mut stack.client(), &anna).await;
        stack
            .execute("UPDATE users SET role = 'viewer', generation = 7 WHERE username = 'anna'")
            .await;
        stack
            .execute("UPDATE companies SET generation = 5 WHERE name = 'Acme'")
            .await;
        let pair = Pair::of(&refresh(&mut stack.client(), &pair.refresh).await);
        let claims = claims(&pair.access);
        assert_eq!(claims["role"], "viewer");
        assert_eq!((&claims["ugn"], &claims["cgn"]), (&json!(7), &json!(5)));
        for (off, on) in [
            (
                "UPDATE users SET state = 'disabled' WHERE username = 'anna'",
                "UPDATE users SET state = 'active' WHERE username = 'anna'",
            ),
            (
                "UPDATE companies SET state = 'suspended' WHERE name = 'Acme'",
                "UPDATE companies SET state = 'active' WHERE name = 'Acme'",
            ),
        ] {
            stack.execute(off).await;
            refused(
                &refresh(&mut stack.client(), &pair.refresh).await,
                401,
                "session_ended",
            );
            stack.execute(on).await;
        }
        Pair::of(&refresh(&mut stack.client(), &pair.refresh).await);
    }
}

#[tokio::test]
async fn what_is_no_refresh_token_says_so() {
    let stack = Stack::sqlite(1, &[]).await;
    let [anna, ..] = people(&stack.apps[0]).await;
    let pair = Pair::login(&mut stack.client(), &anna).await;
    let mut forged = pair.refresh.clone();
    forged.replace_range(10..11, if &forged[10..11] == "A" { "B" } else { "A" });
    for token in [
        "",
        "ffr_",
        "rubbish",
        &pair.access,
        &forged,
        &format!("{}A", pair.refresh),
        &pair.refresh[4..],
        "ffr_\0",
    ] {
        refused(
            &refresh(&mut stack.client(), token).await,
            401,
            "invalid_refresh_token",
        );
    }
    for (body, status, code) in [
        ("{}", 422, "invalid_body"),
        ("null", 422, "invalid_body"),
        (r#"{"refresh_token":null}"#, 422, "invalid_body"),
        (r#"{"refresh_token":1}"#, 422, "invalid_body"),
        ("{", 400, "invalid_json"),
    ] {
        refused(
            &stack.client().post_json("/auth/refresh", body).await,
            status,
            code,
        );
    }
    refused(
        &stack.client().post("/auth/refresh").await,
        415,
        "unsupported_media_type",
    );
    // A refresh token opens nothing by itself.
    let mut client = stack.client().with_token(&pair.refresh);
    refused(&client.get("/api/count").await, 401, "invalid_token");
}

#[tokio::test]
async fn keys_rotate_without_an_end_of_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let old = crate::support::footfall::SECRET_KEY;
    let new = "a-new-secret-key-for-tests-of-many-characters";
    let start = |key: &str, previous: &str| {
        TestApp::builder()
            .directory(folder.path())
            .env("SECRET_KEY", key)
            .env("FOOTFALL_SECRET_KEY_PREVIOUS", previous)
            .start()
    };
    let (before, during, after) = (
        start(old, "").await,
        start(new, old).await,
        start(new, "").await,
    );
    let [anna, ..] = people(&before).await;
    let pair = Pair::login(&mut before.client(), &anna).await;
    let next = Pair::of(&refresh(&mut during.client(), &pair.refresh).await);
    refused(
        &refresh(&mut before.client(), &next.refresh).await,
        401,
        "invalid_refresh_token",
    );
    refused(
        &refresh(&mut after.client(), &pair.refresh).await,
        401,
        "invalid_refresh_token",
    );
    Pair::of(&refresh(&mut after.client(), &next.refresh).await);
}

#[tokio::test]
async fn a_session_is_not_refreshed_without_end() {
    for stack in Stack::both(2).await {
        let [anna, ..] = people(&stack.apps[0]).await;
        let mut pair = Pair::login(&mut stack.client(), &anna).await;
        let other = Pair::login(&mut stack.client(), &anna).await;
        for number in 0..30 {
            let mut client = stack.apps[number % 2].client();
            pair = Pair::of(&refresh(&mut client, &pair.refresh).await);
        }
        let reply = refresh(&mut stack.client(), &pair.refresh).await;
        refused(&reply, 429, "too_many_requests");
        assert!(reply.header("retry-after").is_some());
        Pair::of(&refresh(&mut stack.client(), &other.refresh).await);
        assert_eq!(stack.apps[0].metric(&outcome("throttled")).await, Some(1.0));
    }
}

/// A database that was brought back to an earlier state does not know which tokens are out.
#[tokio::test]
async fn a_token_of_the_future_ends_the_session() {
    let stack = Stack::sqlite(1, &[]).await;
    let [anna, ..] = people(&stack.apps[0]).await;
    let pair = Pair::login(&mut stack.client(), &anna).await;
    let next = Pair::of(&refresh(&mut stack.client(), &pair.refresh).await);
    stack.execute("UPDATE sessions SET counter = 0").await;
    refused(
        &refresh(&mut stack.client(), &next.refresh).await,
        401,
        "session_ended",
    );
    refused(
        &refresh(&mut stack.client(), &pair.refresh).await,
        401,
        "session_ended",
    );
    let mut client = stack.client().with_token(&next.access);
    refused(&client.get("/api/count").await, 401, "invalid_token");
}
