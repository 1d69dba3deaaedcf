//! One scenario for all faults: clients count without a pause, something happens to the store,
//! it is mended, and nothing was lost, doubled or kept waiting without end.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use super::load::{Ledger, Load};
use crate::support::{
    Footfall, eventually,
    footfall::{AWAY, Builder},
    load::assert_exact,
    process::until,
};

/// The time in which every request is answered, whatever happens to the store:
/// `FOOTFALL_STORE_TIMEOUT`, which is 1 s here, and what a busy machine adds to it.
pub const BOUND: Duration = Duration::from_secs(5);

/// The time in which counting goes on after the store's return: within 2 s, and what a busy
/// machine adds to it.
const RECOVERY: Duration = Duration::from_secs(5);

/// Something that happens to the store `S`.
pub struct Fault<S> {
    /// Makes it happen.
    pub inject: fn(&mut S),
    /// Ends it.
    pub mend: fn(&mut S),
    pub effect: Effect,
}

/// What clients see of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Every visit is answered 503 until the fault is mended.
    Outage,
    /// The store is away again and again until the fault is mended; visits may be counted in between.
    Outages,
    /// Some visits are answered 503, again and again, until the fault is mended.
    Refusals,
    /// It is over when it has happened; visits in flight may be answered 503.
    Hiccup,
    /// No visit fails.
    Nothing,
}

/// The fault happens while visits are being counted.
pub async fn under_load<S>(fault: Fault<S>, mut store: S, footfall: Footfall) {
    let token = footfall.token().await;
    let load = Load::start(&footfall, &token);
    load.more_acknowledged(200).await;
    match fault.effect {
        Effect::Outage => {
            (fault.inject)(&mut store);
            away(&footfall, &token, &load).await;
        }
        Effect::Outages => {
            (fault.inject)(&mut store);
            footfall.logged(AWAY);
            load.more_refused(50).await;
            goes_on(&footfall).await;
            until("the store is known to be away", async || {
                let ready = footfall.ops_client().get("/readyz").await;
                let is_down =
                    ready.status == 503 && ready.json()["dependencies"]["store"]["state"] == "down";
                is_down.then_some(())
            })
            .await;
        }
        Effect::Refusals => {
            (fault.inject)(&mut store);
            load.more_refused(20).await;
            goes_on(&footfall).await;
        }
        Effect::Hiccup => {
            for _ in 0..10 {
                (fault.inject)(&mut store);
                load.more_acknowledged(20).await;
                goes_on(&footfall).await;
            }
        }
        Effect::Nothing => {
            for _ in 0..4 {
                (fault.inject)(&mut store);
                load.more_acknowledged(20).await;
            }
            goes_on(&footfall).await;
            assert_eq!(load.refused(), 0, "no visit fails");
            assert!(footfall.find(AWAY).is_none(), "{:?}", footfall.log());
        }
    }
    recovers(fault, &mut store, footfall, &token, load).await;
}

/// The fault has happened before the service starts.
pub async fn from_the_start<S>(fault: Fault<S>, mut store: S, builder: Builder) {
    (fault.inject)(&mut store);
    let footfall = start(builder);
    let token = footfall.token().await;
    let load = Load::start(&footfall, &token);
    match fault.effect {
        Effect::Outage => away(&footfall, &token, &load).await,
        _ => load.more_acknowledged(30).await,
    }
    recovers(fault, &mut store, footfall, &token, load).await;
}

/// A service with the time limit that the scenario goes by.
pub fn start(builder: Builder) -> Footfall {
    builder.env("FOOTFALL_STORE_TIMEOUT", "1s").start()
}

/// The store is away, and is known to be: what needs none goes on, all else is refused.
async fn away(footfall: &Footfall, token: &str, load: &Load) {
    footfall.logged(AWAY);
    load.more_refused(50).await;
    goes_on(footfall).await;
    let ready = footfall.ops_client().get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["dependencies"]["store"]["state"], "down");
    assert!(ready.header("retry-after").is_some());
    let outages = footfall
        .log()
        .iter()
        .filter(|line| line.contains(AWAY))
        .count();
    assert_eq!(outages, 1, "it is one outage: {:?}", footfall.log());
    let started = Instant::now();
    let mut client = footfall.client().with_token(token);
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    assert!(started.elapsed() < BOUND);
}

/// What needs no store is answered, and in time.
async fn goes_on(footfall: &Footfall) {
    let mut client = footfall.client();
    for path in ["/api/ping", "/healthz", "/"] {
        let started = Instant::now();
        assert_eq!(client.get(path).await.status, 200, "{path}");
        assert!(started.elapsed() < BOUND, "{path}");
    }
    assert_eq!(footfall.ops_client().get("/healthz").await.status, 200);
    let started = Instant::now();
    assert_eq!(client.login("admin", "password").await.status, 200);
    assert!(started.elapsed() < BOUND, "login");
}

async fn recovers<S>(fault: Fault<S>, store: &mut S, footfall: Footfall, token: &str, load: Load) {
    (fault.mend)(store);
    let (mended, before) = (Instant::now(), load.acknowledged());
    eventually("visits are counted again", || {
        (load.acknowledged() > before).then_some(())
    });
    let mut ops = footfall.ops_client();
    while ops.get("/readyz").await.status != 200 {
        assert!(mended.elapsed() < RECOVERY, "{:?}", footfall.log());
    }
    let recovery = mended.elapsed();
    assert!(recovery < RECOVERY, "{recovery:?}");
    load.more_acknowledged(200).await;
    // For docs/reliability.md; see there.
    println!(
        "{}: {} visits refused, slowest answer {:.2?}, counting again after {recovery:.2?}",
        std::thread::current().name().unwrap_or_default(),
        load.refused(),
        load.slowest_answer(),
    );
    let ledgers = load.stop().await;
    check(&ledgers, &footfall, token).await;
}

/// No acknowledged visit lost, no number twice, every repeat safe.
async fn check(ledgers: &[Ledger], footfall: &Footfall, token: &str) {
    let mut client = footfall.client().with_token(token);
    // Each identity was repeated until it was acknowledged, and so was counted once.
    let numbers: Vec<u64> = ledgers
        .iter()
        .flat_map(|ledger| ledger.identified.iter().map(|visit| visit.number))
        .collect();
    assert_exact(&numbers);
    assert_eq!(footfall.total(token).await, numbers.len() as u64);
    // Once more, those first that were in trouble.
    for ledger in ledgers {
        let (troubled, rest): (Vec<_>, Vec<_>) =
            ledger.identified.iter().partition(|visit| visit.repeated);
        for visit in troubled.iter().take(20).chain(rest.iter().rev().take(2)) {
            let reply = visit.send(&mut client).await;
            assert_eq!((reply.visits(), reply.replayed()), (visit.number, true));
        }
    }
    // A visit without identity is counted if it was acknowledged, and may be if it is unknown.
    let acknowledged: Vec<u64> = ledgers
        .iter()
        .flat_map(|ledger| ledger.anonymous.iter().copied())
        .collect();
    let unknown: usize = ledgers.iter().map(|ledger| ledger.unknown).sum();
    let distinct: HashSet<_> = acknowledged.iter().collect();
    assert_eq!(distinct.len(), acknowledged.len(), "a number twice");
    let total = client.get("/api/counters/anonymous").await.visits();
    assert!(acknowledged.iter().all(|number| *number <= total));
    let counted = acknowledged.len() as u64..=(acknowledged.len() + unknown) as u64;
    assert!(counted.contains(&total), "{total} of {counted:?}");
}
