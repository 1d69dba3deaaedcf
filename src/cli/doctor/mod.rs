//! `footfall doctor`: looks at everything a start depends on.

use std::{path::Path, process::ExitCode};

use super::Failure;
use crate::{
    config::{DatabaseLocation, Settings, StoreLocation},
    storage::SqliteStore,
};

mod accounts;
mod clock;
mod database;
mod error_tracking;
mod findings;
mod listeners;
mod mail;
mod record;
mod redis;
mod secrets;
mod sqlite;

use self::findings::{Findings, Verdict};

/// Prints all findings; fails if one of them is bad. Changes nothing: what it
/// counts in Redis to see whether it can is under keys of its own, which expire
/// within seconds.
pub fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let mut findings = Findings(Vec::new());
    findings.good(format_args!(
        "settings are complete ({})",
        settings.environment.name()
    ));
    secrets::check(settings, &mut findings);
    for address in settings
        .server
        .listen
        .iter()
        .chain(&settings.server.ops_listen)
    {
        listeners::check(address, &mut findings);
    }
    let store = super::block_on(check_store(settings, &mut findings))?;
    if let Err(error) = store {
        findings.bad(
            error,
            "`footfall config` shows where the store is looked for",
        );
    }
    if let DatabaseLocation::Postgres(url) = &settings.database.location {
        super::block_on(database::check(
            url,
            settings.database.timeout,
            &mut findings,
        ))?;
    }
    if !matches!(settings.database.location, DatabaseLocation::None) {
        accounts::check(settings, &mut findings);
        super::block_on(mail::check(&settings.mail, &mut findings))?;
    }
    if let Some(dsn) = &settings.sentry_dsn {
        super::block_on(error_tracking::check(dsn, &mut findings))?;
    }
    for (verdict, text) in &findings.0 {
        let mark = match verdict {
            Verdict::Good => "ok  ",
            Verdict::Warning => "warn",
            Verdict::Bad => "FAIL",
        };
        super::print(format_args!("{mark}  {text}"))?;
    }
    let bad = findings
        .0
        .iter()
        .any(|(verdict, _)| *verdict == Verdict::Bad);
    Ok(ExitCode::from(u8::from(bad)))
}

async fn check_store(settings: &Settings, findings: &mut Findings) -> Result<(), Failure> {
    match &settings.store.location {
        StoreLocation::Redis(url) => redis::check(url, settings, findings).await,
        StoreLocation::Sqlite(path) => {
            sqlite::check(path, SqliteStore::schema(path).await?, findings);
            Ok(())
        }
    }
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
