use loom::{
    future::block_on,
    sync::Arc,
    thread::{self, JoinHandle},
};
use std::time::Duration;

use crate::{StoreError, health::StoreHealth, instead::prometheus::IntGauge};

struct View {
    health: Arc<StoreHealth>,
    up: IntGauge,
}

impl View {
    /// Of a store that is up.
    fn new() -> Self {
        let up = IntGauge::new();
        let health = Arc::new(StoreHealth::new(up.clone()));
        health.mark_up();
        Self { health, up }
    }

    fn spawn(&self, act: impl FnOnce(&StoreHealth) + 'static) -> JoinHandle<()> {
        let health = self.health.clone();
        thread::spawn(move || act(&health))
    }

    /// What handlers, `/readyz` and `/metrics` say is one thing.
    fn assert_away(&self, away: bool) {
        assert_eq!(self.health.is_away(), away);
        assert_eq!(self.health.ready().is_err(), away);
        assert_eq!(self.up.get(), i64::from(!away));
    }
}

const AWAY: StoreError = StoreError("it is gone");

#[test]
fn workers_that_find_the_store_away_at_once_make_one_outage() {
    loom::model(|| {
        let view = View::new();
        let workers = [(); 2].map(|()| view.spawn(|health| health.mark_away(&AWAY)));
        for worker in workers {
            worker.join().unwrap();
        }
        view.assert_away(true);
        assert_eq!(view.health.outages(), 1);
    });
}

#[test]
fn a_worker_and_the_monitor_that_disagree_leave_one_view() {
    loom::model(|| {
        let view = View::new();
        let worker = view.spawn(|health| health.mark_away(&AWAY));
        let monitor = view.spawn(StoreHealth::mark_up);
        worker.join().unwrap();
        monitor.join().unwrap();
        assert_eq!(view.health.outages(), 1);
        view.assert_away(view.health.is_away());
    });
}

#[test]
fn the_monitor_is_woken_and_then_knows_why() {
    loom::model(|| {
        let view = View::new();
        let worker = view.spawn(|health| health.mark_away(&AWAY));
        // Without the wakeup this would wait for ever, which loom calls a deadlock.
        block_on(view.health.gone_within(Duration::MAX));
        view.assert_away(true);
        assert_eq!(view.health.outages(), 1);
        worker.join().unwrap();
    });
}

#[test]
fn each_time_it_goes_away_is_an_outage() {
    loom::model(|| {
        let view = View::new();
        let worker = view.spawn(|health| health.mark_away(&AWAY));
        block_on(view.health.gone_within(Duration::MAX));
        view.health.mark_up();
        view.health.mark_away(&AWAY);
        worker.join().unwrap();
        view.assert_away(true);
        assert_eq!(view.health.outages(), 2);
    });
}

#[test]
fn an_answer_to_an_older_question_does_not_bring_it_back() {
    loom::model(|| {
        let view = View::new();
        let worker = view.spawn(|health| health.mark_away(&AWAY));
        // As the monitor's probe does.
        let asked = view.health.outages();
        view.health.mark_up_since(asked);
        worker.join().unwrap();
        if asked == 0 {
            view.assert_away(true);
        }
    });
}

#[test]
fn a_suspicion_is_asked_about_or_stays() {
    loom::model(|| {
        let view = View::new();
        let worker = view.spawn(StoreHealth::suspect);
        let asked = view.health.take_suspicion();
        worker.join().unwrap();
        assert!(asked != view.health.is_suspected());
    });
}
