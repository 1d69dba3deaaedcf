//! All that rules, dashboards and the runbook ask for is there, on a stack
//! under load.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::Method;
use promql_parser::parser::parse;
use serde_json::Value;

use super::{
    Query,
    expressions::{Known, before_or},
    queries,
    stack::Stack,
};
use crate::support::{Client, client::Target, eventually, footfall::AWAY, process::PATIENCE};

/// Between two requests of a client: the load is to be seen, not to be heavy.
const PAUSE: Duration = Duration::from_millis(10);

/// Clients of all kinds, until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(targets: &[Target], token: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = targets
            .iter()
            .map(|target| tokio::spawn(all_kinds(target.clone(), token.to_owned(), stop.clone())))
            .collect();
        Self { stop, clients }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
    }
}

/// Visits, replays, reads, questions, logins, strangers and probes.
async fn all_kinds(target: Target, token: String, stop: Arc<AtomicBool>) {
    let key = ("idempotency-key", "the-same");
    let mut client = Client::new(target.clone()).with_token(&token);
    let mut stranger = Client::new(target);
    while !stop.load(Ordering::Relaxed) {
        client.get("/api/count").await;
        client.post("/api/counters/other").await;
        client.post("/api/counters/one-too-many").await;
        client.send(Method::GET, "/api/count", &[key], "").await;
        client.get("/api/counters").await;
        client.get("/api/counters/visits").await;
        client
            .post_json(
                "/api/build-audience",
                r#"{"version":1,"include":{"did":{"counter":"visits"}}}"#,
            )
            .await;
        stranger.login("admin", "password").await;
        stranger.login("nobody", "wrong").await;
        for path in ["/api/count", "/healthz", "/nothing"] {
            stranger.get(path).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Makes each replica fail visits for a moment: errors have series only once
/// there was one.
fn outage(stack: &Stack) {
    stack.redis.command("CONFIG SET maxmemory 1");
    for replica in &stack.replicas {
        replica.logged(AWAY);
    }
    stack.redis.command("CONFIG SET maxmemory 1gb");
    for replica in &stack.replicas {
        eventually("the store is up again", || {
            let log = replica.log();
            let away = log.iter().rposition(|line| line.contains(AWAY));
            let up = log.iter().rposition(|line| line.contains("store is up"));
            (up > away).then_some(())
        });
    }
}

/// Has the replicas send mails, one ten times a second, for longer than anybody looks.
fn mails(stack: &Stack) {
    let mails = "INSERT INTO mails (id, recipient, template, state, tries, created_at, due_at)
        SELECT gen_random_uuid(), 'somebody@example.com', '{\"name\":\"email_changed\"}', 'waiting', 0, now, now + number * 100
        FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint) AS clock (now), generate_series(1, 600) AS number";
    stack.postgres.sql("migrated", mails);
}

/// Loses visits that were acknowledged, and what would tell the count so.
fn loss(stack: &Stack) {
    let keys = ["count", "record", "visits"].map(|key| format!("footfall:{{visits}}:{key}"));
    stack.redis.command(&format!("DEL {}", keys.join(" ")));
}

/// Ends a session, as another replica would: how long it takes to be known has a value only where
/// there was one of late.
fn revocation(stack: &Stack) {
    let noted = "INSERT INTO revocations (kind, subject, noted_at, until, published)
        SELECT 'session', gen_random_uuid(), now, now + 3600000, FALSE
        FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now) AS clock";
    // Where the test has killed it, there is nobody to tell.
    let _ = stack.postgres.try_sql("migrated", noted);
}

/// Waits until this alert fires. Those of this Prometheus do not wait.
async fn fires(stack: &Stack, alert: &str) {
    let expression = format!(r#"ALERTS{{{alert},alertstate="firing"}}"#);
    all_answer(stack, vec![(alert.to_owned(), expression)]).await;
}

/// Waits until the alerts about what is wrong fire.
async fn alerts_fire(stack: &Stack) {
    let hung = stack.hung.local_addr().unwrap();
    let hung = format!(r#"alertname="FootfallReplicaDown",instance="{hung}""#);
    for alert in [r#"alertname="FootfallNumbersRepeated""#, &hung] {
        fires(stack, alert).await;
    }
}

/// As Grafana fills in variables, for a scrape interval of half a second.
fn filled_in(expression: &str, replica: &str) -> String {
    let filled = expression
        .replace("$__rate_interval", "2s")
        .replace("$__range", "10s")
        .replace("$replica", replica);
    assert!(!filled.contains('$'), "an unknown variable: {filled}");
    filled
}

/// Whether there is a number to show.
fn shows_something(result: &[Value]) -> bool {
    result.iter().any(|series| {
        let value = series["value"][1].as_str().unwrap();
        value.parse::<f64>().unwrap().is_finite()
    })
}

/// Everything that must have an answer: each query of the dashboards for all
/// replicas and for one, and what its `or` would hide.
fn to_be_answered(queries: &[Query], replica: &str) -> Vec<(String, String)> {
    // In a regular expression, where a dot is any character.
    let one = replica.replace('.', r"\\.");
    let mut all = BTreeSet::new();
    for query in queries.iter().filter(|query| query.dashboard) {
        for chosen in [".*", &one] {
            let expression = filled_in(&query.expression, chosen);
            let parsed = parse(&expression);
            let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", query.origin));
            let hidden = before_or(&parsed).into_iter().map(ToString::to_string);
            for asked in hidden.chain([expression.clone()]) {
                all.insert((query.origin.clone(), asked));
            }
        }
    }
    all.into_iter().collect()
}

/// Asks again and again until all have shown something.
async fn all_answer(stack: &Stack, mut waiting: Vec<(String, String)>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        revocation(stack);
        let mut silent = Vec::new();
        for (origin, expression) in waiting {
            let answer = stack.prometheus.ask(&expression).await;
            let answer = answer.unwrap_or_else(|error| panic!("{origin}: {error}: {expression}"));
            if !shows_something(&answer) {
                silent.push((origin, expression));
            }
        }
        if silent.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "show nothing: {silent:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        waiting = silent;
    }
}

/// What is wrong with a query, given what Prometheus has.
fn complaint(query: &Query, known: &Known) -> Option<String> {
    let expression = filled_in(&query.expression, ".*");
    let labels = parse(&expression).and_then(|parsed| known.labels(&parsed));
    let labels = match labels {
        Ok(labels) => labels.unwrap_or_default(),
        Err(error) => return Some(format!("{}: {error}: {expression}", query.origin)),
    };
    let missing = query.shown.iter().find(|label| !labels.contains(*label))?;
    Some(format!(
        "{} shows the label {missing:?} of {labels:?}: {expression}",
        query.origin
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rules_dashboards_and_runbook_ask_for_is_there() {
    let stack = Stack::start();
    let token = stack.replicas[0].token().await;
    let load = Load::start(&stack.targets(), &token);
    outage(&stack);
    mails(&stack);
    let queries = queries();
    assert!(queries.len() > 100, "only {}", queries.len());
    all_answer(&stack, to_be_answered(&queries, &stack.replicas[0].ops())).await;
    loss(&stack);
    alerts_fire(&stack).await;
    load.end().await;
    let well = r#"ALERTS{alertname=~"FootfallNoRequestArrives|FootfallNginxDown|FootfallRedisDown|FootfallDatabaseDown|FootfallPostgres.*"}"#;
    assert_eq!(stack.prometheus.ask(well).await, Ok(Vec::new()));

    let known = Known::new(&stack.prometheus.series().await);
    let complaints: Vec<_> = queries
        .iter()
        .filter_map(|query| complaint(query, &known))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let unasked = unasked(&known, &queries);
    assert!(unasked.is_empty(), "nobody asks for {unasked:?}");
}

/// What the exporters tell while they themselves answer, and what no metric of a replica tells.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_away_behind_an_exporter_that_answers_is_missed() {
    let mut stack = Stack::cut_off();
    for replica in &stack.replicas {
        replica.ready().await;
    }
    let [.., nginx] = stack.targets();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let strangers = tokio::spawn(async move {
        let mut client = Client::new(nginx);
        while !stopped.load(Ordering::Relaxed) {
            assert_eq!(client.get("/api/ping").await.status, 502);
            tokio::time::sleep(PAUSE).await;
        }
    });
    fires(&stack, r#"alertname="FootfallNoRequestArrives""#).await;
    stop.store(true, Ordering::Relaxed);
    strangers.await.unwrap();
    stack.redis.kill();
    fires(&stack, r#"alertname="FootfallRedisDown""#).await;
    stack.nginx.kill();
    fires(&stack, r#"alertname="FootfallNginxDown""#).await;
    stack.postgres.kill();
    fires(&stack, r#"alertname="FootfallPostgresDown""#).await;
    fires(&stack, r#"alertname="FootfallDatabaseDown""#).await;
    let exporters = r#"ALERTS{alertname="FootfallExporterDown"}"#;
    assert_eq!(stack.prometheus.ask(exporters).await, Ok(Vec::new()));
}

/// The service's own metrics that are in no rule and on no dashboard. Of a
/// histogram's three series one is enough.
fn unasked<'a>(known: &'a Known, queries: &[Query]) -> Vec<&'a str> {
    let asked: String = queries
        .iter()
        .map(|query| query.expression.as_str())
        .collect();
    let names = known.names().map(String::as_str);
    let own = names.filter(|name| name.starts_with("footfall_") || name.starts_with("http_"));
    let families = own.map(|name| {
        let ends = ["_bucket", "_sum", "_count"];
        let end = ends.into_iter().find(|end| name.ends_with(end));
        end.map_or(name, |end| name.trim_end_matches(end))
    });
    families.filter(|name| !asked.contains(name)).collect()
}
