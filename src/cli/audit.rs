//! `footfall audit`: compares what the store has counted with what the replicas
//! say it has counted for them.
//!
//! Each replica keeps books of its own (`footfall_visits_confirmed_total` and
//! its companions). They and the store cannot be read at the same instant, so
//! what is found is compared with the least and the most it can be; with no
//! visits under way the two are the same number.
//!
//! Where there is a database, [`record`] looks whether the record of visits adds up as well.

mod record;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Failure, target::Target};
use crate::{
    config::{Settings, values::HumanDuration},
    counting::{Company, counts::CounterStore},
    storage::Store,
    storage::metrics::StoreMetrics,
};

const PATH: &str = "/metrics";

/// Counters read at once.
const PAGE: usize = 1000;

pub fn command() -> Command {
    Command::new("audit")
        .about("Compare what the store counts with what the replicas say it counted for them")
        .after_help("Every process that counts in this store has to be named, or its visits look like too many.\nWithout --replica, the internal listener of the settings is asked.")
        .arg(
            Arg::new("replica")
                .long("replica")
                .value_name("URL")
                .action(ArgAction::Append)
                .help("Internal listener of a replica: http://HOST:PORT or unix:PATH; once for each"),
        )
        .arg(
            Arg::new("for")
                .long("for")
                .value_name("DURATION")
                .default_value("10s")
                .help("How long to watch"),
        )
}

pub fn run(arguments: &ArgMatches, settings: &Settings) -> Result<ExitCode, Failure> {
    let duration: HumanDuration = arguments
        .get_one::<String>("for")
        .expect("it has a default")
        .parse()
        .map_err(|error| format!("--for: {error}"))?;
    let replicas = match arguments.get_many::<String>("replica") {
        Some(replicas) => replicas
            .map(|replica| Target::parse(replica, PATH))
            .collect::<Result<_, _>>()?,
        None => Target::of_listeners(settings.server.ops_listen.iter(), PATH)
            .map_err(|error| format!("{error}; say --replica URL"))?,
    };
    super::block_on(audit(settings, &replicas, duration.0))?
}

async fn audit(
    settings: &Settings,
    replicas: &[Target],
    duration: Duration,
) -> Result<ExitCode, Failure> {
    let store = Store::open_to_read(&settings.store, Arc::new(StoreMetrics::detached()?)).await?;
    let counts = CounterStore::new(store.clone(), &settings.store);
    let begin = Reading::take(&counts, replicas).await?;
    super::print(format_args!(
        "watching {} for {}",
        match replicas.len() {
            1 => "1 replica".to_owned(),
            number => format!("{number} replicas"),
        },
        humantime::format_duration(duration)
    ))?;
    tokio::time::sleep(duration).await;
    let end = Reading::take(&counts, replicas).await?;
    let verdict = compare(&begin, &end)?;
    super::print(verdict.sentence())?;
    let record_adds_up = record::compare(settings, &store, &counts).await?;
    store.close().await;
    let adds_up = verdict.adds_up() && record_adds_up;
    Ok(ExitCode::from(u8::from(!adds_up)))
}

/// The books of all replicas, the store, and the books twice more: what is
/// under way in the first of these has ended in the second at the latest, or
/// is under way still, so no visit is in neither.
struct Reading {
    before: Vec<Books>,
    store: u64,
    under_way: u64,
    after: Vec<Books>,
}

/// What one replica says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Books {
    started: f64,
    confirmed: u64,
    uncertain: u64,
    unanswered: u64,
}

impl Reading {
    async fn take(counts: &CounterStore, replicas: &[Target]) -> Result<Self, Failure> {
        let before = Books::of_all(replicas).await?;
        let store = total(counts).await?;
        let soon = Books::of_all(replicas).await?;
        let after = Books::of_all(replicas).await?;
        Ok(Self {
            before,
            store,
            under_way: soon.iter().map(|books| books.unanswered).sum(),
            after,
        })
    }

    /// Every visit confirmed by then was in the store.
    fn least(&self) -> u64 {
        self.before.iter().map(|books| books.confirmed).sum()
    }

    /// Whatever was in the store is confirmed by now, or its answer was not
    /// here yet, or it never came.
    fn most(&self) -> u64 {
        let all = self.after.iter();
        let noted: u64 = all.map(|books| books.confirmed + books.uncertain).sum();
        noted + self.under_way
    }

    fn uncertain(&self) -> u64 {
        self.before.iter().map(|books| books.uncertain).sum()
    }
}

/// The visits of all counters of all companies: the books of a replica tell them not apart either.
async fn total(counts: &CounterStore) -> Result<u64, Failure> {
    let mut total = 0;
    for company in counts.companies().await? {
        total += total_of(counts, company).await?;
    }
    Ok(total)
}

async fn total_of(counts: &CounterStore, company: Company) -> Result<u64, Failure> {
    let (mut total, mut after) = (0, None);
    loop {
        let page = counts.list(company, after.as_ref(), PAGE).await?;
        let visits = page.counters.iter().map(|counter| counter.visits);
        total += visits.sum::<u64>();
        match page.next {
            Some(name) => after = Some(name),
            None => return Ok(total),
        }
    }
}

impl Books {
    async fn of_all(replicas: &[Target]) -> Result<Vec<Self>, Failure> {
        let mut books = Vec::with_capacity(replicas.len());
        for replica in replicas {
            let (status, body) = replica.get().await?;
            let text = String::from_utf8_lossy(&body);
            let parsed = Self::parse(&text).filter(|_| status.is_success());
            books.push(parsed.ok_or_else(|| {
                format!(
                    "{replica} gave no metrics of Footfall ({status}); name the internal listener"
                )
            })?);
        }
        Ok(books)
    }

    fn parse(metrics: &str) -> Option<Self> {
        let value = |name: &str| -> Option<f64> {
            metrics
                .lines()
                .filter_map(|line| line.split_once(' '))
                .find_map(|(series, value)| (series == name).then(|| value.parse().ok())?)
        };
        Some(Self {
            started: value("process_start_time_seconds")?,
            confirmed: value("footfall_visits_confirmed_total")? as u64,
            uncertain: value("footfall_visits_uncertain_total")? as u64,
            unanswered: value("footfall_visits_unanswered")?.max(0.0) as u64,
        })
    }
}

/// How much the store grew, and how much it may have grown.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    grown: i64,
    least: i64,
    most: i64,
}

fn compare(begin: &Reading, end: &Reading) -> Result<Verdict, Failure> {
    let starts = |books: &[Books]| -> Vec<f64> { books.iter().map(|one| one.started).collect() };
    if starts(&begin.before) != starts(&end.after) {
        return Err(
            "a replica was restarted meanwhile, and its books began anew; audit again".into(),
        );
    }
    // What was uncertain before may have been in the store by then or not; that one of them gets
    // there later, from the socket of a Redis that hangs, would look like one too many.
    let (begin_least, begin_most) = (begin.least(), begin.most());
    let end_most = end.most() - begin.uncertain();
    Ok(Verdict {
        grown: end.store as i64 - begin.store as i64,
        least: end.least() as i64 - (begin_most - begin.uncertain()) as i64,
        most: end_most as i64 - begin_least as i64,
    })
}

impl Verdict {
    fn adds_up(&self) -> bool {
        (self.least..=self.most).contains(&self.grown)
    }

    fn sentence(&self) -> String {
        let Self { grown, least, most } = self;
        let expected = if least == most {
            format!("exactly {least}")
        } else {
            format!("{least} to {most}, as visits were under way")
        };
        if self.adds_up() {
            format!("ok: the store counted {grown} visits; the replicas say {expected}")
        } else if grown < least {
            format!(
                "{} visits are MISSING: the store counted {grown}; the replicas say {expected}",
                least - grown
            )
        } else {
            format!(
                "{} visits are TOO MANY: the store counted {grown}; the replicas say {expected}. Is every replica named?",
                grown - most
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books(confirmed: u64, uncertain: u64, unanswered: u64) -> Vec<Books> {
        vec![Books {
            started: 1.0,
            confirmed,
            uncertain,
            unanswered,
        }]
    }

    fn quiet(store: u64, confirmed: u64, uncertain: u64) -> Reading {
        Reading {
            before: books(confirmed, uncertain, 0),
            store,
            under_way: 0,
            after: books(confirmed, uncertain, 0),
        }
    }

    #[test]
    fn a_quiet_service_must_agree_exactly() {
        let begin = quiet(1000, 10, 0);
        for (store, adds_up) in [(1005, true), (1004, false), (1006, false)] {
            let verdict = compare(&begin, &quiet(store, 15, 0)).unwrap();
            assert_eq!(verdict.adds_up(), adds_up, "{verdict:?}");
            assert_eq!((verdict.least, verdict.most), (5, 5));
        }
    }

    #[test]
    fn unknown_outcomes_widen_what_may_be() {
        let begin = quiet(1000, 10, 7);
        for (store, adds_up) in [(1005, true), (1007, true), (1004, false), (1008, false)] {
            let verdict = compare(&begin, &quiet(store, 15, 9)).unwrap();
            assert_eq!(verdict.adds_up(), adds_up, "{verdict:?}");
        }
    }

    #[test]
    fn visits_under_way_widen_it_too() {
        let begin = Reading {
            before: books(10, 0, 3),
            store: 1002,
            under_way: 2,
            after: books(13, 0, 0),
        };
        let end = Reading {
            before: books(100, 0, 5),
            store: 1093,
            under_way: 1,
            after: books(104, 0, 0),
        };
        let verdict = compare(&begin, &end).unwrap();
        assert_eq!((verdict.least, verdict.most), (85, 95));
        assert!(verdict.adds_up());
    }

    #[test]
    fn a_restart_is_told() {
        let begin = quiet(1, 1, 0);
        let mut end = quiet(1, 1, 0);
        end.after[0].started = 2.0;
        assert!(compare(&begin, &end).is_err());
    }
}
