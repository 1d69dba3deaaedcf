//! `footfall restore`: the counters of a Redis that has lost them, from the record.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::Command;
use sqlx::{Connection as _, PgConnection};

use super::Failure;
use crate::{
    config::{DatabaseLocation, IDEMPOTENCY_WINDOW, PostgresUrl, Settings},
    counting::{CounterId, counts::CounterStore},
    record::{
        drain::{Streams, Taught},
        table::{
            identities::{self, Kind},
            recordings::{self, Recording},
        },
    },
    storage::{
        Backend, Store,
        metrics::StoreMetrics,
        sql::{Connection, postgres, schema},
    },
};

/// The longest it waits for a lock; it takes none that others hold.
const LOCK_LIMIT: Duration = Duration::from_mins(1);

pub fn command() -> Command {
    Command::new("restore")
        .about("Raise the counters of Redis to what the database has recorded of them")
        .after_help("For a Redis that is empty or older than the database. No count is ever lowered, so it is safe to run it beside the replicas, and again.")
}

pub fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let DatabaseLocation::Postgres(url) = &settings.database.location else {
        return Err("there is no PostgreSQL to restore from (DATABASE_URL); where visits are counted in the embedded file they are in the record as well".into());
    };
    super::block_on(restore(url, settings))?
}

async fn restore(url: &PostgresUrl, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = Store::open(&settings.store, Arc::new(StoreMetrics::detached()?)).await?;
    let Backend::Redis(redis) = &store.backend else {
        return Err("the store is not Redis (REDIS_URL), so nothing is to be restored".into());
    };
    let limits = postgres::Limits::Lock(LOCK_LIMIT);
    let mut dialer =
        postgres::Dialer::new(Arc::new(url.clone()), limits, settings.database.timeout);
    let mut restoring = Restoring {
        database: dialer.connect().await?,
        streams: Streams::new(redis.clone(), settings.store.dedup_window),
        counts: CounterStore::new(store.clone(), &settings.store),
        requests_window: settings.store.dedup_window,
    };
    let mut counters: Vec<_> = restoring.counters().await?.into_iter().collect();
    counters.sort_by_key(ToString::to_string);
    let mut raised = 0;
    for counter in &counters {
        raised += u64::from(restoring.one(counter).await?);
    }
    let all = counters.len();
    super::print(format_args!("ok: {raised} of {all} counters were raised"))?;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// From where and to where.
struct Restoring {
    database: PgConnection,
    streams: Streams,
    counts: CounterStore,
    requests_window: Duration,
}

impl Restoring {
    async fn counters(&mut self) -> Result<Vec<CounterId>, Failure> {
        let mut transaction = self.database.begin().await?;
        let connection = &mut Connection::Postgres(&mut transaction);
        let layout = schema::layout(connection).await?;
        schema::judge(layout)?;
        connection.across_companies().await?;
        let counters = recordings::since(connection, i64::MIN).await?;
        Ok(counters.into_iter().collect())
    }

    /// Raises one counter; whether it was less than it should be.
    async fn one(&mut self, counter: &CounterId) -> Result<bool, Failure> {
        let mut transaction = self.database.begin().await?;
        let connection = &mut Connection::Postgres(&mut transaction);
        connection.within(counter.company.id()).await?;
        let Some(recording) = recordings::find(connection, counter).await? else {
            return Ok(false);
        };
        let (through, at) = (recording.through, recording.through_at);
        if through == 0 {
            return Ok(false);
        }
        // First: whoever finds a count takes the counter for one that is listed.
        if !self.counts.list_again(counter).await? {
            return Err(
                format!("there is no room for {counter}: raise FOOTFALL_COUNTER_LIMIT").into(),
            );
        }
        let raised = self
            .streams
            .raise(counter, through, at, &Taught::default())
            .await?;
        if raised > 0 {
            teach(connection, &self.streams, &recording, self.requests_window).await?;
            super::print(format_args!("{counter}: raised by {raised} to {through}"))?;
        }
        self.streams.switch(counter, &recording).await?;
        Ok(raised > 0)
    }
}

/// Has Redis remember under which identities visits were counted, for as long as it would.
async fn teach(
    connection: &mut Connection<'_>,
    streams: &Streams,
    recording: &Recording,
    requests_window: Duration,
) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    for (kind, window) in [
        (Kind::Request, requests_window),
        (Kind::Key, IDEMPOTENCY_WINDOW),
    ] {
        let since = now.saturating_sub(window).as_millis() as i64;
        let mut after = 0;
        loop {
            let some = identities::some(connection, recording, kind, since, after).await?;
            let Some((last, _)) = some.last() else { break };
            after = *last;
            let mut taught = Taught::default();
            match kind {
                Kind::Request => taught.requests = some,
                Kind::Key => taught.keys = some,
            }
            let (through, at) = (recording.through, recording.through_at);
            streams
                .raise(&recording.counter, through, at, &taught)
                .await?;
        }
    }
    Ok(())
}
