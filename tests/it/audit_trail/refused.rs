//! What the database refuses by itself.

use super::*;

/// A trail that has entries to spoil: old ones and new ones, of two companies.
async fn filled(trail: &Trail) -> Uuid {
    let other = trail.company("other").await;
    for days in [500, 450, 40, 1] {
        trail.append_old(other, days).await;
    }
    record_each(
        trail.database(),
        vec![entry(DEFAULT_ID), entry(other), entry(other)],
    )
    .await;
    other
}

/// Everything there is, as it is compared.
async fn all(trail: &Trail, other: Uuid) -> (Vec<Chain>, Vec<Listed>, Vec<Listed>) {
    let own = trail.entries(DEFAULT_ID).await;
    (trail.chains().await, own, trail.entries(other).await)
}

/// Changes of every kind; `C` is the company, `B` begins bytes.
const CHANGES: &[&str] = &[
    "UPDATE audit_entries SET action = 'account.delete' WHERE seq = 1",
    "UPDATE audit_entries SET seq = seq + 100",
    "UPDATE audit_entries SET details = details",
    "UPDATE audit_entries SET hash = hash WHERE company_id = C",
    "DELETE FROM audit_entries",
    "DELETE FROM audit_addresses; DELETE FROM audit_entries WHERE seq = (SELECT max(seq) FROM audit_entries)",
    "DELETE FROM audit_entries WHERE company_id = C AND seq = 1",
    "DELETE FROM audit_addresses",
    "DELETE FROM audit_addresses WHERE company_id = C AND seq = 1",
    "DELETE FROM audit_chains",
    "DELETE FROM audit_chains WHERE company_id = C",
    "UPDATE audit_chains SET last_seq = last_seq - 1",
    "UPDATE audit_chains SET last_seq = last_seq + 1",
    "UPDATE audit_chains SET last_hash = B0000000000000000000000000000000000000000000000000000000000000000'",
    "UPDATE audit_chains SET last_seq = last_seq",
    "UPDATE audit_chains SET first_hash = last_hash",
    // Two are old enough, and three are not.
    "UPDATE audit_chains SET first_seq = 4, first_hash = (SELECT hash FROM audit_entries WHERE company_id = C AND seq = 3) WHERE company_id = C",
    "UPDATE audit_chains SET first_seq = last_seq + 1, first_hash = last_hash WHERE company_id = C",
    // Where the hash is not that of the entry before.
    "UPDATE audit_chains SET first_seq = 3, first_hash = (SELECT hash FROM audit_entries WHERE company_id = C AND seq = 1) WHERE company_id = C",
    "UPDATE audit_chains SET first_seq = 3 WHERE company_id = C",
    "UPDATE audit_addresses SET address = BC00002FF' WHERE seq = 1",
    "UPDATE audit_addresses SET address = BC00003' WHERE seq = 1",
    "UPDATE audit_addresses SET address = BC00002000000' WHERE seq = 1",
    "UPDATE audit_addresses SET recorded_at = recorded_at - 1",
    "UPDATE audit_addresses SET seq = seq + 50",
    // Not yet 30 days old.
    "UPDATE audit_addresses SET address = substr(address, 1, 3) WHERE company_id = C AND seq = 4",
];

/// Rows where none may be put; a chain that begins with something.
const INSERTIONS: &[&str] = &[
    "INSERT INTO audit_entries SELECT company_id, 99, G, recorded_at, events, first_at, last_at, actor, actor_id, action, object, object_id, outcome, request_id, details, hash FROM audit_entries WHERE company_id = C AND seq = 2",
    "INSERT INTO audit_entries SELECT company_id, 2, G, recorded_at, events, first_at, last_at, actor, actor_id, action, object, object_id, outcome, request_id, details, hash FROM audit_entries WHERE company_id = C AND seq = 2",
    "INSERT INTO audit_entries SELECT company_id, 7, id, recorded_at, events, first_at, last_at, actor, actor_id, action, object, object_id, outcome, request_id, details, hash FROM audit_entries WHERE company_id = C AND seq = 2",
    "INSERT INTO audit_chains SELECT G, 1, first_hash, 5, last_hash FROM audit_chains WHERE company_id = C",
    "INSERT INTO audit_chains SELECT company_id, 1, B0000000000000000000000000000000000000000000000000000000000000000', 0, B0000000000000000000000000000000000000000000000000000000000000000' FROM audit_chains WHERE company_id = C",
    "INSERT INTO audit_addresses SELECT company_id, seq, 0, BC00003' FROM audit_addresses WHERE company_id = C",
];

fn spelled(trail: &Trail, text: &str, company: Uuid) -> String {
    let bytes = if trail.postgres.is_some() {
        "'\\x"
    } else {
        "x'"
    };
    text.replace("= C", &format!("= {}", trail.literal(company)))
        .replace("SELECT G", &format!("SELECT {}", typed(trail)))
        .replace(", G,", &format!(", {},", typed(trail)))
        .replace(" B0", &format!(" {bytes}0"))
        .replace(" BC", &format!(" {bytes}C"))
        .replace(
            "0', 0,",
            if trail.postgres.is_some() {
                "0'::bytea, 0,"
            } else {
                "0', 0,"
            },
        )
        .replace(
            "0' FROM",
            if trail.postgres.is_some() {
                "0'::bytea FROM"
            } else {
                "0' FROM"
            },
        )
        .replace(
            "03' FROM",
            if trail.postgres.is_some() {
                "03'::bytea FROM"
            } else {
                "03' FROM"
            },
        )
}

/// An id that is nobody's.
fn typed(trail: &Trail) -> String {
    let id = trail.literal(Uuid::from_u128(99));
    if trail.postgres.is_some() {
        format!("{id}::uuid")
    } else {
        id
    }
}

#[tokio::test]
async fn the_service_can_change_nothing() {
    for trail in both().await {
        let other = filled(&trail).await;
        let before = all(&trail, other).await;
        for text in CHANGES.iter().chain(INSERTIONS) {
            let text = spelled(&trail, text, other);
            let refused = trail.run(text.clone()).await;
            let kind = trail.kind();
            assert!(
                matches!(
                    refused,
                    Err(DatabaseError::Refused(_) | DatabaseError::UniqueViolation)
                ),
                "{kind}: {text}: {refused:?}"
            );
        }
        assert_eq!(all(&trail, other).await, before, "{}", trail.kind());
        assert_eq!(trail.breaks(other, vec![]).await, []);
    }
}

/// SQLite deletes what it replaces without asking the triggers that are for that.
#[tokio::test]
async fn nothing_can_be_replaced() {
    let [sqlite, _] = both().await;
    let other = filled(&sqlite).await;
    let before = all(&sqlite, other).await;
    for text in INSERTIONS.iter().chain(CHANGES) {
        let text = spelled(&sqlite, text, other);
        for way in ["OR REPLACE", "OR IGNORE", "OR FAIL", "OR ROLLBACK"] {
            let text = text
                .replace("INSERT INTO", &format!("INSERT {way} INTO"))
                .replace("UPDATE audit", &format!("UPDATE {way} audit"));
            // What is ignored is no error, and does nothing.
            let _ = sqlite.run(text.clone()).await;
            assert_eq!(all(&sqlite, other).await, before, "{text}");
        }
    }
}

/// The owner of the tables, and a superuser, who may do everything else with them.
#[tokio::test]
async fn the_owner_can_change_nothing_by_mistake() {
    let [_, trail] = both().await;
    let postgres = trail.postgres.as_ref().unwrap();
    let other = filled(&trail).await;
    let before = all(&trail, other).await;
    let truncations = [
        "TRUNCATE audit_entries CASCADE",
        "TRUNCATE audit_addresses",
        "TRUNCATE audit_chains CASCADE",
    ];
    for role in ["footfall_owner", "postgres"] {
        for text in CHANGES.iter().chain(INSERTIONS).chain(&truncations) {
            let text = spelled(&trail, text, other);
            let refused = postgres.try_sql(&format!("SET SESSION AUTHORIZATION {role}; {text}"));
            let why = refused.expect_err(&text);
            let ours = ["audit", "duplicate key"]
                .iter()
                .any(|word| why.contains(word));
            assert!(ours && !why.contains("syntax"), "{text}: {why}");
        }
    }
    assert_eq!(all(&trail, other).await, before);
}

/// Whatever the service's role was given for all tables, and whatever it is called.
#[tokio::test]
async fn the_service_has_no_right_to_change() {
    let [_, trail] = both().await;
    let postgres = trail.postgres.as_ref().unwrap();
    for (table, expected) in [
        ("audit_chains", "SELECT"),
        ("audit_entries", "INSERT,SELECT"),
        ("audit_addresses", "INSERT,SELECT"),
    ] {
        let rights = postgres.sql(&format!(
            "SELECT string_agg(privilege_type, ',' ORDER BY privilege_type) FROM information_schema.role_table_grants
             WHERE table_name = '{table}' AND grantee = 'footfall'"
        ));
        assert_eq!(rights, expected, "{table}");
        for text in [
            format!("TRUNCATE {table} CASCADE"),
            format!("DELETE FROM {table}"),
            format!("ALTER TABLE {table} DISABLE TRIGGER ALL"),
            format!("DROP TABLE {table} CASCADE"),
        ] {
            let refused = trail.run(text.clone()).await.unwrap_err();
            let why = refused.to_string();
            let said = why.contains("permission denied") || why.contains("must be owner");
            assert!(said, "{text}: {why}");
        }
    }
    for text in [
        "SET session_replication_role = replica",
        "ALTER FUNCTION footfall_audit_move() RENAME TO gone",
        "CREATE OR REPLACE FUNCTION footfall_audit_now() RETURNS BIGINT LANGUAGE sql AS 'SELECT 9::bigint'",
    ] {
        assert!(trail.run(text).await.is_err(), "{text}");
    }
}

/// The functions that do what the service may not are not for everybody who may connect, and find
/// these tables whatever the session's path leads to.
#[tokio::test]
async fn the_functions_are_for_who_may_append() {
    let [_, trail] = both().await;
    let postgres = trail.postgres.as_ref().unwrap();
    let other = filled(&trail).await;
    let name = format!("stranger_{}", postgres.name);
    postgres.sql(&format!("CREATE ROLE {name} LOGIN"));
    for call in [
        format!("footfall_audit_end('{other}')"),
        format!("footfall_audit_drop('{other}', 10)"),
        "footfall_audit_cut(10)".to_owned(),
    ] {
        let as_stranger = format!("SET SESSION AUTHORIZATION {name}; SELECT {call}");
        let why = postgres.try_sql(&as_stranger).unwrap_err();
        assert!(why.contains("permission denied"), "{call}: {why}");
        // A table of the same name, earlier in the path, is not taken for ours.
        let beside = format!(
            "SET SESSION AUTHORIZATION footfall; SET footfall.company_id = 'all';
             CREATE TEMP TABLE audit_entries (); CREATE TEMP TABLE audit_addresses (); CREATE TEMP TABLE audit_chains ();
             SELECT {call}"
        );
        assert!(postgres.try_sql(&beside).is_ok(), "{call}");
    }
    postgres.sql(&format!("DROP ROLE {name}"));
    assert_eq!(trail.breaks(other, vec![]).await, []);
}

/// With the company's condition left out of a statement, PostgreSQL shows and takes one company's.
#[tokio::test]
async fn a_transaction_of_one_company_sees_and_appends_to_no_other() {
    let [_, trail] = both().await;
    let other = filled(&trail).await;
    let seen = trail.database().write("test", move |connection| {
        Box::pin(async move {
            connection.within(DEFAULT_ID).await?;
            let all = Selection::default();
            on_either!(connection, |database| {
                let mut numbers = Vec::new();
                for table in ["audit_chains", "audit_entries", "audit_addresses"] {
                    let text = format!("SELECT count(*) FROM {table} WHERE company_id <> $1");
                    let number: i64 = sqlx::query_scalar(AssertSqlSafe(text))
                        .bind(all.company.unwrap_or(DEFAULT_ID))
                        .fetch_one(&mut **database)
                        .await?;
                    numbers.push(number);
                }
                Ok(numbers)
            })
        })
    });
    assert_eq!(seen.await.unwrap(), [0, 0, 0]);
    let appended = trail.database().write("test", move |connection| {
        Box::pin(async move {
            connection.within(DEFAULT_ID).await?;
            record(connection, &entry(other)).await
        })
    });
    let why = appended.await.unwrap_err().to_string();
    assert!(why.contains("another company"), "{why}");
}
