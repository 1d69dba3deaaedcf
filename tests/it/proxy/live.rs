//! Numbers that move go on when replicas die and leave, behind the shipped configuration.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    Footfall, Redis,
    browser::Browser,
    client::Target,
    console::Visitor,
    live::LivePage,
    load::{Insistent, assert_exact},
    proxy::Proxy,
    reader::Reader,
    until,
};

const PAGES: usize = 50;

/// As is promised: for so long a page may stand still when its replica is gone.
const PROMISE: Duration = Duration::from_secs(2);

const STREAMS: &str = "footfall_live_streams";

/// Three replicas, on which visits are counted all the time.
struct Stage {
    proxy: Proxy,
    replicas: Vec<Footfall>,
    token: String,
    visits: Insistent,
    pages: Vec<LivePage>,
    _redis: Redis,
}

impl Stage {
    async fn start() -> Self {
        let (proxy, redis) = (Proxy::start(), Redis::start());
        let start = || proxy.replica().env("REDIS_URL", redis.url()).start();
        let replicas = vec![start(), start(), start()];
        let token = replicas[0].token().await;
        let targets = [Target::Tcp(proxy.address.clone())];
        let visits = Insistent::paced(&targets, &token, 4, &["visits".to_owned()]);
        let reader = Reader::new(proxy.client())
            .log_in("admin", "password")
            .await;
        let pages = (0..PAGES).map(|_| LivePage::open(&proxy.address, &reader, "visits"));
        let stage = Self {
            pages: pages.collect(),
            proxy,
            replicas,
            token,
            visits,
            _redis: redis,
        };
        stage.all_show_more_than(0).await;
        stage
    }

    async fn all_show_more_than(&self, number: u64) {
        let all = async || {
            let numbers = self.pages.iter().map(LivePage::number);
            numbers.min().flatten().filter(|least| *least > number)
        };
        until("all pages go on", all).await;
    }

    /// The replica with these pages goes, and each goes on in time. How far the counter was when it was gone.
    async fn go_on_without(&mut self, goes: impl FnOnce(&mut Footfall)) -> (Instant, u64) {
        let mut replica = self.replicas.remove(0);
        let had = replica.metric(STREAMS).await.unwrap() as usize;
        assert!(had >= PAGES / 4, "it had {had} of the pages");
        let opened = self.opened();
        let gone = Instant::now();
        goes(&mut replica);
        let counted = self.replicas[0].total(&self.token).await;
        self.all_show_more_than(counted).await;
        for page in &self.pages {
            let seen = page.seen();
            let mut later = seen.numbers.iter().filter(|(_, number)| *number > counted);
            let (at, _) = later.next().unwrap();
            let stood = at.duration_since(gone);
            assert!(
                stood < PROMISE,
                "one stood still for {stood:?}: {:?}",
                seen.refused
            );
        }
        let again = self.opened() - opened;
        assert!(again >= had - 1, "{again} streams were opened for {had}");
        // One that drains ends by itself, though pages were open on it.
        replica.process.wait();
        (gone, counted)
    }

    fn opened(&self) -> usize {
        self.pages.iter().map(|page| page.seen().streams).sum()
    }

    /// Ends when all pages show the number of the last visit, which is that of all that were counted.
    async fn end(self) -> u64 {
        let numbers = self.visits.stop().await.remove("visits").unwrap();
        assert_exact(&numbers);
        let last = numbers.len() as u64;
        let all = async || {
            let mut numbers = self.pages.iter().map(LivePage::number);
            numbers.all(|number| number == Some(last)).then_some(())
        };
        until("all pages show the last visit", all).await;
        for page in &self.pages {
            let seen = page.seen();
            let numbers = seen.numbers.iter().map(|(_, number)| *number);
            assert!(numbers.is_sorted(), "one went back: {:?}", seen.numbers);
            // As by the replica that shuts down: the numbers would be said to stand still.
            assert!(!seen.refused.contains(&503), "{:?}", seen.refused);
        }
        last
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_outlive_a_killed_and_a_drained_replica() {
    let mut stage = Stage::start().await;
    stage.go_on_without(|replica| replica.process.kill()).await;
    stage
        .go_on_without(|replica| replica.process.signal(Signal::TERM))
        .await;
    stage.end().await;
}

/// `./test.sh quick` leaves this out.
mod browser {
    use super::*;

    /// Notes what is shown, and whether it was ever said to stand still.
    const NOTE: &str = "window.shown = []; window.stood = 0;
        const number = document.querySelector('.card .live');
        const note = () => {
            shown.push([Date.now(), Number(number.textContent.replaceAll(',', ''))]);
            stood += number.classList.contains('away-now');
        };
        new MutationObserver(note).observe(number, { childList: true, characterData: true, subtree: true, attributes: true });
        note();";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_page_outlives_a_killed_and_a_drained_replica() {
        // It takes all of a machine until it is there.
        let browser = Browser::start().await;
        let mut stage = Stage::start().await;
        let visitor = Visitor {
            browser,
            origin: format!("http://{}/", stage.proxy.address),
        };
        visitor.log_in("admin", "password").await;
        visitor.open("console/counters/visits").await;
        visitor.browser.script(NOTE).await;
        let mut gone = vec![stage.go_on_without(|replica| replica.process.kill()).await];
        gone.push(
            stage
                .go_on_without(|replica| replica.process.signal(Signal::TERM))
                .await,
        );
        for (moment, counted) in gone {
            let shown = async || first_after(&visitor, counted).await;
            let at = until("the page goes on", shown).await;
            let stood = at.saturating_sub(since_1970(moment));
            assert!(stood < PROMISE, "it stood still for {stood:?}");
        }
        let mut replica = stage.replicas[0].ops_client();
        replica.metric_becomes(STREAMS, PAGES as f64 + 1.0).await;
        let hide =
            "Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
            document.dispatchEvent(new Event('visibilitychange'));";
        visitor.browser.script(hide).await;
        replica.metric_becomes(STREAMS, PAGES as f64).await;
        let show = hide.replace("=> true", "=> false");
        visitor.browser.script(&show).await;
        let last = stage.end().await;
        until("it shows the last visit", async || {
            (shown(&visitor).await.last()?.1 == last).then_some(())
        })
        .await;
        let numbers = shown(&visitor).await;
        assert!(
            numbers.iter().map(|(_, number)| number).is_sorted(),
            "it went back: {numbers:?}"
        );
        assert_eq!(visitor.browser.script("return stood").await, 0);
        visitor.browser.close().await;
    }

    /// What was shown, and when: since 1970.
    async fn shown(visitor: &Visitor) -> Vec<(Duration, u64)> {
        let shown = visitor.browser.script("return shown").await;
        let shown = shown.as_array().unwrap().iter();
        let number = |pair: &Value, place: usize| pair[place].as_u64().unwrap();
        shown
            .map(|pair| (Duration::from_millis(number(pair, 0)), number(pair, 1)))
            .collect()
    }

    async fn first_after(visitor: &Visitor, counted: u64) -> Option<Duration> {
        let shown = shown(visitor).await;
        let first = shown.iter().find(|(_, number)| *number > counted);
        first.map(|(at, _)| *at)
    }

    fn since_1970(moment: Instant) -> Duration {
        let then = SystemTime::now() - moment.elapsed();
        then.duration_since(UNIX_EPOCH).unwrap()
    }
}
