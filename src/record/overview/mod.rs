//! Many counters at once, for lists of them: how far each is recorded, and how far it was before some minutes. The
//! difference of two such numbers is a bucket of its history.

use std::collections::{BTreeSet, HashMap};

use futures_util::future;
use sqlx::{Error, types::Json};

mod past;

pub use self::past::Past;

use crate::{
    company::Company,
    counting::CounterName,
    storage::sql::{Connection, Database, DatabaseError, of_company},
};

/// How far a counter is, and was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Its name.
    pub name: CounterName,
    /// Whether visits are recorded.
    pub recorded: bool,
    /// Up to this number visits are recorded, or known not to be.
    pub through: u64,
    /// When that was counted, in Unix milliseconds.
    pub through_at: i64,
    /// The number of the last visit before each minute that was asked for, in their order.
    pub before: Vec<u64>,
}

/// Which counters, and what of them.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// These alone, if any are named.
    pub names: Option<Vec<String>>,
    /// Those that were visited since, in Unix milliseconds.
    pub since: i64,
    /// Before which Unix minutes.
    pub minutes: Vec<i64>,
    /// As many counters at most, the last visited first.
    pub most: usize,
}

/// The numbers are one text, so that each counter is one row: rows cost more than the looks into the index.
const IN_POSTGRES: &str = "SELECT counter, recorded, through, through_at,
       (SELECT coalesce(json_agg(coalesce((SELECT number FROM marks
          WHERE company_id = $1 AND recording_id = recordings.id AND marks.minute < asked.minute
          ORDER BY marks.minute DESC LIMIT 1), recordings.began) ORDER BY asked.place), '[]')::text
        FROM unnest($4) WITH ORDINALITY AS asked (minute, place))
     FROM recordings WHERE company_id = $1 AND ($2::text[] IS NULL OR counter = ANY($2)) AND through_at >= $3
     ORDER BY through_at DESC, counter LIMIT $5";

/// The order of minutes is that of the array.
const IN_SQLITE: &str = "SELECT counter, recorded, through, through_at,
       (SELECT json_group_array(coalesce((SELECT number FROM marks
          WHERE company_id = $1 AND recording_id = recordings.id AND marks.minute < asked.value
          ORDER BY marks.minute DESC LIMIT 1), recordings.began)) FROM json_each($4) AS asked)
     FROM recordings WHERE company_id = $1 AND ($2 IS NULL OR counter IN (SELECT value FROM json_each($2)))
       AND through_at >= $3
     ORDER BY through_at DESC, counter LIMIT $5";

type Row = (String, bool, i64, i64, String);

/// Reads them. What is known of minutes that are over is not asked for again.
///
/// # Errors
///
/// Those of the database.
pub async fn read(
    database: &Database,
    past: &Past,
    company: Company,
    wanted: Wanted,
) -> Result<Vec<Extent>, DatabaseError> {
    let minutes = wanted.minutes.clone();
    let without = Wanted {
        minutes: Vec::new(),
        ..wanted.clone()
    };
    let mut extents = ask(database, company, without).await?;
    if !past.has_room_for(extents.len() * minutes.len()) {
        return ask(database, company, wanted).await;
    }
    let mut before = past.of(company, &minutes, &extents);
    let unknown = Unknown::of(&minutes, &extents, &before);
    if !unknown.counters.is_empty() {
        // A thousand counters that nothing is known of take a tenth of a second on one connection.
        let (earlier, later) = unknown.minutes.split_at(unknown.minutes.len() / 2);
        let (earlier, later) = future::try_join(
            unknown.read(database, past, company, earlier),
            unknown.read(database, past, company, later),
        )
        .await?;
        let number = |extent: &Extent, minute| {
            let key = (extent.name.clone(), minute);
            earlier.get(&key).or_else(|| later.get(&key)).copied()
        };
        for (extent, before) in extents.iter().zip(&mut before) {
            for (known, minute) in before.iter_mut().zip(&minutes) {
                *known = known.or_else(|| number(extent, *minute));
            }
        }
    }
    for (extent, before) in extents.iter_mut().zip(before) {
        extent.before = before.into_iter().map(Option::unwrap_or_default).collect();
    }
    Ok(extents)
}

/// What nothing is known of.
struct Unknown {
    counters: Vec<String>,
    /// In their order.
    minutes: Vec<i64>,
}

impl Unknown {
    fn of(minutes: &[i64], extents: &[Extent], before: &[Vec<Option<u64>>]) -> Self {
        let is_unknown = |before: &[Option<u64>]| before.contains(&None);
        let counters = extents.iter().zip(before);
        let counters = counters.filter(|(_, before)| is_unknown(before));
        let of_some = |place: usize| before.iter().any(|before| before[place].is_none());
        let places = (0..minutes.len()).filter(|place| of_some(*place));
        let minutes: BTreeSet<_> = places.map(|place| minutes[place]).collect();
        Self {
            counters: counters
                .map(|(extent, _)| extent.name.to_string())
                .collect(),
            minutes: minutes.into_iter().collect(),
        }
    }

    /// Reads and keeps it, of these minutes.
    async fn read(
        &self,
        database: &Database,
        past: &Past,
        company: Company,
        minutes: &[i64],
    ) -> Result<HashMap<(CounterName, i64), u64>, DatabaseError> {
        if minutes.is_empty() {
            return Ok(HashMap::new());
        }
        let wanted = Wanted {
            names: Some(self.counters.clone()),
            since: 0,
            minutes: minutes.to_vec(),
            most: self.counters.len(),
        };
        let extents = ask(database, company, wanted).await?;
        past.keep(company, minutes, &extents);
        let numbers = extents.iter().flat_map(|extent| {
            let numbers = minutes.iter().zip(&extent.before);
            numbers.map(|(minute, number)| ((extent.name.clone(), *minute), *number))
        });
        Ok(numbers.collect())
    }
}

/// Reads them, from one state of the database.
async fn ask(
    database: &Database,
    company: Company,
    wanted: Wanted,
) -> Result<Vec<Extent>, DatabaseError> {
    let read = database.read("overview", move |connection| {
        Box::pin(async move {
            connection.within(company.id()).await?;
            Ok(rows(connection, company, wanted).await?)
        })
    });
    let rows = read.await?;
    Ok(rows.into_iter().filter_map(extent).collect())
}

async fn rows(
    connection: &mut Connection<'_>,
    company: Company,
    wanted: Wanted,
) -> Result<Vec<Row>, Error> {
    let most = i64::try_from(wanted.most).unwrap_or(i64::MAX);
    match connection {
        Connection::Postgres(database) => {
            let rows = sqlx::query_as(of_company(IN_POSTGRES)).bind(company.id());
            let rows = rows.bind(wanted.names).bind(wanted.since);
            let rows = rows.bind(wanted.minutes).bind(most);
            rows.fetch_all(&mut **database).await
        }
        Connection::Sqlite(database) => {
            let rows = sqlx::query_as(of_company(IN_SQLITE)).bind(company.id());
            let rows = rows.bind(wanted.names.map(Json)).bind(wanted.since);
            let rows = rows.bind(Json(wanted.minutes)).bind(most);
            rows.fetch_all(&mut **database).await
        }
    }
}

/// What has no name that a counter can have was not written by us.
fn extent((name, recorded, through, through_at, before): Row) -> Option<Extent> {
    Some(Extent {
        name: name.parse().ok()?,
        recorded,
        through: through.unsigned_abs(),
        through_at,
        before: serde_json::from_str(&before).ok()?,
    })
}
