//! Whether the record of visits adds up: of each counter the count, what its stream has, how far it is
//! recorded, and the rows.
//!
//! Visits are counted and recorded meanwhile. So the streams are read first, then the tables and then the
//! counts: none of what is compared can look wrong only since it was read earlier or later.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sqlx::Connection as _;

use crate::{
    cli::{Failure, print},
    config::{DatabaseLocation, PostgresUrl, Settings},
    counting::{CounterId, counts::CounterStore},
    record::{
        drain::{CHUNK, State, Streams},
        table::sums::{self, Sums},
    },
    storage::{
        Backend, Store,
        sql::{Connection, DatabaseError, postgres, schema},
    },
};

/// The longest it waits for a lock; it takes none that others hold.
const LOCK_LIMIT: Duration = Duration::from_mins(1);

/// Counters whose names are read at a time.
const PAGE: usize = 1000;

/// What Redis had of a counter.
struct Waiting {
    state: State,
    /// Of each entry: up to where it says that there is one for each visit before it, and its last number.
    entries: Vec<(u64, u64)>,
}

/// Prints what does not add up, and says whether all does.
pub(super) async fn compare(
    settings: &Settings,
    store: &Store,
    counts: &CounterStore,
) -> Result<bool, Failure> {
    let waiting = match &store.backend {
        Backend::Redis(redis) if !matches!(settings.database.location, DatabaseLocation::None) => {
            let streams = Streams::new(redis.clone(), settings.store.dedup_window);
            waiting(&streams, counts).await?
        }
        _ => HashMap::new(),
    };
    let sums = match &settings.database.location {
        DatabaseLocation::None => return Ok(true),
        DatabaseLocation::Postgres(url) => of_postgres(url, settings).await?,
        DatabaseLocation::Sqlite => of_file(store).await?,
    };
    let sums = match sums {
        Ok(sums) => sums,
        Err(problem) => {
            print(format_args!("the record was not looked at: {problem}"))?;
            return Ok(true);
        }
    };
    let mut wrong = 0;
    for one in &sums {
        let count = counts.get(&one.counter).await?.unwrap_or(0);
        for problem in problems(one, waiting.get(&one.counter), count) {
            wrong += 1;
            print(format_args!(
                "WRONG: the record of {}: {problem}",
                one.counter
            ))?;
        }
    }
    if wrong == 0 {
        print(format_args!(
            "ok: the record adds up; counters: {}",
            sums.len()
        ))?;
    }
    Ok(wrong == 0)
}

async fn waiting(
    streams: &Streams,
    counts: &CounterStore,
) -> Result<HashMap<CounterId, Waiting>, Failure> {
    let mut all = HashMap::new();
    for company in counts.companies().await? {
        let mut after = None;
        loop {
            let page = counts.list(company, after.as_ref(), PAGE).await?;
            for tally in page.counters {
                let name = tally.name;
                let counter = CounterId { company, name };
                if let Some(state) = streams.state(&counter).await? {
                    let entries = entries(streams, &counter, state).await?;
                    all.insert(counter, Waiting { state, entries });
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(all)
}

async fn entries(
    streams: &Streams,
    counter: &CounterId,
    state: State,
) -> Result<Vec<(u64, u64)>, Failure> {
    let (mut entries, mut after) = (Vec::new(), state.through);
    // What comes later is for another time: a busy counter has no end.
    while after < state.top {
        let chunk = streams.read(counter, after, CHUNK, state.bytes).await?;
        let read = chunk.entries(counter);
        entries.extend(read.iter().map(|entry| (entry.before, entry.last)));
        match entries.last() {
            Some((_, last)) if chunk.more => after = *last,
            _ => break,
        }
    }
    Ok(entries)
}

/// What a database has, or why that is not for this version to say.
type Asked = Result<Vec<Sums>, String>;

async fn of_postgres(url: &PostgresUrl, settings: &Settings) -> Result<Asked, Failure> {
    let limits = postgres::Limits::Lock(LOCK_LIMIT);
    let limit = settings.database.timeout;
    let mut dialer = postgres::Dialer::new(Arc::new(url.clone()), limits, limit);
    let mut connection = dialer.connect().await?;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    let mut transaction = connection.begin_with(begin).await?;
    ask(&mut Connection::Postgres(&mut transaction)).await
}

async fn of_file(store: &Store) -> Result<Asked, Failure> {
    let Backend::Sqlite(file) = &store.backend else {
        return Err("the database is SQLite, and the store is not".into());
    };
    let mut transaction = file.reader().begin().await.map_err(DatabaseError::from)?;
    ask(&mut Connection::Sqlite(&mut transaction)).await
}

async fn ask(connection: &mut Connection<'_>) -> Result<Asked, Failure> {
    let layout = schema::layout(connection).await?;
    if let Err(problem) = schema::judge(layout) {
        return Ok(Err(problem));
    }
    connection.across_companies().await?;
    Ok(Ok(sums::all(connection).await?))
}

/// What does not add up of a counter, and what to do.
fn problems(sums: &Sums, waiting: Option<&Waiting>, count: u64) -> Vec<String> {
    let (base, through) = (sums.base, sums.through);
    let mut problems = Vec::new();
    if sums.breaks > 0 || sums.visits != through - base {
        problems.push(format!(
            "its runs should follow each other from {} to {through}; they have {} visits, with {} breaks. Rows were lost or changed: restore the database from a backup",
            base + 1, sums.visits, sums.breaks
        ));
    }
    if sums.outside > 0 {
        problems.push(format!(
            "{} rows of visits have numbers of which nothing is recorded. Rows were added or changed: restore the database from a backup",
            sums.outside
        ));
    }
    if sums.marks > 0 {
        problems.push(format!(
            "{} marks of minutes do not rise with the numbers up to {through}, by which its history is made. Rows were changed: restore the database from a backup",
            sums.marks
        ));
    }
    if sums.days > 0 {
        problems.push(format!(
            "{} days are summed up otherwise than their visits are. Rows were changed: have the days summed up again, UPDATE recordings SET summed = 0 WHERE counter = '{}'",
            sums.days, sums.counter.name
        ));
    }
    if count < through {
        problems.push(format!(
            "{through} visits are recorded and only {count} are counted. The store is older than the record: run `footfall restore`, which raises the count"
        ));
    }
    if let Some(waiting) = waiting {
        if waiting.state.through > through {
            problems.push(format!(
                "visits up to {} were taken from Redis as recorded, and the database has them up to {through}. It is older than Redis: the visits between are recorded as lost",
                waiting.state.through
            ));
        }
        let missing = missing(waiting, through);
        if missing > 0 {
            problems.push(format!(
                "{missing} visits that wait to be recorded are not in the stream of Redis. They were removed by hand, and are recorded as lost"
            ));
        }
    }
    problems
}

/// How many visits the stream should have after this number, and has not.
fn missing(waiting: &Waiting, through: u64) -> u64 {
    let (mut missing, mut place) = (0, through.max(waiting.state.through));
    for (before, last) in &waiting.entries {
        missing += before.saturating_sub(place);
        place = place.max(*last);
    }
    missing + waiting.state.top.saturating_sub(place)
}
