//! A real browser on pages of another origin. `./test.sh quick` leaves these out.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{
    front::{Fate, Front, pages},
    visits,
};
use crate::support::{Client, Footfall, browser::Browser, until};

/// A service with a key, and a page of another origin that has the two lines.
struct World {
    footfall: Footfall,
    front: Front,
    /// Of the page.
    origin: String,
    /// Of a page with the same lines that the key is not for.
    elsewhere: String,
    /// What both serve.
    html: Arc<Mutex<String>>,
    browser: Browser,
    admin: Client,
}

impl World {
    async fn new() -> Self {
        let footfall = Footfall::start();
        footfall.ready().await;
        let front = Front::of(footfall.public()).await;
        let mut admin = footfall.client().with_token(&footfall.token().await);
        let html = Arc::new(Mutex::new(String::new()));
        let (port, other) = (pages(html.clone()).await, pages(html.clone()).await);
        let origin = format!("http://localhost:{port}");
        let body = json!({ "name": "n", "counters": ["web"], "origins": [origin] }).to_string();
        let made = admin.post_json("/api/write-keys", &body).await;
        assert_eq!(made.status, 201, "{made:?}");
        *html.lock().unwrap() = page(front.port, made.json()["key"].as_str().unwrap());
        footfall
            .metric_becomes("footfall_collect_write_keys", 1.0)
            .await;
        Self {
            footfall,
            front,
            origin,
            elsewhere: format!("http://localhost:{other}"),
            html,
            browser: Browser::start().await,
            admin,
        }
    }

    async fn goto(&self, url: &str) {
        self.browser.page.goto(url).await.unwrap();
    }

    /// Waits until so many visits are counted.
    async fn counts(&mut self, number: u64) {
        let admin = &mut self.admin;
        until(&format!("{number} visits are counted"), async || {
            let counted = visits(admin, "web").await;
            assert!(counted <= number, "{counted} of {number}");
            (counted == number).then_some(())
        })
        .await;
    }

    /// Visits that were known again.
    async fn replayed(&self) -> f64 {
        let replayed = self.footfall.metric("footfall_visits_replayed_total");
        replayed.await.unwrap()
    }

    /// Waits until so many were sent.
    async fn has_sent(&self, number: usize) {
        let sent = async || (self.front.sent() >= number).then_some(());
        until(&format!("{number} are sent"), sent).await;
    }
}

/// The two lines of docs/websites.md.
fn page(port: u16, key: &str) -> String {
    let host = format!("http://127.0.0.1:{port}");
    format!(
        r#"<!doctype html><title>page</title>
<script defer src="{host}/footfall.js" data-key="{key}"></script>
<noscript><img src="{host}/collect.gif?key={key}" alt=""></noscript>"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn one_visit_for_each_view() {
    let mut world = World::new().await;
    let origin = world.origin.clone();
    world.goto(&format!("{origin}/a")).await;
    world.counts(1).await;
    world.goto(&format!("{origin}/b?c=d")).await;
    world.counts(2).await;
    // The path changes without a new page, or stays as it is.
    let script = async |script: &str| world.browser.script(script).await;
    script("history.pushState(null, '', '/c')").await;
    script("history.replaceState(null, '', '/c?x=1')").await;
    script("history.pushState(null, '', '/c#y')").await;
    script("history.replaceState(null, '', '/d')").await;
    world.counts(4).await;
    world.browser.script("history.back()").await;
    world.counts(5).await;
    world.browser.page.refresh().await.unwrap();
    world.counts(6).await;
    let link = "location.href = '/e?utm_campaign=spring'";
    world.browser.script(link).await;
    world.counts(7).await;
    // Who comes from another page of the site has not come from elsewhere.
    let newest = world.admin.get("/api/counters/web/visits/7").await.json();
    assert_eq!(newest["path"], "/e", "{newest}");
    assert_eq!(newest["campaign"], "spring", "{newest}");
    assert_eq!(newest.get("referrer"), None, "{newest}");
    world.has_sent(7).await;
    assert_eq!(world.front.sent(), 7);
    let kept = "return [document.cookie, localStorage.length, sessionStorage.length]";
    assert_eq!(world.browser.script(kept).await, json!(["", 0, 0]));
    assert_eq!(world.replayed().await, 0.0);
    world.browser.close().await;
}

/// Has the browser prepare another page, which notes that it is.
const PREPARING: &str = r#"
<script type="speculationrules">{ "prerender": [{ "urls": ["/b"], "eagerness": "immediate" }] }</script>
<script>addEventListener('load', () => { if (document.prerendering) localStorage.prepared = location.pathname })</script>"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_only_prepared_is_counted_when_it_is_seen() {
    let mut world = World::new().await;
    world.html.lock().unwrap().push_str(PREPARING);
    let origin = world.origin.clone();
    world.goto(&format!("{origin}/a")).await;
    world.counts(1).await;
    until("it is prepared", async || {
        let prepared = world.browser.script("return localStorage.prepared").await;
        (prepared == "/b").then_some(())
    })
    .await;
    world.browser.script("location.href = '/b'").await;
    world.counts(2).await;
    let was_prepared = "return performance.getEntriesByType('navigation')[0].activationStart > 0";
    assert_eq!(world.browser.script(was_prepared).await, true);
    let newest = world.admin.get("/api/counters/web/visits/2").await.json();
    assert_eq!(newest["path"], "/b", "{newest}");
    assert_eq!(world.front.sent(), 2);
    world.browser.close().await;
}

/// Its script does not run again.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_back_from_memory_is_seen_again() {
    let mut world = World::new().await;
    let origin = world.origin.clone();
    world.goto(&format!("{origin}/a")).await;
    world.counts(1).await;
    let leaving = "window.stays = 'here'; location.href = '/b'";
    world.browser.script(leaving).await;
    world.counts(2).await;
    world.browser.script("history.back()").await;
    world.counts(3).await;
    assert_eq!(world.browser.script("return window.stays").await, "here");
    let newest = world.admin.get("/api/counters/web/visits/3").await.json();
    assert_eq!(newest["path"], "/a", "{newest}");
    assert_eq!(world.front.sent(), 3);
    world.browser.close().await;
}

/// Whether the first try is lost on the way there or on the way back.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_is_sent_once_more_and_counted_once() {
    let mut world = World::new().await;
    let origin = world.origin.clone();
    world.front.next(Fate::IsLost);
    world.goto(&format!("{origin}/a")).await;
    world.counts(1).await;
    assert_eq!((world.front.sent(), world.replayed().await), (2, 0.0));
    world.front.next(Fate::IsUnanswered);
    world.goto(&format!("{origin}/b")).await;
    world.has_sent(4).await;
    until("it is known again", async || {
        (world.replayed().await == 1.0).then_some(())
    })
    .await;
    world.counts(2).await;
    world.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_closes_the_page_at_once_was_there() {
    let mut world = World::new().await;
    let origin = world.origin.clone();
    let page = world.browser.page.clone();
    let first = page.window().await.unwrap();
    for (number, fate) in [(1, Fate::Passes), (2, Fate::Hangs)] {
        world.front.next(fate);
        let before = world.front.sent();
        let tab = page.new_window(true).await.unwrap();
        page.switch_to_window(tab.handle).await.unwrap();
        world.goto(&format!("{origin}/a")).await;
        if fate == Fate::Hangs {
            world.has_sent(before + 1).await;
        }
        page.close_window().await.unwrap();
        page.switch_to_window(first.clone()).await.unwrap();
        world.counts(number).await;
    }
    world.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_there_is_the_image() {
    let mut world = World::new().await;
    let off = json!({ "value": true });
    world
        .browser
        .devtools("Emulation.setScriptExecutionDisabled", off)
        .await;
    for number in 1..=2 {
        let url = format!("{}/{number}", world.origin);
        world.goto(&url).await;
        world.counts(number).await;
    }
    assert_eq!(world.front.sent(), 2);
    world.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_count_nothing() {
    let mut world = World::new().await;
    let elsewhere = world.elsewhere.clone();
    let refused = r#"footfall_collect_not_counted_total{reason="origin_not_allowed"}"#;
    world.goto(&format!("{elsewhere}/a")).await;
    world.footfall.metric_reaches(refused, 1.0).await;
    // What a page can do without the script, with all that it may send.
    let key = world
        .browser
        .script("return document.querySelector('script').dataset.key")
        .await;
    let tries = r#"
const [host, key, done] = arguments;
const body = JSON.stringify({ key });
const form = new URLSearchParams({ key });
navigator.sendBeacon(host + '/collect', body);
const image = new Image();
image.src = host + '/collect.gif?key=' + key;
Promise.allSettled([
    fetch(host + '/collect', { method: 'POST', mode: 'no-cors', body }),
    fetch(host + '/collect', { method: 'POST', mode: 'no-cors', credentials: 'include', body }),
    fetch(host + '/collect', { method: 'POST', body, referrerPolicy: 'no-referrer' }),
    fetch(host + '/collect', { method: 'POST', body: form }),
    fetch(host + '/collect.gif?key=' + key, { mode: 'no-cors', referrerPolicy: 'no-referrer' }),
    fetch(host + '/collect.gif?key=' + key),
]).then(results => done(results.map(result => result.status)));
"#;
    let host = format!("http://127.0.0.1:{}", world.front.port);
    let before = world.footfall.metric(refused).await.unwrap();
    let arguments = vec![json!(host), key.clone()];
    let results = world
        .browser
        .page
        .execute_async(tries, arguments.clone())
        .await
        .unwrap();
    assert!(
        results.as_array().unwrap().contains(&json!("rejected")),
        "{results}"
    );
    world.footfall.metric_reaches(refused, before + 7.0).await;
    let off = json!({ "value": true });
    world
        .browser
        .devtools("Emulation.setScriptExecutionDisabled", off)
        .await;
    let before = world.footfall.metric(refused).await.unwrap();
    world.goto(&format!("{elsewhere}/b")).await;
    world.footfall.metric_reaches(refused, before + 1.0).await;
    world.counts(0).await;
    // The same page where the key is for it: so it was the origin.
    let on = json!({ "value": false });
    world
        .browser
        .devtools("Emulation.setScriptExecutionDisabled", on)
        .await;
    let origin = world.origin.clone();
    world.goto(&origin).await;
    world.counts(1).await;
    assert_ne!(key, Value::Null);
    world.browser.close().await;
}
