//! Visits that carry something.

use sqlx::{Error, PgConnection, SqliteConnection, types::Json};

use super::{recordings::Recording, visitors};
use crate::{
    record::{
        carried::{Carried, Visit},
        plan::DAY,
    },
    storage::sql::Connection,
};

const INTO_POSTGRES: &str = "INSERT INTO visits
       (company_id, recording_id, number, at, visitor, path, referrer, campaign, country, properties)
     SELECT $1, $2, number, at, visitor, path, referrer, campaign, country, properties::jsonb
     FROM unnest($3, $4, $5, $6, $7, $8, $9, $10)
       AS new (number, at, visitor, path, referrer, campaign, country, properties)";

const INTO_SQLITE: &str = "INSERT INTO visits
       (company_id, recording_id, number, at, visitor, path, referrer, campaign, country, properties)
     SELECT $1, $2, value ->> 0, value ->> 1, value ->> 2,
       value ->> '$[3][0]', value ->> '$[3][1]', value ->> '$[3][2]', value ->> '$[3][3]', value ->> 4
     FROM json_each($3)";

const MAKE_PARTITIONS: &str =
    "SELECT footfall_make_visits_partition(moment) FROM unnest($1) AS moments (moment)";

/// Writes visits and who came. These are the ids of the texts that they name, by their places.
pub(in crate::record) async fn write(
    connection: &mut Connection<'_>,
    recording: &Recording,
    carried: &Carried<'_>,
    texts: &[i64],
) -> Result<(), Error> {
    if carried.visits.is_empty() {
        return Ok(());
    }
    let visitors = visitors::number(connection, recording.company(), &carried.visitors).await?;
    let rows = Rows {
        visits: &carried.visits,
        visitors: &visitors,
        texts,
    };
    match connection {
        Connection::Postgres(database) => rows.into_postgres(database, recording).await,
        Connection::Sqlite(database) => rows.into_sqlite(database, recording).await,
    }
}

/// Rows of `visits`, and the numbers that stand in them for what visits name.
struct Rows<'a> {
    visits: &'a [Visit<'a>],
    visitors: &'a [i64],
    texts: &'a [i64],
}

impl Rows<'_> {
    async fn into_postgres(
        self,
        database: &mut PgConnection,
        recording: &Recording,
    ) -> Result<(), Error> {
        make_partitions(database, self.visits).await?;
        let insert = sqlx::query(INTO_POSTGRES)
            .bind(recording.company())
            .bind(recording.id)
            .bind(self.column(|visit| visit.number as i64))
            .bind(self.column(|visit| visit.at))
            .bind(self.column(|visit| self.visitor(visit)))
            .bind(self.column(|visit| self.text(visit, 0)))
            .bind(self.column(|visit| self.text(visit, 1)))
            .bind(self.column(|visit| self.text(visit, 2)))
            .bind(self.column(|visit| self.text(visit, 3)))
            .bind(self.properties()?);
        insert.execute(database).await.map(drop)
    }

    async fn into_sqlite(
        self,
        database: &mut SqliteConnection,
        recording: &Recording,
    ) -> Result<(), Error> {
        let texts = |visit| [0, 1, 2, 3].map(|place| self.text(visit, place));
        let rows = self.visits.iter().zip(self.properties()?);
        let rows = rows.map(|(visit, properties)| {
            (
                visit.number,
                visit.at,
                self.visitor(visit),
                texts(visit),
                properties,
            )
        });
        let insert = sqlx::query(INTO_SQLITE);
        let insert = insert.bind(recording.company()).bind(recording.id);
        let insert = insert.bind(Json(rows.collect::<Vec<_>>()));
        insert.execute(database).await.map(drop)
    }

    fn column<T>(&self, of: impl Fn(&Visit<'_>) -> T) -> Vec<T> {
        self.visits.iter().map(of).collect()
    }

    fn visitor(&self, visit: &Visit<'_>) -> Option<i64> {
        visit.visitor.map(|place| self.visitors[place])
    }

    fn text(&self, visit: &Visit<'_>, which: usize) -> Option<i64> {
        visit.texts[which].map(|place| self.texts[place])
    }

    /// As JSON.
    fn properties(&self) -> Result<Vec<Option<String>>, Error> {
        let all = self
            .visits
            .iter()
            .map(|visit| match visit.properties.is_empty() {
                true => Ok(None),
                false => serde_json::to_string(visit.properties).map(Some),
            });
        let all = all.collect::<Result<_, _>>();
        all.map_err(|error| Error::Encode(error.into()))
    }
}

/// Makes the partitions that these visits need, if nobody has made them ahead.
async fn make_partitions(database: &mut PgConnection, visits: &[Visit<'_>]) -> Result<(), Error> {
    // No month begins within a day.
    let mut days: Vec<i64> = visits
        .iter()
        .map(|visit| visit.at.div_euclid(DAY))
        .collect();
    // Times never fall as numbers rise.
    days.dedup();
    let moments: Vec<i64> = days.iter().map(|day| day * DAY).collect();
    sqlx::query(MAKE_PARTITIONS)
        .bind(moments)
        .execute(database)
        .await
        .map(drop)
}
