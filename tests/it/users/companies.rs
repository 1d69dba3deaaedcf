//! The companies of an operator.

use super::*;

#[tokio::test]
async fn companies_are_founded_named_suspended_and_resumed() {
    for stage in Stage::both().await {
        let mut operator = stage.operator().await;
        let body = json!({ "name": "Acme Ltd", "email": "boss@acme.example" });
        let founded = operator
            .post_json("/api/companies", &body.to_string())
            .await;
        assert_eq!(founded.status, 201, "{founded:?}");
        let location = format!("companies/{}", founded.json()["id"].as_str().unwrap());
        assert_eq!(founded.header("location"), Some(location.as_str()));
        let same = json!({ "name": "ACME ltd", "email": "other@acme.example" });
        let taken = operator
            .post_json("/api/companies", &same.to_string())
            .await;
        assert_eq!(
            refusal(&taken),
            (409, "company_taken".into(), json!("name"))
        );
        let anna = stage.person("Acme Ltd", "anna", Role::Admin).await;
        let path = format!("/api/companies/{}", founded.json()["id"].as_str().unwrap());
        assert_eq!(anna.company, founded.json()["id"]);
        assert_eq!(
            stage
                .client(&anna)
                .get("/api/users?state=invited")
                .await
                .json()["users"][0]["email"],
            "boss@acme.example"
        );

        let (_, machine) = stage.api_token(&anna, &["visits:write"]).await;
        let mut machine = stage.app.client().with_token(&machine);
        machine.get("/api/count").await.visits();
        for _ in 0..2 {
            let suspended = operator.put_json(&path, r#"{"state":"suspended"}"#).await;
            assert_eq!(suspended.json()["state"], "suspended");
        }
        assert_eq!(machine.get("/api/count").await.status, 401);
        assert_eq!(stage.client(&anna).get("/api/count").await.status, 401);
        assert_eq!(
            stage.app.client().login(&anna.email, PASSWORD).await.status,
            401
        );
        assert_eq!(
            operator
                .put_json(&path, r#"{"state":"active"}"#)
                .await
                .status,
            200
        );
        machine.get("/api/count").await.visits();
        let token = stage.log_in(&anna).await;
        let mut anna = stage.app.client().with_token(&token);
        assert_eq!(
            anna.put_json("/api/company", r#"{"name":"Acme"}"#)
                .await
                .json()["name"],
            "Acme"
        );
        let taken = anna.put_json("/api/company", r#"{"name":"DEFAULT"}"#).await;
        assert_eq!(
            refusal(&taken),
            (409, "company_taken".into(), json!("name"))
        );

        let listed = operator.get("/api/companies?limit=1").await.json();
        assert_eq!(listed["companies"][0]["name"], "default");
        let default = format!(
            "/api/companies/{}",
            listed["companies"][0]["id"].as_str().unwrap()
        );
        for (body, field) in [
            (r#"{"state":"suspended"}"#, "state"),
            (r#"{"name":"x"}"#, "name"),
        ] {
            let reply = operator.put_json(&default, body).await;
            assert_eq!(
                refusal(&reply),
                (409, "managed_by_settings".into(), json!(field))
            );
        }
        let next = listed["next"].as_str().unwrap();
        let page = operator
            .get(&format!("/api/companies?cursor={next}"))
            .await
            .json();
        assert_eq!(
            (&page["companies"][0]["name"], &page["next"]),
            (&json!("Acme"), &Value::Null)
        );
        assert_eq!(
            operator
                .put_json(&format!("/api/companies/{}", Uuid::now_v7()), "{}")
                .await
                .status,
            404
        );
    }
}

/// Nothing says to others that there are routes for operators.
#[tokio::test]
async fn to_others_companies_are_as_if_absent() {
    let stage = Stage::sqlite().await;
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let mut client = stage.client(&anna);
    let document = |reply: &crate::support::Reply| {
        let mut body = reply.json();
        body["request_id"] = Value::Null;
        (reply.status, body)
    };
    let unknown = document(&client.get("/api/nothing").await);
    let id = format!("/api/companies/{}", anna.company);
    for reply in [
        client.get("/api/companies").await,
        client.post_json("/api/companies", "{").await,
        client.put_json(&id, "{}").await,
        client.put_json("/api/companies/x", "{}").await,
    ] {
        assert_eq!(document(&reply), unknown);
    }
}
