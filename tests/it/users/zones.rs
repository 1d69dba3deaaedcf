//! The time zone of a company.

use super::*;

#[tokio::test]
async fn a_zone_is_utc_until_an_admin_says_another() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        let mut client = stage.client(&anna);
        let zone = async |client: &mut crate::support::Client| {
            client.get("/api/company").await.json()["time_zone"].clone()
        };
        assert_eq!(zone(&mut client).await, "UTC", "{}", stage.kind);
        let body = r#"{"time_zone":"europe/berlin"}"#;
        for _ in 0..2 {
            let changed = client.put_json("/api/company", body).await;
            assert_eq!(changed.status, 200, "{changed:?}");
            let company = changed.json();
            assert_eq!(
                (&company["time_zone"], &company["name"]),
                (&json!("Europe/Berlin"), &json!("acme")),
                "as IANA writes it, and nothing else is changed"
            );
        }
        assert_eq!(zone(&mut client).await, "Europe/Berlin");
        // Once: what is the same already changes nothing.
        let entries = "SELECT count(*) FROM audit_entries WHERE action = 'company.update'";
        assert_eq!(stage.number(entries).await, 1);
        let trail = client.get("/api/audit?action=company.update").await.json();
        let fields = &trail["entries"][0]["details"]["fields"];
        assert_eq!(fields, &json!(["time_zone"]));
        let body = r#"{"name":"Acme","time_zone":"Asia/Kathmandu"}"#;
        let both = client.put_json("/api/company", body).await.json();
        assert_eq!(
            (&both["time_zone"], &both["name"]),
            (&json!("Asia/Kathmandu"), &json!("Acme"))
        );
        let body = r#"{"name":"acme","time_zone":null}"#;
        let named = client.put_json("/api/company", body).await.json();
        assert_eq!(named["time_zone"], "Asia/Kathmandu");

        let bo = stage.person("acme", "bo", Role::Member).await;
        let mut bo = stage.client(&bo);
        let refused = bo.put_json("/api/company", r#"{"time_zone":"UTC"}"#).await;
        assert_eq!(refused.status, 403);
        assert_eq!(zone(&mut bo).await, "Asia/Kathmandu");
    }
}

#[tokio::test]
async fn operators_say_that_of_any_company() {
    for stage in Stage::both().await {
        let mut operator = stage.operator().await;
        let body = json!({ "name": "Acme", "email": "boss@acme.example", "time_zone": "America/Sao_Paulo" });
        let founded = operator
            .post_json("/api/companies", &body.to_string())
            .await;
        assert_eq!(founded.json()["time_zone"], "America/Sao_Paulo");
        let body = json!({ "name": "Other", "email": "boss@other.example" });
        let other = operator
            .post_json("/api/companies", &body.to_string())
            .await;
        assert_eq!(other.json()["time_zone"], "UTC");
        let path = format!("/api/companies/{}", founded.json()["id"].as_str().unwrap());
        let changed = operator
            .put_json(&path, r#"{"time_zone":"Africa/Nairobi"}"#)
            .await;
        assert_eq!(changed.json()["time_zone"], "Africa/Nairobi");
        let suspended = operator.put_json(&path, r#"{"state":"suspended"}"#).await;
        assert_eq!(suspended.json()["time_zone"], "Africa/Nairobi");
        // That of the settings' account keeps its name and its state, but goes by any clock.
        let changed = operator
            .put_json("/api/company", r#"{"time_zone":"Europe/Berlin"}"#)
            .await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let listed = operator.get("/api/companies").await.json();
        let zones = listed["companies"].as_array().unwrap().iter();
        let zones: Vec<_> = zones
            .map(|company| (company["name"].as_str(), company["time_zone"].as_str()))
            .collect();
        assert_eq!(
            zones,
            [
                (Some("default"), Some("Europe/Berlin")),
                (Some("Acme"), Some("Africa/Nairobi")),
                (Some("Other"), Some("UTC")),
            ]
        );
    }
}

#[tokio::test]
async fn a_zone_that_is_none_is_refused_by_its_field() {
    let stage = Stage::sqlite().await;
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let mut client = stage.client(&anna);
    let mut operator = stage.operator().await;
    let companies = stage.number("SELECT count(*) FROM companies").await;
    let long = "a".repeat(5000);
    for bad in [
        json!(1),
        json!(["UTC"]),
        json!(""),
        json!(" UTC"),
        json!("Europe/Atlantis"),
        json!("+02:00"),
        json!("CEST"),
        json!("Etc/Unknown"),
        json!("Europe/Berlin\0"),
        json!("../../etc/localtime"),
        json!(long),
    ] {
        let body = json!({ "name": "New", "time_zone": bad }).to_string();
        let founded =
            json!({ "name": "New", "time_zone": bad, "email": "x@x.example" }).to_string();
        let of_id = format!("/api/companies/{}", anna.company);
        for reply in [
            client.put_json("/api/company", &body).await,
            operator.put_json(&of_id, &body).await,
            operator.post_json("/api/companies", &founded).await,
        ] {
            assert_eq!(
                refusal(&reply),
                (422, "invalid_body".into(), json!("time_zone")),
                "{bad}"
            );
        }
    }
    for nothing in ["{}", r#"{"time_zone":null}"#] {
        let reply = client.put_json("/api/company", nothing).await;
        assert_eq!(
            refusal(&reply),
            (422, "invalid_body".into(), json!("name")),
            "{nothing}"
        );
    }
    assert_eq!(client.get("/api/company").await.json()["name"], "acme");
    let now = stage.number("SELECT count(*) FROM companies").await;
    assert_eq!(now, companies);
}

/// A replica of the release before names no zone where it founds a company, and one of the next may write a zone that is
/// not known here.
#[tokio::test]
async fn other_releases_write_to_the_same_table() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        let mut client = stage.client(&anna);
        for (sql, zone) in [
            (
                "INSERT INTO companies (id, name, name_key, state, generation, created_at, updated_at)
                 VALUES ($1, 'older', 'older', 'active', 1, 1, 1)",
                "UTC",
            ),
            ("UPDATE companies SET name = 'Acme', state = 'active', updated_at = 2 WHERE name = 'acme' AND id <> $1", "Europe/Berlin"),
            ("UPDATE companies SET time_zone = 'Mars/Olympus' WHERE name = 'Acme' AND id <> $1", "UTC"),
        ] {
            if zone == "Europe/Berlin" {
                let body = r#"{"time_zone":"Europe/Berlin"}"#;
                assert_eq!(client.put_json("/api/company", body).await.status, 200);
            }
            let database = stage.app.database.as_ref().unwrap();
            let written = database.write("older", move |connection| {
                Box::pin(async move {
                    connection.across_companies().await?;
                    footfall::on_either!(connection, |database| {
                        let written = sqlx::query(sql).bind(Uuid::now_v7());
                        written.execute(&mut **database).await.map(drop)
                    })?;
                    Ok(())
                })
            });
            written.await.unwrap();
            let listed = stage.operator().await.get("/api/companies").await.json();
            let companies = listed["companies"].as_array().unwrap().iter();
            let name = if sql.starts_with("INSERT") { "older" } else { "Acme" };
            let found = { companies }.find(|company| company["name"] == name);
            assert_eq!(found.unwrap()["time_zone"], zone, "{}: {sql}", stage.kind);
        }
    }
}
