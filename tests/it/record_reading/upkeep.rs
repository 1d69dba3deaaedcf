//! What is done in the background, where it cannot be done for every counter.

use footfall::{record::upkeep, storage::sql::Connection};

use super::{DAY, MINUTE, Place, at, plain};

/// Makes marks of the first counter stay, whoever deletes them.
const IN_SQLITE: &str = "CREATE TRIGGER stays BEFORE DELETE ON marks WHEN OLD.recording_id = 1
    BEGIN SELECT RAISE(ABORT, 'it stays'); END";

const IN_POSTGRES: &str = "CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'it stays'; END $$;
    CREATE TRIGGER stays BEFORE DELETE ON marks FOR EACH ROW WHEN (OLD.recording_id = 1)
      EXECUTE FUNCTION stays()";

#[tokio::test]
async fn a_counter_that_cannot_be_tidied_does_not_keep_the_others_waiting() {
    for place in Place::both().await {
        let start = at("2025-03-01T12:00:00Z");
        let entries: Vec<_> = (1..=30)
            .map(|number| plain(number, 1, start + number as i64 * MINUTE))
            .chain([plain(31, 1, start + 2 * DAY)])
            .collect();
        for name in ["first", "second"] {
            place.append(name, 0, &entries).await;
        }
        let database = place.stage.app.database.as_ref().unwrap();
        match &place.stage.servers {
            Some((_, postgres)) => drop(postgres.sql(IN_POSTGRES)),
            None => {
                let made = database.write("trigger", |connection| {
                    Box::pin(async move {
                        if let Connection::Sqlite(database) = connection {
                            sqlx::query(IN_SQLITE).execute(&mut **database).await?;
                        }
                        Ok(())
                    })
                });
                made.await.unwrap();
            }
        }
        let error = upkeep::once(database).await.unwrap_err();
        assert!(error.to_string().contains("it stays"), "{error}");
        let marks = |text| place.stage.number(text);
        assert_eq!(
            marks("SELECT count(*) FROM marks WHERE recording_id = 1").await,
            31
        );
        assert_eq!(
            marks("SELECT count(*) FROM marks WHERE recording_id = 2").await,
            4,
            "{}: the last of each quarter of an hour",
            place.stage.kind
        );
        // Whatever becomes of the marks: what is older than its retention goes, of the others.
        let left = "SELECT count(*) FROM runs WHERE recording_id = 2";
        assert_eq!(place.stage.number(left).await, 0);
    }
}
