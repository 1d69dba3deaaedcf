//! What the visits of a counter say again and again, and how often.

use sqlx::{Error, types::Json};

use super::recordings::Recording;
use crate::{
    record::{
        carried::Carried,
        distinct::{Found, Numbers},
    },
    storage::sql::{Connection, of_company},
};

/// One statement for those that are there and those that are new. A join with those that are there
/// would be planned for the few that a dictionary begins with, and read all of a great one.
macro_rules! name {
    ($texts:literal) => {
        concat!(
            "INSERT INTO texts (company_id, recording_id, id, text, uses) ",
            $texts,
            " ON CONFLICT (recording_id, text) DO UPDATE SET uses = texts.uses + excluded.uses
              WHERE texts.company_id = $1 RETURNING text, id"
        )
    };
}

/// In one row: to read as many as there are texts would cost more than all else that is done here.
const POSTGRES: &str = concat!(
    "WITH named AS (",
    name!("SELECT $1, $2, id, text, uses FROM unnest($3, $4, $5) AS new (id, text, uses)"),
    ") SELECT coalesce(array_agg(text), '{}'), coalesce(array_agg(id), '{}') FROM named"
);

const SQLITE: &str =
    name!("SELECT $1, $2, value ->> 0, value ->> 1, value ->> 2 FROM json_each($3) WHERE true");

/// Notes how often rows of `visits` will name their texts more than they do; the ids of these, by their
/// places. Those that are new have one of the ids after this one, of which there is one for each text.
pub(in crate::record) async fn name(
    connection: &mut Connection<'_>,
    recording: &Recording,
    after: i64,
    carried: &Carried<'_>,
) -> Result<Vec<i64>, Error> {
    let texts = carried.texts.texts();
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let (company, id) = (recording.company(), recording.id);
    let ids = after + 1..=after + texts.len() as i64;
    let named: Found = match connection {
        Connection::Postgres(database) => {
            let name = sqlx::query_as(of_company(POSTGRES)).bind(company).bind(id);
            let name = name.bind(ids.collect::<Vec<_>>()).bind(texts);
            name.bind(&carried.uses).fetch_one(&mut **database).await?
        }
        Connection::Sqlite(database) => {
            let new = ids.zip(texts).zip(&carried.uses);
            let new = new.map(|((id, text), uses)| (id, text, uses));
            let name = sqlx::query_as(of_company(SQLITE)).bind(company).bind(id);
            let name = name.bind(Json(new.collect::<Vec<_>>()));
            let named: Vec<(String, i64)> = name.fetch_all(&mut **database).await?;
            named.into_iter().unzip()
        }
    };
    let mut numbers = Numbers::of(&carried.texts);
    numbers.note(named);
    numbers
        .all()
        .ok_or_else(|| Error::InvalidArgument("a text was given no id".into()))
}
