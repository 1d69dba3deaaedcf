//! Sums of days that are over: that they are looked at, and what becomes of them where others wrote meanwhile.

use footfall::{
    counting::carried::{Attributes, Stored},
    on_either,
    record::{
        table::recordings,
        upkeep,
        values::{days, summing},
    },
    storage::sql::Database,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{DAY, Place, at, carrying, to};
use crate::support::until;

const PLAN: &str = "/api/counters/a/values?field=properties.plan";

/// Who waits for what another transaction has locked.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// One who has this plan.
fn on(plan: &str, visitor: &str) -> Stored {
    Stored {
        visitor: Some(visitor.into()),
        attributes: Attributes {
            properties: [("plan".into(), json!(plan))].into(),
            ..Attributes::default()
        },
    }
}

impl Place {
    fn database(&self) -> &Database {
        self.stage.app.database.as_ref().unwrap()
    }

    async fn run(&self, statements: &'static [&'static str]) {
        let done = self.database().write("test", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                for statement in statements {
                    on_either!(&mut *connection, |database| {
                        sqlx::query(*statement).execute(&mut **database).await?;
                    });
                }
                Ok(())
            })
        });
        done.await.unwrap();
    }

    /// A day with 20 visits of two, one who has no plan, and another day.
    async fn some_days(&self) {
        let noon = at("2026-03-01T12:00:00Z");
        let of = |number: usize| match number % 2 {
            0 => on("pro", "#a"),
            _ => on("free", "#b"),
        };
        let mut visits: Vec<_> = (0..20).map(of).collect();
        visits.push(to("/", Some("#c")));
        self.append("a", 0, &[carrying(21, noon, visits)]).await;
        let later = carrying(22, noon + 3 * DAY, vec![on("free", "#d")]);
        self.append("a", 0, &[later]).await;
        upkeep::once(self.database()).await.unwrap();
    }

    async fn plans(&self) -> Value {
        let values = self.get(PLAN).await;
        let values = values["values"].as_array().unwrap().iter();
        values
            .map(|value| json!([value["value"], value["visits"], value["visitors"]]))
            .collect()
    }
}

fn all() -> Value {
    json!([["free", 11, 2], ["pro", 10, 1], [null, 1, 1]])
}

#[tokio::test]
async fn days_of_properties_that_are_over_are_not_looked_at_visit_by_visit() {
    for place in Place::both().await {
        place.some_days().await;
        assert_eq!(place.plans().await, all(), "{}", place.stage.kind);
        // Other sums are another answer.
        place
            .run(&["UPDATE property_days SET visits = visits + 5 WHERE value = '\"pro\"'"])
            .await;
        let more = json!([["pro", 15, 1], ["free", 11, 2]]);
        assert_eq!(place.plans().await, more, "{}", place.stage.kind);
        for left_out in [
            "UPDATE visitor_days SET left_out = '[\"plan\"]'",
            // By an older version, which did not know.
            "UPDATE visitor_days SET left_out = NULL",
        ] {
            place.run(Vec::leak(vec![left_out])).await;
            assert_eq!(place.plans().await, all(), "{left_out}");
        }
        // All that have no sums are left out: this one has some, and others have none.
        place
            .run(&["UPDATE visitor_days SET left_out = 'null'"])
            .await;
        assert_eq!(place.plans().await, more, "{}", place.stage.kind);
        place.run(&["DELETE FROM property_days"]).await;
        assert_eq!(place.plans().await, all(), "{}", place.stage.kind);
    }
}

#[tokio::test]
async fn what_an_older_version_has_summed_up_is_made_again() {
    for place in Place::both().await {
        place.some_days().await;
        let rows = "SELECT count(*) FROM property_days WHERE visits < 100";
        let made = place.stage.number(rows).await;
        assert_eq!(made, 3, "{}", place.stage.kind);
        place
            .run(&[
                "UPDATE visitor_days SET left_out = NULL",
                "UPDATE property_days SET visits = 100",
            ])
            .await;
        upkeep::once(place.database()).await.unwrap();
        assert_eq!(place.stage.number(rows).await, made);
        assert_eq!(place.plans().await, all(), "{}", place.stage.kind);
        // It has forgotten all that it knows of a day whose only visitors were erased.
        place
            .run(&[
                "DELETE FROM visitor_days",
                "DELETE FROM value_days",
                "DELETE FROM visits WHERE number <= 21",
                "UPDATE recordings SET summed = 0, erased = erased + 1",
            ])
            .await;
        upkeep::once(place.database()).await.unwrap();
        assert_eq!(place.stage.number(rows).await, 0, "{}", place.stage.kind);
        let one = json!([[null, 21, 0], ["free", 1, 1]]);
        assert_eq!(place.plans().await, one, "{}", place.stage.kind);
    }
}

/// Whoever sums up has read the visits when somebody is erased, and waits for the row of the counter to write what
/// they were.
#[tokio::test]
async fn nothing_is_written_of_what_was_erased_meanwhile() {
    let [_, place] = Place::both().await;
    place.some_days().await;
    let counter = place.counter("a");
    let company = counter.company.id();
    let read = place.database().read("test", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            Ok(recordings::find(connection, &counter).await?.unwrap())
        })
    });
    let recording = read.await.unwrap();
    // The days are to be summed up, and nothing of them is there.
    place
        .run(&[
            "DELETE FROM visitor_days",
            "DELETE FROM value_days",
            "DELETE FROM property_days",
            "UPDATE recordings SET summed = 0",
        ])
        .await;
    let (has_row, row) = oneshot::channel();
    let (may_erase, erase) = oneshot::channel();
    let id = recording.id;
    let erasing = place.database().write("test", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            on_either!(&mut *connection, |database| {
                let hold = sqlx::query("UPDATE recordings SET told = told");
                hold.execute(&mut **database).await?;
            });
            has_row.send(()).unwrap();
            erase.await.unwrap();
            on_either!(&mut *connection, |database| {
                let erase = sqlx::query("DELETE FROM visits WHERE number <= 20");
                erase.execute(&mut **database).await?;
            });
            Ok(days::forget(connection, company, id, 0).await?)
        })
    });
    let summing = async {
        row.await.unwrap();
        summing::sum_up(place.database(), &recording).await
    };
    let (_, postgres) = place.stage.servers.as_ref().unwrap();
    let waits = async {
        until("it waits for the row", async || {
            (postgres.sql(WAITING) == "1").then_some(())
        })
        .await;
        may_erase.send(()).unwrap();
    };
    let (erased, summed, ()) = tokio::join!(erasing, summing, waits);
    erased.unwrap();
    summed.unwrap();
    for table in ["property_days", "value_days", "visitor_days"] {
        let rows = postgres.sql(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(rows, "0", "{table}");
    }
    // They are made of what is left.
    upkeep::once(place.database()).await.unwrap();
    let left = json!([[null, 21, 1], ["free", 1, 1]]);
    assert_eq!(place.plans().await, left);
    assert_eq!(postgres.sql("SELECT visits FROM visitor_days"), "1");
}
