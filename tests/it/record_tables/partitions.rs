//! Months of visits in PostgreSQL: made when they are needed, dropped when nothing in them is.

use super::*;
use crate::support::postgres;

/// 2019-01-31T23:59:59.999Z
const JANUARY: i64 = 1_548_979_199_999;

async fn opened() -> (postgres::Database, Opened) {
    let postgres = postgres::Database::migrated();
    let opened = databases::at(&postgres.url(), &[]).await.up().await;
    (postgres, opened)
}

/// A visit with this number at this time.
fn entry(number: u64, at: i64) -> Entry {
    Entry {
        last: number,
        visits: 1,
        before: number - 1,
        at,
        carried: vec![(number, on("/"))],
        ..Entry::default()
    }
}

/// Appends to a counter whose record begins long ago.
async fn recorded_long_ago(database: &Database, counter: &CounterId, entries: &[Entry]) {
    let (counter, entries) = (counter.clone(), entries.to_vec());
    let done = database.write("append", move |connection| {
        Box::pin(async move {
            connection.within(counter.company.id()).await?;
            let taken = recordings::take(connection, &counter, 0, 0).await?;
            append(connection, &mut taken.unwrap(), &entries).await
        })
    });
    done.await.unwrap();
}

fn partitions(postgres: &postgres::Database) -> String {
    postgres.sql(
        "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_inherits JOIN pg_class ON oid = inhrelid
         WHERE inhparent = 'visits'::regclass AND relname < 'visits_2020'",
    )
}

#[tokio::test]
async fn months_are_those_of_utc_and_are_made_once() {
    let (postgres, opened) = opened().await;
    let ahead = "SELECT count(*) FROM generate_series(0, 2) AS months WHERE to_regclass(
                 to_char(now() AT TIME ZONE 'UTC' + months * interval '1 month', '\"visits_\"YYYY\"_\"MM')) IS NOT NULL";
    assert_eq!(postgres.sql(ahead), "3");
    let counters = [
        counter(Company::Default, "one"),
        counter(Company::Default, "two"),
    ];
    let entries = [entry(1, JANUARY), entry(2, JANUARY + 1)];
    // At the same time: one of them waits for the other.
    let both = counters
        .iter()
        .map(|counter| recorded_long_ago(&opened.database, counter, &entries));
    futures_util::future::join_all(both).await;
    assert_eq!(partitions(&postgres), "visits_2019_01 visits_2019_02");
    for month in ["01", "02"] {
        let rows = format!("SELECT count(*) FROM visits_2019_{month}");
        assert_eq!(postgres.sql(&rows), "2");
    }
}

#[tokio::test]
async fn a_month_is_dropped_when_no_counter_needs_it() {
    let (postgres, opened) = opened().await;
    let counters = [
        counter(Company::Default, "one"),
        counter(another_company(&opened.database).await, "one"),
    ];
    for counter in &counters {
        let entries = [entry(1, JANUARY), entry(2, JANUARY + 1)];
        recorded_long_ago(&opened.database, counter, &entries).await;
    }
    let drop = |moment: i64| {
        let dropped = opened.database.write("drop", move |connection| {
            Box::pin(async move {
                let Connection::Postgres(postgres) = connection else {
                    unreachable!()
                };
                let drop = sqlx::query_scalar("SELECT footfall_drop_visits_partitions($1)");
                let dropped: i64 = drop.bind(moment).fetch_one(&mut **postgres).await?;
                Ok(dropped)
            })
        });
        async { dropped.await.unwrap() }
    };
    let after: i64 = JANUARY + 1;
    assert_eq!(drop(after).await, 0, "both are needed");
    postgres.sql(
        "UPDATE recordings SET base = 1 WHERE company_id = '00000000-0000-7000-8000-000000000000'",
    );
    assert_eq!(drop(after).await, 0, "one is");
    postgres.sql("UPDATE recordings SET base = 2");
    assert_eq!(drop(after - 1).await, 0, "it is not over");
    assert_eq!(drop(after).await, 1);
    assert_eq!(partitions(&postgres), "visits_2019_02");
}

#[tokio::test]
async fn what_the_service_may_not_do_itself() {
    let (postgres, opened) = opened().await;
    let counter = counter(Company::Default, "one");
    recorded_long_ago(&opened.database, &counter, &[entry(1, JANUARY)]).await;
    let as_service = |text: &str| {
        let within = "SELECT set_config('footfall.company_id', 'all', false)";
        postgres.try_sql(&format!(
            "SET ROLE footfall; {within} \\g /dev/null\n {text}"
        ))
    };
    assert_eq!(as_service("SELECT count(*) FROM visits").unwrap(), "1");
    // By its own name a month has no policy, and so shows nothing.
    assert_eq!(
        as_service("SELECT count(*) FROM visits_2019_01").unwrap(),
        "0"
    );
    for refused in [
        "DROP TABLE visits_2019_01",
        "CREATE TABLE visits_2019_02 (LIKE visits)",
    ] {
        assert!(as_service(refused).is_err(), "{refused}");
    }
    postgres.sql("CREATE ROLE stranger_to_visits LOGIN");
    for function in ["make_visits_partition", "drop_visits_partitions"] {
        let call = format!(
            "SET SESSION AUTHORIZATION stranger_to_visits; SELECT footfall_{function}(1549000000000)"
        );
        let refused = postgres.try_sql(&call).unwrap_err();
        assert!(
            refused.contains("permission denied for the visits"),
            "{refused}"
        );
    }
}
