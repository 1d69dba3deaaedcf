//! The last number of each minute.

use sqlx::{Error, types::Json};

use super::recordings::Recording;
use crate::storage::sql::{Connection, of_company};

/// The last number of a minute may be one of an earlier chunk.
macro_rules! raise {
    ($marks:literal) => {
        concat!(
            "INSERT INTO marks (company_id, recording_id, minute, number) ",
            $marks,
            " ON CONFLICT (recording_id, minute) DO UPDATE SET number = excluded.number WHERE marks.company_id = $1"
        )
    };
}

const POSTGRES: &str =
    raise!("SELECT $1, $2, minute, number FROM unnest($3, $4) AS new (minute, number)");

/// Without a condition what follows would be taken for one of a join.
const SQLITE: &str =
    raise!("SELECT $1, $2, value ->> 0, value ->> 1 FROM json_each($3) WHERE true");

/// Notes the last numbers of minutes.
pub(in crate::record) async fn raise(
    connection: &mut Connection<'_>,
    recording: &Recording,
    marks: &[(i64, u64)],
) -> Result<(), Error> {
    match connection {
        Connection::Postgres(database) => {
            let (minutes, numbers): (Vec<_>, Vec<_>) = marks
                .iter()
                .map(|(minute, number)| (*minute, *number as i64))
                .unzip();
            let raise = sqlx::query(of_company(POSTGRES));
            let raise = raise.bind(recording.company()).bind(recording.id);
            let raise = raise.bind(minutes).bind(numbers);
            raise.execute(&mut **database).await.map(drop)
        }
        Connection::Sqlite(database) => {
            let raise = sqlx::query(of_company(SQLITE));
            let raise = raise.bind(recording.company()).bind(recording.id);
            let raise = raise.bind(Json(marks));
            raise.execute(&mut **database).await.map(drop)
        }
    }
}
