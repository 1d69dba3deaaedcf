//! What is rare is found without reading all that is not.

use footfall::storage::sql::Connection;

use super::*;

/// Enough that reading all of it is worse than any index.
const ENTRIES: u32 = 20_000;

const COMPANIES: [Uuid; 2] = [Uuid::from_u128(0xa), Uuid::from_u128(0xb)];
const COMMON: Uuid = Uuid::from_u128(7);
const RARE: Uuid = Uuid::from_u128(9);

/// One entry in 4,000 is by somebody else, or another action; of two companies by turns.
async fn fill(trail: &Trail) {
    let cast = trail.postgres.as_ref().map_or("", |_| "::uuid");
    let literal = |id| format!("{}{cast}", trail.literal(id));
    let [one, other] = COMPANIES.map(literal);
    let (common, rare) = (literal(COMMON), literal(RARE));
    let (numbers, id, hash, address) = match trail.postgres {
        Some(_) => (
            format!("SELECT n FROM generate_series(1, {ENTRIES}) AS numbers(n)"),
            "gen_random_uuid()",
            "decode(repeat('00', 32), 'hex')",
            "decode('7f000001', 'hex')",
        ),
        None => (
            format!(
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {ENTRIES}) SELECT n FROM numbers"
            ),
            "randomblob(16)",
            "zeroblob(32)",
            "X'7f000001'",
        ),
    };
    // What a literal is, PostgreSQL does not see through a CASE.
    let of = |case: String| match trail.postgres {
        Some(_) => format!("({case})::uuid"),
        None => case,
    };
    let company = of(format!("CASE n % 2 WHEN 0 THEN {one} ELSE {other} END"));
    let actor = of(format!(
        "CASE WHEN n % 4000 < 2 THEN {rare} ELSE {common} END"
    ));
    let text = format!(
        "INSERT INTO audit_entries (company_id, seq, id, recorded_at, events, first_at, last_at, actor, actor_id, action, outcome, details, hash)
         SELECT {company}, n, {id}, n, 1, n, n,
             CASE WHEN n % 4000 < 2 THEN 'command' ELSE 'user' END,
             {actor},
             CASE WHEN n % 4000 < 2 THEN 'company.update' ELSE 'session.login' END,
             'success', '{{}}', {hash} FROM ({numbers}) AS all_of_them;
         INSERT INTO audit_addresses SELECT company_id, seq, recorded_at, {address} FROM audit_entries;
         {}",
        // SQLite is never told how its rows are spread; PostgreSQL finds that out by itself.
        trail
            .postgres
            .as_ref()
            .map_or("", |_| "ANALYZE audit_entries; ANALYZE audit_addresses;")
    );
    // Of companies that are none: what is looked at is how entries are found.
    trail.tamper(&text).await;
}

/// How the database is going to read a page.
async fn plan(connection: &mut Connection<'_>, selection: &Selection) -> Vec<String> {
    match selection.company {
        Some(company) => connection.within(company).await.unwrap(),
        None => connection.across_companies().await.unwrap(),
    }
    let (explain, column) = match connection {
        Connection::Postgres(_) => ("EXPLAIN", 0),
        Connection::Sqlite(_) => ("EXPLAIN QUERY PLAN", 3),
    };
    let text = format!("{explain} {}", selection.statement(None));
    on_either!(connection, |database| {
        let rows = sqlx::query(AssertSqlSafe(text))
            .bind(selection.company)
            .bind(selection.actor_id)
            .bind(selection.actor)
            .bind(selection.action.as_deref())
            .bind(selection.group.as_deref())
            .bind(None::<&str>)
            .bind(selection.from)
            .bind(selection.to)
            .bind(None::<i64>)
            .bind(None::<Uuid>)
            .bind(None::<i64>)
            .bind(101_i64)
            .fetch_all(&mut **database)
            .await
            .unwrap();
        let lines = rows
            .iter()
            .map(|row| sqlx::Row::get::<String, _>(row, column));
        lines.collect()
    })
}

#[tokio::test]
async fn a_rare_actor_or_action_is_found_by_an_index() {
    for trail in both().await {
        fill(&trail).await;
        let company = Some(COMPANIES[0]);
        for (selection, index) in [
            (
                Selection {
                    actor_id: Some(RARE),
                    ..Selection::default()
                },
                "audit_entries_by_actor_id",
            ),
            (
                Selection {
                    company,
                    actor_id: Some(RARE),
                    ..Selection::default()
                },
                "audit_entries_of_company_by_actor_id",
            ),
            (
                Selection {
                    actor: Some("command"),
                    ..Selection::default()
                },
                "audit_entries_by_actor",
            ),
            (
                Selection {
                    company,
                    actor: Some("command"),
                    ..Selection::default()
                },
                "audit_entries_of_company_by_actor",
            ),
            (
                Selection {
                    action: Some("company.update".to_owned()),
                    ..Selection::default()
                },
                "audit_entries_by_action",
            ),
            (
                Selection {
                    company,
                    action: Some("company.update".to_owned()),
                    ..Selection::default()
                },
                "audit_entries_of_company_by_action",
            ),
        ] {
            let asked = selection.clone();
            let lines = trail.database().read("test", move |connection| {
                Box::pin(async move { Ok(plan(connection, &asked).await) })
            });
            let lines = lines.await.unwrap();
            let plan = lines.join("\n");
            let uses = |word: &str| plan.split([' ', '\n']).any(|found| found == word);
            // What is rare in all companies is as quickly found without its own.
            let of_all = index.replace("of_company_", "");
            assert!(
                uses(index) || uses(&of_all),
                "{} {selection:?}:\n{plan}",
                trail.kind()
            );
            for bad in [
                "Seq Scan on audit_entries",
                "Sort",
                "SCAN audit_entries",
                "TEMP B-TREE",
            ] {
                assert!(
                    !plan.contains(bad),
                    "{} {selection:?}:\n{plan}",
                    trail.kind()
                );
            }
        }
    }
}
