use std::convert::Infallible;

use loom::{
    future::block_on,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use crate::shared_map::SharedMap;

/// A master that may move, those who know where it is, and whom they ask.
#[derive(Clone)]
struct Sentinel {
    master: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    map: Arc<SharedMap<usize>>,
}

impl Sentinel {
    fn new() -> Self {
        Self {
            master: Arc::new(AtomicUsize::new(1)),
            asked: Arc::new(AtomicUsize::new(0)),
            map: Arc::new(SharedMap::new()),
        }
    }

    fn spawn<T: 'static>(&self, act: impl FnOnce(&Self) -> T + 'static) -> JoinHandle<T> {
        let sentinel = self.clone();
        thread::spawn(move || act(&sentinel))
    }

    async fn ask(&self) -> Result<usize, Infallible> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.master.load(Ordering::SeqCst))
    }

    fn get(&self) -> usize {
        *block_on(self.map.get(async || self.ask().await)).unwrap()
    }

    fn ask_again(&self) {
        block_on(self.map.ask_again(async || self.ask().await)).unwrap();
    }

    /// Another master takes over, and a command to the old one fails.
    fn fail_over(&self) {
        self.master.store(2, Ordering::SeqCst);
        self.map.forget();
    }
}

#[test]
fn threads_that_need_it_at_once_ask_once() {
    loom::model(|| {
        let sentinel = Sentinel::new();
        let other = sentinel.spawn(Sentinel::get);
        assert_eq!(sentinel.get(), 1);
        assert_eq!(other.join().unwrap(), 1);
        assert_eq!(sentinel.asked.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn an_answer_from_before_a_failure_is_not_kept() {
    loom::model(|| {
        let sentinel = Sentinel::new();
        let failing = sentinel.spawn(Sentinel::fail_over);
        sentinel.get();
        failing.join().unwrap();
        assert_eq!(sentinel.get(), 2);
    });
}

#[test]
fn nor_is_one_to_who_asks_now_and_then() {
    loom::model(|| {
        let sentinel = Sentinel::new();
        sentinel.get();
        let failing = sentinel.spawn(Sentinel::fail_over);
        sentinel.ask_again();
        failing.join().unwrap();
        assert_eq!(sentinel.get(), 2);
    });
}

#[test]
fn whoever_asks_last_is_believed() {
    loom::model(|| {
        let sentinel = Sentinel::new();
        let reader = sentinel.spawn(Sentinel::get);
        sentinel.master.store(2, Ordering::SeqCst);
        sentinel.ask_again();
        reader.join().unwrap();
        assert_eq!(sentinel.get(), 2);
    });
}
