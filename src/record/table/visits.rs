//! Visits that carry something.

use std::collections::{BTreeSet, HashMap};

use sqlx::{Error, PgConnection, types::Json};

use super::{
    recordings::Recording,
    texts,
    visitors::{self, Numbers},
};
use crate::{
    counting::carried::{Attributes, Stored},
    record::plan::DAY,
    storage::sql::Connection,
};

/// A visit, its time, and what it carried.
pub(in crate::record) type Carried<'a> = (u64, i64, &'a Stored);

/// Texts are kept once for a counter: the columns that hold their ids.
fn texts_of(attributes: &Attributes) -> [Option<&str>; 4] {
    [
        &attributes.path,
        &attributes.referrer,
        &attributes.campaign,
        &attributes.country,
    ]
    .map(Option::as_deref)
}

/// A row of `visits` but for the counter it is of.
type Row = (i64, i64, Option<i64>, [Option<i64>; 4], Option<String>);

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

/// How often visits name each text.
pub(in crate::record) fn uses<'a>(carried: &[Carried<'a>]) -> HashMap<&'a str, i64> {
    let mut uses = HashMap::new();
    for (.., stored) in carried {
        for text in texts_of(&stored.attributes).into_iter().flatten() {
            *uses.entry(text).or_default() += 1;
        }
    }
    uses
}

const MAKE_PARTITIONS: &str =
    "SELECT footfall_make_visits_partition(moment) FROM unnest($1) AS moments (moment)";

/// Writes visits and who came. The texts that they name have these ids.
pub(in crate::record) async fn write(
    connection: &mut Connection<'_>,
    recording: &Recording,
    carried: &[Carried<'_>],
    ids: &texts::Ids,
) -> Result<(), Error> {
    if carried.is_empty() {
        return Ok(());
    }
    let keys = carried.iter();
    let keys: BTreeSet<_> = keys
        .filter_map(|(.., stored)| stored.visitor.as_deref())
        .collect();
    let numbers = visitors::number(connection, recording.company(), keys).await?;
    let rows = carried.iter().map(|carried| row(carried, ids, &numbers));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    match connection {
        Connection::Postgres(database) => into_postgres(database, recording, rows).await,
        Connection::Sqlite(database) => {
            let insert = sqlx::query(INTO_SQLITE);
            let insert = insert.bind(recording.company()).bind(recording.id);
            insert
                .bind(Json(rows))
                .execute(&mut **database)
                .await
                .map(drop)
        }
    }
}

fn row(
    (number, at, stored): &Carried<'_>,
    ids: &texts::Ids,
    numbers: &Numbers,
) -> Result<Row, Error> {
    let Stored {
        visitor,
        attributes,
    } = stored;
    let visitor = visitor.as_deref();
    let properties = match attributes.properties.is_empty() {
        true => None,
        false => {
            let json = serde_json::to_string(&attributes.properties);
            Some(json.map_err(|error| Error::Encode(error.into()))?)
        }
    };
    let mut texts = [None; 4];
    for (id, text) in texts.iter_mut().zip(texts_of(attributes)) {
        *id = text.map(|text| id_of(text, ids)).transpose()?;
    }
    let visitor = visitor.map(|key| id_of(key, numbers)).transpose()?;
    Ok((*number as i64, *at, visitor, texts, properties))
}

fn id_of(text: &str, ids: &HashMap<String, i64>) -> Result<i64, Error> {
    let none = || Error::InvalidArgument("a text or a visitor was given no id".into());
    ids.get(text).copied().ok_or_else(none)
}

async fn into_postgres(
    database: &mut PgConnection,
    recording: &Recording,
    rows: Vec<Row>,
) -> Result<(), Error> {
    make_partitions(database, &rows).await?;
    let column = |place: usize| -> Vec<Option<i64>> {
        rows.iter().map(|(.., texts, _)| texts[place]).collect()
    };
    let insert = sqlx::query(INTO_POSTGRES)
        .bind(recording.company())
        .bind(recording.id)
        .bind(rows.iter().map(|(number, ..)| *number).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, at, ..)| *at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
        .bind(column(0))
        .bind(column(1))
        .bind(column(2))
        .bind(column(3))
        .bind(rows.iter().map(|row| row.4.as_deref()).collect::<Vec<_>>());
    insert.execute(database).await.map(drop)
}

/// Makes the partitions that these rows need, if nobody has made them ahead.
async fn make_partitions(database: &mut PgConnection, rows: &[Row]) -> Result<(), Error> {
    // No month begins within a day.
    let days = rows.iter().map(|(_, at, ..)| at.div_euclid(DAY));
    let days: BTreeSet<i64> = days.collect();
    let moments: Vec<i64> = days.iter().map(|day| day * DAY).collect();
    sqlx::query(MAKE_PARTITIONS)
        .bind(moments)
        .execute(database)
        .await
        .map(drop)
}
