//! `footfall doctor`: looks at everything a start depends on.

use std::{fmt, os::unix::fs::PermissionsExt, path::Path, process::ExitCode, sync::Arc};

use secrecy::ExposeSecret;

use super::{Failure, permissions};
use crate::{
    config::{
        AdminCredential, Settings, StoreLocation,
        catalog::{DEVELOPMENT_ADMIN_PASSWORD, DEVELOPMENT_SECRET_KEY},
        values::ListenAddress,
    },
    counting::store::CounterStore,
    listen::socket::{Occupant, check_length, hostname, occupant},
    storage::metrics::StoreMetrics,
    storage::{
        RedisStore, SqliteStore, Store, StoreError,
        redis::{Node, Report},
        sql::sqlite::{Schema, newest},
    },
};

mod error_tracking;

/// Bytes a replica may be behind: about a second of a busy master's writes.
const FAR_BEHIND: u64 = 1_000_000;

/// Seconds a replica may be silent: it reports once a second.
const LONG_SILENT: u64 = 5;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Warning,
    Bad,
}

/// What was found, and what to do about it.
struct Findings(Vec<(Verdict, String)>);

impl Findings {
    fn good(&mut self, what: impl fmt::Display) {
        self.0.push((Verdict::Good, what.to_string()));
    }

    fn warning(&mut self, what: impl fmt::Display, hint: impl fmt::Display) {
        self.0
            .push((Verdict::Warning, format!("{what}\n      {hint}")));
    }

    fn bad(&mut self, what: impl fmt::Display, hint: impl fmt::Display) {
        self.0.push((Verdict::Bad, format!("{what}\n      {hint}")));
    }
}

/// Prints all findings; fails if one of them is bad. Changes nothing: what it
/// counts in Redis to see whether it can is under keys of its own, which expire
/// within seconds.
pub fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let mut findings = Findings(Vec::new());
    findings.good(format_args!(
        "settings are complete ({})",
        settings.environment.name()
    ));
    check_secrets(settings, &mut findings);
    for address in settings
        .server
        .listen
        .iter()
        .chain(&settings.server.ops_listen)
    {
        check_listener(address, &mut findings);
    }
    let store = super::block_on(check_store(settings, &mut findings))?;
    if let Err(error) = store {
        findings.bad(
            error,
            "`footfall config` shows where the store is looked for",
        );
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

fn check_secrets(settings: &Settings, findings: &mut Findings) {
    let auth = &settings.auth;
    if auth.secret_key.expose_secret() == DEVELOPMENT_SECRET_KEY {
        findings.warning(
            "SECRET_KEY is the built-in development key",
            "anyone can sign tokens with it; set your own: openssl rand -base64 48",
        );
    }
    if let AdminCredential::Password(password) = &auth.admin_credential
        && password.expose_secret() == DEVELOPMENT_ADMIN_PASSWORD
    {
        findings.warning(
            "the account has the built-in development password",
            "set FOOTFALL_ADMIN_PASSWORD_HASH; `footfall hash-password` makes one",
        );
    }
}

fn check_listener(address: &ListenAddress, findings: &mut Findings) {
    match address {
        ListenAddress::Tcp { host, port } => {
            match std::net::TcpListener::bind((host.as_str(), *port)) {
                Ok(_) => findings.good(format_args!("{address} is free")),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                    findings.warning(format_args!("{address} is in use"), "fine if Footfall is running; else stop what has the port, or choose another");
                }
                Err(error) => findings.bad(
                    format_args!("{address}: {error}"),
                    "choose an address of this machine",
                ),
            }
        }
        ListenAddress::Unix(template) => {
            if let Err(error) = check_length(template) {
                return findings.bad(
                    format_args!("{address}: {error}"),
                    "choose a directory with a shorter name",
                );
            }
            match template.fixed(&hostname()) {
                Some(path) => check_socket(Path::new(&path), findings),
                None => {
                    let example = template.expand("HOST", 0, 1);
                    check_directory(Path::new(&example), findings);
                }
            }
        }
    }
}

fn check_socket(path: &Path, findings: &mut Findings) {
    check_directory(path, findings);
    let shown = format!("unix:{}", path.display());
    match occupant(path) {
        Ok(Occupant::Nothing) => findings.good(format_args!("{shown} is free")),
        Ok(Occupant::Stale) => findings.good(format_args!(
            "{shown} is left over from a dead process and will be replaced"
        )),
        Ok(Occupant::Live) => findings.warning(
            format_args!("{shown} is in use"),
            "fine if Footfall is running; else stop what listens there",
        ),
        Ok(Occupant::Foreign) => findings.bad(
            format_args!("{shown} is no socket"),
            "it would never be touched; move it away, or choose another path",
        ),
        Err(error) => findings.bad(
            format_args!("{shown}: {error}"),
            "look at the path and its permissions",
        ),
    }
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn check_directory(socket: &Path, findings: &mut Findings) {
    let directory = directory_of(socket);
    let shown = directory.display();
    let mode = match std::fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => metadata.permissions().mode(),
        Ok(_) => {
            return findings.bad(
                format_args!("{shown} is not a directory"),
                "choose another path for the socket",
            );
        }
        Err(error) => {
            return findings.bad(
                format_args!("{shown}: {error}"),
                "create the directory, writable for this user",
            );
        }
    };
    if rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_err() {
        findings.bad(
            format_args!("{shown} may not be written by this user"),
            "chown it to the user Footfall runs as",
        );
    } else if mode & 0o002 != 0 {
        findings.warning(
            format_args!(
                "{shown} is writable for everyone (mode {:o})",
                mode & 0o7777
            ),
            "anyone may put a socket in the place of yours; chmod o-w",
        );
    } else {
        findings.good(format_args!(
            "{shown} can hold sockets (mode {:o})",
            mode & 0o7777
        ));
    }
}

async fn check_store(settings: &Settings, findings: &mut Findings) -> Result<(), Failure> {
    match &settings.store.location {
        StoreLocation::Redis(url) => {
            let redis = RedisStore::new(url, settings.store.timeout);
            findings.good(format_args!("REDIS_URL names {}", url.topology));
            for master in redis.slots().await?.masters() {
                match redis.report(master).await {
                    Ok(report) => {
                        check_redis(&report, settings.store.wait_replicas, findings);
                        check_permissions(settings, &redis, master, findings).await;
                    }
                    Err(error) => findings.bad(
                        format_args!("{master}: {error}"),
                        "look at this server and the way to it",
                    ),
                }
            }
            if let Some(layout) = redis.layout().await? {
                findings.good(format_args!("its data has {layout}"));
            }
            let store = Store::open(&settings.store, Arc::new(StoreMetrics::detached()?)).await?;
            match CounterStore::new(store, &settings.store).probe().await {
                Ok(()) => findings.good("visits can be counted in it"),
                Err(error @ StoreError::Refused(_)) => findings.bad(
                    error,
                    "nothing is counted before it takes what counting writes; docs/redis.md has the permissions it needs",
                ),
                Err(error) => return Err(error.into()),
            }
        }
        StoreLocation::Sqlite(path) => {
            check_sqlite(path, SqliteStore::schema(path).await?, findings)
        }
    }
    Ok(())
}

fn check_sqlite(path: &Path, schema: Schema, findings: &mut Findings) {
    let shown = path.display();
    match schema {
        Schema::Missing => check_creatable(path, findings),
        Schema::Current => {
            findings.good(format_args!("{shown} is up to date"));
            check_writable(path, findings);
        }
        Schema::Older => {
            findings.good(format_args!(
                "{shown} will be brought up to date by the next start"
            ));
            check_writable(path, findings);
        }
        Schema::Newer(layout) => match layout.admits(newest()) {
            Ok(()) => {
                findings.good(format_args!(
                    "{shown} is of a newer version, and can be used: {layout}"
                ));
                check_writable(path, findings);
            }
            Err(error) => findings.bad(format_args!("{shown}: {error}"), "upgrade Footfall"),
        },
    }
    findings.warning(
        "counts are in a file of this machine",
        "replicas on several machines need a shared store: set REDIS_URL",
    );
}

/// Beside the database SQLite keeps its log, so the directory must be writable as well.
fn check_writable(database: &Path, findings: &mut Findings) {
    for path in [database, directory_of(database)] {
        if rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() {
            findings.bad(
                format_args!("{} may not be written by this user", path.display()),
                "chown it to the user Footfall runs as",
            );
        }
    }
}

fn check_creatable(database: &Path, findings: &mut Findings) {
    let shown = database.display();
    let existing = database
        .ancestors()
        .skip(1)
        .find(|ancestor| ancestor.exists());
    let directory = existing
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if directory.is_dir() && rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_ok() {
        findings.good(format_args!(
            "{shown} does not exist yet; the first start creates it"
        ));
    } else {
        findings.bad(
            format_args!("{shown} cannot be created"),
            format_args!(
                "{} is no directory this user may write to",
                directory.display()
            ),
        );
    }
}

fn check_redis(report: &Report, wait_replicas: u32, findings: &mut Findings) {
    let node = &report.node;
    match &report.version {
        Some(version) => findings.good(format_args!("Redis {version} answers at {node}")),
        None => findings.warning(
            format_args!("Redis answers at {node}, but not INFO"),
            "look at its persistence and eviction by other means; how full it is cannot be known, so only FOOTFALL_DEDUP_LIMIT bounds identities, each counter's by itself",
        ),
    }
    check_memory(report, findings);
    check_persistence(report, findings);
    check_replicas(report, wait_replicas, findings);
}

async fn check_permissions(
    settings: &Settings,
    redis: &RedisStore,
    node: &Node,
    findings: &mut Findings,
) {
    let StoreLocation::Redis(url) = &settings.store.location else {
        return;
    };
    let server = url.server("", 0);
    let user = server.redis_settings().username().unwrap_or("default");
    match permissions::missing(redis, node, settings.store.wait_replicas > 0).await {
        Ok(missing) if missing.is_empty() => findings.good(format_args!(
            "{node}: its user {user} may do all that is needed"
        )),
        Ok(missing) => {
            for denied in missing {
                let (consequence, rules) = (denied.purpose.consequence(), denied.rules.join(" "));
                let problem = format!("{node}: {consequence}: {}", denied.reason);
                let hint = format!("ACL SETUSER {user} {rules}");
                match denied.purpose.is_dispensable() {
                    true => findings.warning(problem, hint),
                    false => findings.bad(problem, hint),
                }
            }
        }
        Err(error) => findings.bad(
            format_args!("{node}: failed logins are not limited: {error}"),
            format_args!("ACL SETUSER {user} +multi +exec; what else its user may not do cannot be tried before"),
        ),
    }
}

fn check_memory(report: &Report, findings: &mut Findings) {
    let node = &report.node;
    if report.max_memory == Some(0) {
        findings.warning(
            format_args!("{node}: it has no maxmemory"),
            "when the machine's memory is full, the kernel ends Redis, and only FOOTFALL_DEDUP_LIMIT bounds identities, each counter's by itself; set maxmemory",
        );
    }
    match report.eviction.as_deref() {
        Some("noeviction") => findings.good(format_args!("{node}: it evicts nothing")),
        Some(policy) => findings.bad(
            format_args!("{node}: maxmemory-policy is {policy}"),
            "counts could be evicted; set maxmemory-policy noeviction",
        ),
        None => findings.warning(
            format_args!("{node}: maxmemory-policy cannot be read"),
            "make sure that it is noeviction",
        ),
    }
}

fn check_persistence(report: &Report, findings: &mut Findings) {
    let node = &report.node;
    match (report.append_only, report.fsync.as_deref()) {
        (Some(true), Some("always")) => findings.good(format_args!(
            "{node}: every write is on disk before it is acknowledged"
        )),
        (Some(true), fsync) => findings.warning(
            format_args!(
                "{node}: appendfsync is {}",
                fsync.unwrap_or("not readable")
            ),
            "the last second of visits is lost if its machine dies; set appendfsync always",
        ),
        (Some(false), _) => findings.bad(
            format_args!("{node}: it keeps no append-only file"),
            "acknowledged visits are lost when it is killed; set appendonly yes and appendfsync always",
        ),
        (None, _) => {}
    }
}

fn check_replicas(report: &Report, wait_replicas: u32, findings: &mut Findings) {
    let node = &report.node;
    for replica in &report.replicas {
        let place = format!("{node}: replica {}", replica.address);
        if !replica.online {
            findings.warning(
                format_args!("{place} is still copying"),
                "it counts for nothing until it follows; wait",
            );
            continue;
        }
        let behind = match replica.bytes_behind {
            Some(bytes) => format!("is {bytes} bytes behind"),
            None => "follows, at a distance that cannot be read".to_owned(),
        };
        let silent = replica.seconds_silent;
        if replica.bytes_behind > Some(FAR_BEHIND) || silent > LONG_SILENT {
            findings.warning(
                format_args!("{place} {behind}, and was heard of {silent} s ago"),
                "a failover to it would lose these writes; look at its machine and the network",
            );
        } else {
            findings.good(format_args!("{place} {behind}"));
        }
    }
    let online = report
        .replicas
        .iter()
        .filter(|replica| replica.online)
        .count();
    let demanded = u64::from(wait_replicas).max(report.min_replicas.unwrap_or_default());
    if (online as u64) < demanded {
        findings.bad(
            format_args!("{node}: {online} replicas follow, and {demanded} are demanded"),
            "nothing can be acknowledged before more of them follow: FOOTFALL_WAIT_REPLICAS, min-replicas-to-write",
        );
    } else if demanded == 0 && online > 0 {
        findings.warning(
            format_args!("{node}: it acknowledges before its replicas have a visit"),
            "a failover can lose the last visits; set FOOTFALL_WAIT_REPLICAS=1 if none may be lost",
        );
    }
}
