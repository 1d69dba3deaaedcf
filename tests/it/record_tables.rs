//! The tables of the record: what is appended is what was counted, on both databases.

use std::collections::BTreeMap;

use footfall::{
    company::Company,
    counting::{
        CounterId,
        carried::{Attributes, Stored},
    },
    record::{
        Entry, Reason, append,
        table::{
            identities::{self, Kind},
            recordings::{self, Recording},
        },
        times::Moments,
    },
    storage::sql::{Connection, Database, DatabaseError, on_either},
};
use uuid::Uuid;

use crate::support::databases::{self, Opened};

mod damaged;
mod embedded;
mod partitions;
mod random;

const MINUTE: i64 = 60_000;

const DAY: i64 = 86_400_000;

/// 2026-11-26T04:00:00Z
const NOW: i64 = 1_795_752_000_000;

fn counter(company: Company, name: &str) -> CounterId {
    let name = name.parse().unwrap();
    CounterId { company, name }
}

/// A company beside `default`.
async fn another_company(database: &Database) -> Company {
    let id = Uuid::now_v7();
    let made = database.write("company", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            on_either!(connection, |database| {
                sqlx::query(
                    "INSERT INTO companies (id, name, name_key, state, generation, created_at, updated_at)
                     VALUES ($1, $2, $2, 'active', 1, 1, 1)",
                )
                .bind(id)
                .bind(id.to_string())
                .execute(&mut **database)
                .await
            }
            .map(drop))?;
            Ok(())
        })
    });
    made.await.unwrap();
    Company::Id(id)
}

/// Appends entries in a transaction of its own. Before recording began so many visits were counted.
async fn appended(
    database: &Database,
    counter: &CounterId,
    began: u64,
    entries: &[Entry],
) -> Result<footfall::record::Appended, DatabaseError> {
    let (counter, entries) = (counter.clone(), entries.to_vec());
    database
        .write("append", move |connection| {
            Box::pin(async move {
                connection.within(counter.company.id()).await?;
                let taken = recordings::take(connection, &counter, began, NOW).await?;
                let mut recording = taken.expect("nobody else has it");
                append(connection, &mut recording, &entries).await
            })
        })
        .await
}

/// What is known of one number.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    At(i64),
    Nothing(Reason),
}

/// All that is in the tables of a counter.
#[derive(Debug, PartialEq)]
struct Written {
    fates: BTreeMap<u64, Fate>,
    /// Of those runs of which nothing is recorded: their last numbers, and the times before and after.
    around: BTreeMap<u64, (i64, i64)>,
    carried: BTreeMap<u64, (i64, Stored)>,
    uses: BTreeMap<String, i64>,
    marks: BTreeMap<i64, u64>,
    requests: BTreeMap<u64, [u8; 16]>,
    keys: BTreeMap<u64, [u8; 16]>,
}

/// A row of `runs`.
type Run = (i64, i64, Option<String>, i64, i64, Option<Vec<u8>>);

/// A row of `visits`, with its texts.
type Visit = (
    i64,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

const VISITS: &str = "SELECT visits.number, visits.at, visitors.key, path.text, referrer.text, campaign.text, country.text,
       CAST(visits.properties AS TEXT)
     FROM visits
     LEFT JOIN visitors ON visitors.id = visits.visitor AND visitors.company_id = visits.company_id
     LEFT JOIN texts AS path ON path.recording_id = visits.recording_id AND path.id = visits.path
     LEFT JOIN texts AS referrer ON referrer.recording_id = visits.recording_id AND referrer.id = visits.referrer
     LEFT JOIN texts AS campaign ON campaign.recording_id = visits.recording_id AND campaign.id = visits.campaign
     LEFT JOIN texts AS country ON country.recording_id = visits.recording_id AND country.id = visits.country
     WHERE visits.recording_id = $1 ORDER BY visits.number";

/// All rows of a statement about one recording.
macro_rules! rows {
    ($connection:expr, $statement:expr, $id:expr) => {
        on_either!($connection, |database| {
            sqlx::query_as($statement)
                .bind($id)
                .fetch_all(&mut **database)
                .await
        })
    };
}

impl Written {
    /// Reads it, as its company. Runs must join up, and end where the counter's row says.
    async fn of(database: &Database, counter: &CounterId) -> (Recording, Self) {
        let counter = counter.clone();
        let read = database.read("all", move |connection| {
            Box::pin(async move {
                connection.within(counter.company.id()).await?;
                let recording = recordings::find(connection, &counter).await?;
                let recording = recording.expect("it is recorded");
                let written = Self::read(connection, &recording).await?;
                Ok((recording, written))
            })
        });
        read.await.unwrap()
    }

    async fn read(
        connection: &mut Connection<'_>,
        recording: &Recording,
    ) -> Result<Self, DatabaseError> {
        let id = recording.id;
        let runs: Vec<Run> = rows!(
            connection,
            "SELECT first, last, reason, first_at, last_at, times FROM runs WHERE recording_id = $1 ORDER BY first",
            id
        )?;
        let visits: Vec<Visit> = rows!(connection, VISITS, id)?;
        let uses: Vec<(String, i64)> = rows!(
            connection,
            "SELECT text, uses FROM texts WHERE recording_id = $1",
            id
        )?;
        let marks: Vec<(i64, i64)> = rows!(
            connection,
            "SELECT minute, number FROM marks WHERE recording_id = $1",
            id
        )?;
        let mut identified = Vec::new();
        for kind in [Kind::Request, Kind::Key] {
            let rows = identities::since(connection, recording, kind, 0).await?;
            let all = rows.into_iter().flat_map(|row| row.identities);
            identified.push(all.collect());
        }
        let (fates, around) = fates(recording, &runs);
        Ok(Self {
            fates,
            around,
            carried: visits.into_iter().map(visit).collect(),
            uses: uses.into_iter().collect(),
            marks: marks
                .into_iter()
                .map(|(minute, number)| (minute, number.unsigned_abs()))
                .collect(),
            keys: identified.pop().unwrap(),
            requests: identified.pop().unwrap(),
        })
    }
}

type Around = BTreeMap<u64, (i64, i64)>;

fn fates(recording: &Recording, runs: &[Run]) -> (BTreeMap<u64, Fate>, Around) {
    let (mut fates, mut around) = (BTreeMap::new(), Around::new());
    let mut next = recording.base + 1;
    for (first, last, reason, first_at, last_at, times) in runs {
        let (first, last) = (first.unsigned_abs(), last.unsigned_abs());
        assert_eq!(first, next, "runs join up");
        next = last + 1;
        match (reason, times) {
            (Some(reason), None) => {
                let reason = Reason::from_text(reason).unwrap();
                fates.extend((first..=last).map(|number| (number, Fate::Nothing(reason))));
                around.insert(last, (*first_at, *last_at));
            }
            (None, Some(times)) => {
                assert!(times.len() < 1050, "{}", times.len());
                assert_eq!(first_at.div_euclid(DAY), last_at.div_euclid(DAY));
                let moments: Vec<_> = Moments::of(first, *first_at, times).collect();
                assert_eq!(moments[0].at, *first_at);
                let end = moments.last().unwrap();
                assert_eq!((end.last, end.at), (last, *last_at));
                for moment in moments {
                    let numbers = moment.first..=moment.last;
                    fates.extend(numbers.map(|number| (number, Fate::At(moment.at))));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(next, recording.through + 1, "runs end with `through`");
    (fates, around)
}

fn visit(row: Visit) -> (u64, (i64, Stored)) {
    let (number, at, visitor, path, referrer, campaign, country, properties) = row;
    let boxed = |text: Option<String>| text.map(String::into_boxed_str);
    let attributes = Attributes {
        path: boxed(path),
        referrer: boxed(referrer),
        campaign: boxed(campaign),
        country: boxed(country),
        properties: properties
            .map(|json| serde_json::from_str(&json).unwrap())
            .unwrap_or_default(),
    };
    let visitor = boxed(visitor);
    (
        number.unsigned_abs(),
        (
            at,
            Stored {
                visitor,
                attributes,
            },
        ),
    )
}

/// What carries a path.
fn on(path: &str) -> Stored {
    Stored {
        visitor: None,
        attributes: Attributes {
            path: Some(path.into()),
            ..Attributes::default()
        },
    }
}
