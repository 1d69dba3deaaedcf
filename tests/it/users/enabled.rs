//! Who is enabled again after they were disabled.

use footfall::auth::role::Role;
use serde_json::json;

use crate::support::stage::{PASSWORD, Stage};

/// What they had before is over for good: it may be why they were disabled.
#[tokio::test]
async fn who_is_enabled_again_logs_in_anew() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        let bo = stage.person("acme", "bo", Role::Member).await;
        let before = stage.app.client().login(&bo.email, PASSWORD).await.json();
        let mut admin = stage.client(&anna);
        for state in ["disabled", "active"] {
            let body = json!({ "state": state }).to_string();
            let reply = admin
                .put_json(&format!("/api/users/{}", bo.id), &body)
                .await;
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        let body = json!({ "refresh_token": before["refresh_token"] }).to_string();
        let mut client = stage.app.client();
        let reply = client.post_json("/auth/refresh", &body).await;
        assert_eq!(reply.problem(), "session_ended", "{}", stage.kind);
        let mut client = client.with_token(before["token"].as_str().unwrap());
        let reply = client.get("/auth/sessions").await;
        assert_eq!(reply.problem(), "invalid_token", "{}", stage.kind);
        let reply = stage.app.client().login(&bo.email, PASSWORD).await;
        assert_eq!(reply.status, 200, "{}", stage.kind);
    }
}
