//! What the visits of a counter say again and again, and how often.

use std::collections::HashMap;

use sqlx::{Error, types::Json};

use super::recordings::Recording;
use crate::storage::sql::{Connection, of_company};

/// The ids of texts.
pub(in crate::record) type Ids = HashMap<String, i64>;

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

const POSTGRES: &str =
    name!("SELECT $1, $2, id, text, uses FROM unnest($3, $4, $5) AS new (id, text, uses)");

const SQLITE: &str =
    name!("SELECT $1, $2, value ->> 0, value ->> 1, value ->> 2 FROM json_each($3) WHERE true");

/// Notes how often rows of `visits` will name these texts more than they do; their ids. Those that are
/// new have one of the ids after this one, of which there is one for each text.
pub(in crate::record) async fn name(
    connection: &mut Connection<'_>,
    recording: &Recording,
    after: i64,
    uses: &HashMap<&str, i64>,
) -> Result<Ids, Error> {
    if uses.is_empty() {
        return Ok(Ids::new());
    }
    let (company, id) = (recording.company(), recording.id);
    let new = (after + 1..)
        .zip(uses)
        .map(|(id, (text, uses))| (id, *text, *uses));
    let named: Vec<(String, i64)> = match connection {
        Connection::Postgres(database) => {
            let (mut ids, mut texts, mut uses) = (Vec::new(), Vec::new(), Vec::new());
            for (id, text, of_text) in new {
                ids.push(id);
                texts.push(text);
                uses.push(of_text);
            }
            let name = sqlx::query_as(of_company(POSTGRES)).bind(company).bind(id);
            let name = name.bind(ids).bind(texts).bind(uses);
            name.fetch_all(&mut **database).await?
        }
        Connection::Sqlite(database) => {
            let name = sqlx::query_as(of_company(SQLITE)).bind(company).bind(id);
            let name = name.bind(Json(new.collect::<Vec<_>>()));
            name.fetch_all(&mut **database).await?
        }
    };
    Ok(named.into_iter().collect())
}
