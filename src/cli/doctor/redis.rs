//! Redis: whether visits can be counted in it, and whether they last.

use std::{sync::Arc, time::Instant};

use super::{Findings, clock};
use crate::{
    cli::{Failure, permissions},
    config::{DatabaseLocation, RedisUrl, Settings},
    counting::counts::CounterStore,
    storage::{
        RedisStore, Store, StoreError,
        metrics::StoreMetrics,
        redis::{Node, Report},
    },
};

/// Bytes a replica may be behind: about a second of a busy master's writes.
const FAR_BEHIND: u64 = 1_000_000;

/// Seconds a replica may be silent: it reports once a second.
const LONG_SILENT: u64 = 5;

pub async fn check(
    url: &RedisUrl,
    settings: &Settings,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let redis = RedisStore::new(url, settings.store.timeout);
    findings.good(format_args!("REDIS_URL names {}", url.topology));
    for master in redis.hash_slots().await?.masters() {
        match redis.report(master).await {
            Ok(report) => {
                check_report(&report, settings.store.wait_replicas, findings);
                check_permissions(url, settings, &redis, master, findings).await;
                check_clock(&redis, master, findings).await;
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
    Ok(())
}

fn check_report(report: &Report, wait_replicas: u32, findings: &mut Findings) {
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
    url: &RedisUrl,
    settings: &Settings,
    redis: &RedisStore,
    node: &Node,
    findings: &mut Findings,
) {
    let server = url.server("", 0);
    let user = server.redis_settings().username().unwrap_or("default");
    let waits = settings.store.wait_replicas > 0;
    let has_database = !matches!(settings.database.location, DatabaseLocation::None);
    match permissions::missing(redis, node, waits, has_database).await {
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

/// Identities and limits live by its clock. Who may not ask it has been told so before.
async fn check_clock(redis: &RedisStore, node: &Node, findings: &mut Findings) {
    let asked = Instant::now();
    if let Ok(now) = redis.clock(node).await {
        clock::judge(format_args!("{node}: its"), now, asked, findings);
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
