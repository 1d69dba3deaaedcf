//! `footfall demo`: an embedded database with a month of visits that nobody made, to look at.

mod month;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::{Arg, ArgMatches, Command, value_parser};
use secrecy::{ExposeSecret, SecretString};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Failure;
use crate::{
    accounts::{
        Change,
        by::By,
        companies,
        fields::Text,
        names::Name,
        user::User,
        users::{NewUser, create},
    },
    audiences::saved::{List, New, make},
    auth::{keys::Keys, password::hash, role::Role, strength::normalized},
    company::Company,
    config::{Settings, StoreLocation, values::Environment},
    counting::{
        CounterId,
        carried::{Salts, Visitors},
        counts::{CounterStore, Recording},
    },
    edge::Problem,
    mail::EmailAddress,
    record::{EmbeddedRecorder, metrics::RecordMetrics, table::recordings},
    storage::{
        Store,
        metrics::StoreMetrics,
        sql::{Database, DatabaseError},
    },
    telemetry::metrics::Registry,
};

/// The company that it is all of.
const COMPANY: &str = "Demo";

/// Its people: what they are called, and what they may do.
const PEOPLE: [(&str, Role); 3] = [
    ("ada", Role::Admin),
    ("max", Role::Member),
    ("vera", Role::Viewer),
];

/// Everybody's. It is no secret: what can be seen with it was made up.
const PASSWORD: &str = "nobody walked through this door";

/// Filters that are saved, by their names.
const AUDIENCES: [(&str, &str); 2] = [
    (
        "Regulars",
        r#"{"version":1,"include":{"did":{"counter":"visits","times":{"at_least":10},"within":{"days":30}}}}"#,
    ),
    (
        "Looked at prices, bought nothing",
        r#"{"version":1,"include":{"did":{"counter":"visits","where":[{"field":"path","in":["/pricing"]}]}},"exclude":{"did":{"counter":"orders"}}}"#,
    ),
];

/// The same of presets.
const PRESETS: [(&str, &str); 2] = [
    (
        "Customers from Austria",
        r#"{"version":1,"include":{"all":[{"did":{"counter":"orders"}},{"visitor":"country","in":["AT"]}]}}"#,
    ),
    (
        "Signed up for the plan pro",
        r#"{"version":1,"include":{"did":{"counter":"signups","where":[{"property":"plan","in":["pro"]}]}}}"#,
    ),
];

/// Visits that are written in one transaction: a service that runs beside it counts in between.
const AT_ONCE: usize = 500;

pub fn command() -> Command {
    let days = Arg::new("days")
        .long("days")
        .value_name("NUMBER")
        .default_value("31")
        .value_parser(value_parser!(u16).range(1..=366))
        .help("How many days of visits, the first time");
    Command::new("demo")
        .arg(days)
        .about("Fill an embedded database with a made-up month of visits, to look at")
        .after_help("For an embedded database without visits, never in production. Run again, it adds what would have come since. To be rid of it, delete the files of the database.")
}

pub fn run(arguments: &ArgMatches, settings: &Settings) -> Result<ExitCode, Failure> {
    if settings.environment == Environment::Production {
        return Err("this is production (FOOTFALL_ENV): made-up visits are not for it".into());
    }
    if !matches!(settings.store.location, StoreLocation::Sqlite(_)) {
        return Err("visits are counted in Redis here: unset REDIS_URL and DATABASE_URL, or set FOOTFALL_DATA_DIR to an empty folder, for an embedded database".into());
    }
    let days = arguments.get_one::<u16>("days");
    let days = i64::from(*days.expect("it has a default"));
    super::block_on(async {
        let demo = Demo::open(settings).await?;
        let done = demo.fill(days).await;
        demo.store.close().await;
        done
    })??;
    Ok(ExitCode::SUCCESS)
}

/// What it works with.
struct Demo<'a> {
    settings: &'a Settings,
    store: Store,
    database: Database,
    counts: CounterStore,
}

impl<'a> Demo<'a> {
    async fn open(settings: &'a Settings) -> Result<Self, Failure> {
        let metrics = Arc::new(StoreMetrics::detached()?);
        let store = Store::open(&settings.store, metrics).await?;
        let database = Database::open(&settings.database, &store, &Registry::new()?)?;
        let database = database.ok_or("there is no database (DATABASE_URL)")?;
        let recorder = EmbeddedRecorder::new(Arc::new(RecordMetrics::detached()?));
        let counts = CounterStore::new(store.clone(), &settings.store);
        let counts = counts.recording(Recording {
            visitors: Visitors::new(Keys::new(&settings.auth), Salts::default()),
            undrained: Arc::default(),
            recorded: None,
            recorder: Some(Arc::new(recorder)),
        });
        Ok(Self {
            settings,
            store,
            database,
            counts,
        })
    }

    async fn fill(&self, days: i64) -> Result<(), Failure> {
        let own = self.own().await?;
        self.has_no_others(own).await?;
        let company = match own {
            Some(company) => company,
            None => self.people().await?,
        };
        let (added, visits) = self.visits(company, days).await?;
        self.filters(company).await?;
        self.say(added, visits)
    }

    /// The company, if this was run before.
    async fn own(&self) -> Result<Option<Uuid>, Failure> {
        let (name, key) = (company_name()?, address(PEOPLE[0].0)?.key());
        let found = self.database.read("demo", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                let company = companies::find_by_name(connection, &name).await?;
                let user = User::find_by_email(connection, &key).await?;
                Ok((company.map(|row| row.id), user.map(|user| user.company)))
            })
        });
        match found.await? {
            (None, None) => Ok(None),
            (Some(company), Some(of)) if company == of => Ok(Some(company)),
            _ => Err(format!("somebody else's company {COMPANY}, or account {}@{}, is in this database: this is for one of its own", PEOPLE[0].0, domain()).into()),
        }
    }

    /// Nobody is to take made-up visits for others.
    async fn has_no_others(&self, own: Option<Uuid>) -> Result<(), Failure> {
        for company in self.counts.companies().await? {
            if own == Some(company.id()) {
                continue;
            }
            let page = self.counts.list(company, None, 1000).await?;
            if let Some(tally) = page.counters.iter().find(|tally| tally.visits > 0) {
                return Err(format!("this database has visits that somebody made ({}: {}): made-up ones are not for it; set FOOTFALL_DATA_DIR to an empty folder", tally.name, tally.visits).into());
            }
        }
        Ok(())
    }

    async fn people(&self) -> Result<Uuid, Failure> {
        let password = SecretString::from(PASSWORD);
        let hash = hash(normalized(&password).expose_secret())?;
        let mut company = None;
        for (name, role) in PEOPLE {
            let new = NewUser {
                company: company_name()?,
                email: address(name)?,
                username: Name::of_user(name)?,
                role,
                password_hash: hash.clone(),
                settings_username: self.settings.auth.admin_username.clone(),
            };
            let made = self.database.write("demo", move |connection| {
                Box::pin(async move { create(connection, &new, &By::command()).await })
            });
            company = Some(made.await?.map_err(said)?.company);
        }
        company.ok_or_else(|| "it has no people".into())
    }

    /// Counts what would have come since it was run, or in so many days; how many visits that were, and
    /// how many there are of each counter.
    async fn visits(
        &self,
        company: Uuid,
        days: i64,
    ) -> Result<(u64, BTreeMap<&'static str, u64>), Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let now = i64::try_from(now)?;
        let (mut added, mut all) = (0, BTreeMap::new());
        for counter in month::COUNTERS {
            let id = CounterId {
                company: Company::from(company),
                name: counter.name.parse()?,
            };
            let since = self.recorded_until(id.clone()).await?;
            let visits = counter.visits(&id, since, (now, days));
            for some in visits.chunks(AT_ONCE) {
                self.counts.count_past(some).await?;
            }
            added += visits.len() as u64;
            all.insert(
                counter.name,
                self.counts.get(&id).await?.unwrap_or_default(),
            );
        }
        Ok((added, all))
    }

    async fn recorded_until(&self, counter: CounterId) -> Result<Option<i64>, Failure> {
        let found = self.database.read("demo", move |connection| {
            Box::pin(async move {
                connection.within(counter.company.id()).await?;
                Ok(recordings::find(connection, &counter).await?)
            })
        });
        let found = found.await?.filter(|recording| recording.through > 0);
        Ok(found.map(|recording| recording.through_at))
    }

    async fn filters(&self, company: Uuid) -> Result<(), Failure> {
        for (list, all) in [(List::Audiences, AUDIENCES), (List::Presets, PRESETS)] {
            for (name, filter) in all {
                let filter: Box<RawValue> = serde_json::from_str(filter)?;
                let name = Text::from(name.to_owned());
                let new = New::read(list, name, Some(&filter)).map_err(said)?;
                let made = self.database.write("demo", move |connection| {
                    Box::pin(async move {
                        let at = (list, company);
                        let made = make(connection, at, &new, &By::command(), None).await?;
                        let Change { value, .. } = made;
                        Ok::<_, DatabaseError>(value)
                    })
                });
                match made.await? {
                    // It was made when this was run before, or somebody has it otherwise.
                    Err(problem) if problem.code.status().as_u16() == 409 => {}
                    made => drop(made.map_err(said)?),
                }
            }
        }
        Ok(())
    }

    fn say(&self, added: u64, visits: BTreeMap<&'static str, u64>) -> Result<(), Failure> {
        super::print(format_args!(
            "ok: {added} made-up visits were added. The company {COMPANY} has:"
        ))?;
        for (name, visits) in visits {
            super::print(format_args!("  {visits:>7}  {name}"))?;
        }
        super::print("\nLog in as one of")?;
        for (name, role) in PEOPLE {
            super::print(format_args!("  {name}@{}  ({role})", domain()))?;
        }
        super::print(format_args!("each with the password\n  {PASSWORD}"))?;
        let url = self.settings.mail.public_url.clone().unwrap_or_default();
        super::print(format_args!(
            "at {url}/console/ once the service runs: ./start.sh local"
        ))?;
        Ok(())
    }
}

fn company_name() -> Result<Name, Failure> {
    Ok(Name::of_company(COMPANY)?)
}

fn domain() -> String {
    format!("{}.example", COMPANY.to_lowercase())
}

fn address(name: &str) -> Result<EmailAddress, Failure> {
    Ok(format!("{name}@{}", domain()).parse()?)
}

fn said(problem: Problem) -> Failure {
    problem.detail.into_owned().into()
}
