//! `footfall audit-trail verify`: whether the audit trail is whole.

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::{Arg, ArgAction, ArgMatches, Command};
use sqlx::Connection as _;
use uuid::Uuid;

use super::Failure;
use crate::{
    audit::verify::{Anchor, Chain, chains, verify, without_head},
    config::{DatabaseLocation, PostgresUrl, Settings},
    storage::{
        Backend, Store,
        metrics::StoreMetrics,
        sql::{Connection, DatabaseError, on_either, postgres, schema},
    },
};

/// Exit code: a chain does not hold.
const BROKEN: u8 = 3;

/// The longest it waits for a lock; it takes none that others hold.
const LOCK_LIMIT: Duration = Duration::from_mins(1);

pub fn command() -> Command {
    let company = Arg::new("company")
        .long("company")
        .value_name("COMPANY")
        .help("Only this one: its id, or its name");
    let anchor = Arg::new("anchor")
        .long("anchor")
        .value_name("COMPANY:SEQUENCE:HASH")
        .action(ArgAction::Append)
        .value_parser(clap::value_parser!(Anchor))
        .help("A hash that was printed before and kept elsewhere; once for each");
    Command::new("audit-trail")
        .about("Look whether the audit trail is whole")
        .subcommand_required(true)
        .subcommand(
            Command::new("verify")
                .about("Check the chain of every company, and print where each ends")
                .after_help("Exit codes: 0 all chains hold, 1 they could not be read, 2 wrong usage, 3 a chain does not hold.\nKeep what is printed elsewhere, and pass it as --anchor the next time: so it is found when all of a chain was written anew.")
                .arg(company)
                .arg(anchor),
        )
}

pub fn run(arguments: &ArgMatches, settings: &Settings) -> Result<ExitCode, Failure> {
    let (_, arguments) = arguments.subcommand().expect("clap wants one");
    let company = arguments.get_one::<String>("company");
    let anchors = arguments.get_many::<Anchor>("anchor");
    let asked = Asked {
        company: company.cloned(),
        anchors: anchors.into_iter().flatten().cloned().collect(),
    };
    super::block_on(async {
        match &settings.database.location {
            DatabaseLocation::Postgres(url) => of_postgres(url, settings, &asked).await,
            DatabaseLocation::Sqlite => of_file(settings, &asked).await,
            DatabaseLocation::None => {
                Err("there is no database, and so no audit trail; DATABASE_URL names one".into())
            }
        }
    })?
}

/// What is to be looked at.
struct Asked {
    company: Option<String>,
    anchors: Vec<Anchor>,
}

async fn of_postgres(
    url: &PostgresUrl,
    settings: &Settings,
    asked: &Asked,
) -> Result<ExitCode, Failure> {
    let limit = settings.database.timeout;
    // A long chain takes longer than an operation may.
    let limits = postgres::Limits::Lock(LOCK_LIMIT);
    let mut dialer = postgres::Dialer::new(Arc::new(url.clone()), limits, limit);
    let mut connection = dialer.connect().await?;
    let layout = schema::layout(&mut Connection::Postgres(&mut connection)).await?;
    let server = url.server();
    schema::judge(layout).map_err(|problem| format!("{server}: {problem}"))?;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    let mut transaction = connection.begin_with(begin).await?;
    all(&mut Connection::Postgres(&mut transaction), asked).await
}

async fn of_file(settings: &Settings, asked: &Asked) -> Result<ExitCode, Failure> {
    let store = Store::open_to_read(&settings.store, Arc::new(StoreMetrics::detached()?)).await?;
    let Backend::Sqlite(file) = &store.backend else {
        return Err("the database is SQLite, and the store is not".into());
    };
    let mut transaction = file.reader().begin().await.map_err(DatabaseError::from)?;
    let code = all(&mut Connection::Sqlite(&mut transaction), asked).await;
    drop(transaction);
    store.close().await;
    code
}

/// Looks at all chains that are asked for, as they are at one moment.
async fn all(connection: &mut Connection<'_>, asked: &Asked) -> Result<ExitCode, Failure> {
    connection.across_companies().await?;
    let companies = companies(connection).await?;
    let company = match &asked.company {
        None => None,
        Some(text) => Some(chosen(&companies, text)?),
    };
    let name = |id: Uuid| {
        let found = companies.iter().find(|(company, _)| *company == id);
        found.map_or_else(|| id.to_string(), |(_, name)| format!("{name} ({id})"))
    };
    let chains = chains(connection, company).await?;
    let mut broken = 0;
    for chain in &chains {
        let breaks = verify(connection, chain, &asked.anchors).await?;
        broken += u32::from(!breaks.is_empty());
        let Chain {
            company,
            first_seq,
            last_seq,
            ..
        } = chain;
        let name = name(*company);
        if breaks.is_empty() {
            super::print(format_args!(
                "ok: {name}: entries {first_seq} to {last_seq}"
            ))?;
            super::print(head(chain))?;
        }
        for found in breaks {
            super::print(format_args!("BROKEN: {name}: {found}"))?;
        }
    }
    for company in without_head(connection, company).await? {
        broken += 1;
        let found = crate::audit::verify::Break::NoHead;
        super::print(format_args!("BROKEN: {}: {found}", name(company)))?;
    }
    for anchor in &asked.anchors {
        let is_there = chains.iter().any(|chain| chain.company == anchor.company);
        if !is_there && company.is_none_or(|company| company == anchor.company) {
            broken += 1;
            let name = name(anchor.company);
            super::print(format_args!(
                "BROKEN: {name}: there is an anchor and no chain"
            ))?;
        }
    }
    if chains.is_empty() && broken == 0 {
        super::print("ok: nothing was recorded yet")?;
    }
    Ok(ExitCode::from(if broken == 0 { 0 } else { BROKEN }))
}

/// The end of a chain, as an anchor.
fn head(chain: &Chain) -> String {
    let hash = chain.last_hash.as_slice().try_into().ok();
    hash.map_or_else(String::new, |hash| {
        let (company, seq) = (chain.company, chain.last_seq);
        let anchor = Anchor { company, seq, hash };
        format!("  --anchor {anchor}")
    })
}

fn chosen(companies: &[(Uuid, String)], text: &str) -> Result<Uuid, Failure> {
    let id: Option<Uuid> = text.parse().ok();
    let is_it = |(company, name): &&(Uuid, String)| Some(*company) == id || name == text;
    let found = companies.iter().find(is_it).map(|(company, _)| *company);
    found.ok_or_else(|| format!("--company: there is no company {text}").into())
}

async fn companies(connection: &mut Connection<'_>) -> Result<Vec<(Uuid, String)>, DatabaseError> {
    Ok(on_either!(connection, |database| {
        sqlx::query_as("SELECT id, name FROM companies ORDER BY id")
            .fetch_all(&mut **database)
            .await
    })?)
}
