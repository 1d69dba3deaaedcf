//! What `GET /api/audit` may be asked for.

use super::*;

#[tokio::test]
async fn filters() {
    for reading in reading().await {
        let other = reading.trail.company("other").await;
        let (ann, bob) = (Uuid::from_u128(71), Uuid::from_u128(72));
        let told = vec![
            Entry::new(DEFAULT_ID, Actor::User(ann), Action::SessionLogin),
            Entry::new(DEFAULT_ID, Actor::Anonymous, Action::SessionLogin).ended(Outcome::Failure),
            Entry::new(DEFAULT_ID, Actor::User(bob), Action::SessionLogoutAll),
            Entry::new(DEFAULT_ID, Actor::ApiToken(bob), Action::AccessDenied)
                .ended(Outcome::Denied),
            Entry::new(DEFAULT_ID, Actor::Operator, Action::CompanySuspend)
                .on(Kind::Company, other),
            Entry::new(other, Actor::System, Action::MailFailed).ended(Outcome::Failure),
        ];
        record_each(reading.trail.database(), told).await;
        reading.trail.append_old(other, 10).await;
        let mut client = reading.operator();
        let day = |days: i64| {
            let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
            let then = std::time::Duration::from_millis((now - days * DAY) as u64);
            let then = std::time::UNIX_EPOCH + then;
            humantime::format_rfc3339_seconds(then).to_string()
        };
        let plus = day(5).replace('Z', "%2B00:00");
        for (query, expected) in [
            ("", vec![6, 5, 4, 3, 2, 1, 0]),
            (
                "actor=&action=&outcome=&from=&to=&company=&cursor=&limit=",
                vec![6, 5, 4, 3, 2, 1, 0],
            ),
            (&format!("actor={ann}"), vec![0]),
            (&format!("actor={bob}"), vec![3, 2]),
            (
                &format!("actor={}", bob.to_string().to_uppercase()),
                vec![3, 2],
            ),
            (&format!("actor={}", Uuid::from_u128(9)), vec![]),
            ("actor=user", vec![2, 0]),
            ("actor=anonymous", vec![1]),
            ("actor=operator", vec![4]),
            ("action=session.login", vec![1, 0]),
            ("action=session.*", vec![2, 1, 0]),
            ("action=session.logout", vec![]),
            ("action=sess.*", vec![]),
            ("action=account.*", vec![6]),
            ("action=of_a_later.version", vec![]),
            ("outcome=failure", vec![5, 1]),
            ("outcome=denied", vec![3]),
            ("action=session.*&outcome=success&actor=user", vec![2, 0]),
            (&format!("from={}", day(5)), vec![5, 4, 3, 2, 1, 0]),
            (&format!("from={plus}"), vec![5, 4, 3, 2, 1, 0]),
            (&format!("to={}", day(5)), vec![6]),
            (&format!("from={}&to={}", day(20), day(5)), vec![6]),
            (&format!("from={}", day(-1)), vec![]),
            (&format!("company={other}"), vec![6, 5]),
            (&format!("company={DEFAULT_ID}"), vec![4, 3, 2, 1, 0]),
            (&format!("company={}", Uuid::from_u128(9)), vec![]),
        ] {
            let reply = client.get(&format!("/api/audit?{query}")).await;
            let mut found: Vec<_> = entries(&reply)
                .iter()
                .map(|entry| {
                    let (action, actor) =
                        (entry["action"].as_str(), entry["actor"]["kind"].as_str());
                    match (action.unwrap(), actor.unwrap()) {
                        ("session.login", "user") => 0,
                        ("session.login", _) => 1,
                        ("session.logout_all", _) => 2,
                        ("access.denied", _) => 3,
                        ("company.suspend", _) => 4,
                        ("mail.failed", _) => 5,
                        _ => 6,
                    }
                })
                .collect();
            // Those of one moment are apart by what is not told here.
            found.sort_unstable_by(|one, other| other.cmp(one));
            assert_eq!(found, expected, "{}: {query}", reading.trail.kind());
        }
    }
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let reading = started(both().await.into_iter().next().unwrap()).await;
    let mut client = reading.operator();
    let long = "x".repeat(41);
    for (query, name) in [
        ("actor=nobody", "actor"),
        ("actor=00000000000070008000000000000001", "actor"),
        ("actor=%7B00000000-0000-7000-8000-000000000001%7D", "actor"),
        ("action=session", "action"),
        ("action=session.", "action"),
        ("action=.login", "action"),
        ("action=*", "action"),
        ("action=*.login", "action"),
        ("action=session.log*", "action"),
        ("action=session.login.more", "action"),
        ("action=Session.login", "action"),
        ("action=session.%25", "action"),
        ("action=session.%00", "action"),
        ("action=session.%F0%9F%98%80", "action"),
        (&format!("action={long}.login"), "action"),
        ("outcome=SUCCESS", "outcome"),
        ("outcome=ok", "outcome"),
        ("from=yesterday", "from"),
        ("from=2026-01-01", "from"),
        ("from=2026-01-01T00:00:00+02:00", "from"),
        ("to=1700000000", "to"),
        ("to=10000-01-01T00:00:00Z", "to"),
        ("company=default", "company"),
        ("company=%00", "company"),
        ("cursor=1", "cursor"),
        ("cursor=null", "cursor"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("unknown=1", "unknown"),
        ("Actor=user", "Actor"),
        ("actor=user&actor=user", "actor"),
    ] {
        let reply = client.get(&format!("/api/audit?{query}")).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (400, "invalid_query"),
            "{query}"
        );
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(name), "{query}: {detail}");
    }
    // Any place that has the form of one is a place.
    for digits in ["0", "7", "8", "f"] {
        let cursor = format!("1-{}", digits.repeat(64));
        let reply = client.get(&format!("/api/audit?cursor={cursor}")).await;
        assert_eq!(reply.status, 200, "{cursor}");
    }
}
