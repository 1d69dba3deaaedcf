//! What people do in the console: by mouse, by the keyboard alone, and where no script runs. Each way goes through
//! every page.

mod administering;
mod counting;
mod entering;

use serde_json::json;

use super::gallery::pages;
use crate::support::{
    Client, Footfall,
    hand::{Hand, Way},
    people, until,
};

/// Somebody at a browser, and all that is beside it.
struct Story {
    hand: Hand,
    footfall: Footfall,
    folder: tempfile::TempDir,
}

impl Story {
    async fn begin(way: Way) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let footfall = Footfall::builder()
            .env("FOOTFALL_DATA_DIR", folder.path().display())
            .env("FOOTFALL_REQUEST_TIMEOUT", "60s")
            .start();
        footfall.ready().await;
        Self {
            hand: Hand::start(&footfall, way).await,
            footfall,
            folder,
        }
    }

    /// Follows the link of the newest mail to an address.
    async fn follow(&self, to: &str, name: &str) {
        let path = format!("/console/{name}?token=");
        let letter = async || {
            let letters = people::read(&self.folder.path().join("mail"));
            let mut newest = letters.into_iter().rev();
            newest.find(|letter| letter.to == to && letter.text.contains(&path))
        };
        let letter = until(&format!("{to} gets {path}"), letter).await;
        let token = letter.token();
        self.hand
            .open(&format!("console/{name}?token={token}"))
            .await;
    }

    /// Logs in at the page that is there.
    async fn log_in(&self, username: &str, password: &str) {
        self.hand.at("Log in").await;
        self.hand.fill("username", username).await;
        self.hand.fill("password", password).await;
        self.hand.press("Log in").await;
        self.hand.shows("Log out").await;
    }

    async fn log_out(&self) {
        self.hand.go("Log out", "Log in").await;
        self.hand.shows("You are signed out.").await;
        self.hand.look_back().await;
    }

    /// Somebody else's client.
    async fn client(&self, username: &str, password: &str) -> Client {
        let pass = self
            .footfall
            .client()
            .login(username, password)
            .await
            .json();
        self.footfall
            .client()
            .with_token(pass["token"].as_str().unwrap())
    }

    /// Checks that every page was gone through.
    async fn end(self) {
        let been = self.hand.been();
        let patterns = pages();
        let been: Vec<_> = been
            .iter()
            .filter_map(|path| pattern_of(&patterns, path))
            .collect();
        let missed: Vec<_> = patterns.iter().filter(|one| !been.contains(one)).collect();
        assert!(missed.is_empty(), "no story goes through {missed:?}");
        self.hand.visitor.browser.close().await;
    }
}

/// The pattern of a path, as the router has it: what stands there by itself goes before what stands for anything.
fn pattern_of<'a>(patterns: &'a [String], path: &str) -> Option<&'a String> {
    let parts: Vec<_> = path.split('/').collect();
    let fits = |pattern: &&String| {
        let wanted: Vec<_> = pattern.split('/').collect();
        let alike = wanted
            .iter()
            .zip(&parts)
            .all(|(wanted, part)| wanted == part || wanted.starts_with('{'));
        alike && (wanted.len() == parts.len() || pattern.ends_with("{*rest}"))
    };
    let fixed = |pattern: &&String| {
        pattern
            .split('/')
            .filter(|part| !part.starts_with('{'))
            .count()
    };
    patterns.iter().filter(fits).max_by_key(fixed)
}

async fn all(way: Way) {
    let story = Story::begin(way).await;
    story.whole().await;
    story.company().await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_mouse() {
    all(Way::Mouse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_keyboard() {
    all(Way::Keyboard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts() {
    all(Way::WithoutScripts).await;
}

impl Story {
    /// From the start page to the end of a day's work.
    async fn whole(&self) {
        let hand = &self.hand;
        hand.open("").await;
        hand.press("/console/ See what is counted, and who may")
            .await;
        self.log_in("admin", "password").await;
        hand.at("Home").await;
        hand.go("Counters", "Counters").await;
        hand.go("New counter", "New counter").await;
        hand.fill("name", "signup.page").await;
        hand.go("Create", "signup.page").await;
        hand.shows("The counter is there.").await;

        // Another client counts, and the number moves.
        let mut client = self.client("admin", "password").await;
        for visitor in ["ann", "bob", "eve"] {
            let visit = json!({ "visitor": visitor, "path": "/join" });
            let path = "/api/counters/signup.page";
            let reply = people::post(&mut client, path, &visit).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        self.moves("3").await;

        hand.go("Audiences", "Audiences").await;
        hand.go("New audience", "New audience").await;
        hand.fill("name", "Joined").await;
        hand.fill("include-0-counter", "signup.page").await;
        self.counted("3 visitors").await;
        hand.go("Save audience", "Joined").await;
        hand.shows("The audience is saved.").await;
        hand.go("Save as preset", "New preset").await;
        hand.go("Save preset", "Joined").await;
        hand.shows("The preset is saved.").await;

        hand.go("People", "People").await;
        hand.go("Invite somebody", "Invite somebody").await;
        hand.fill("email", "bo@a.example").await;
        hand.choose("role", "viewer").await;
        hand.go("Invite", "People").await;
        hand.shows("The invitation is on its way.").await;
        self.log_out().await;
    }

    /// Waits until the counter that is shown has come to this: by itself, or when the page is loaded again.
    async fn moves(&self, to: &str) {
        let page = &self.hand.visitor.browser.page;
        let number = "return document.querySelector('.card .live').textContent";
        if self.hand.way == Way::WithoutScripts {
            page.refresh().await.unwrap();
        }
        until("the number has moved", async || {
            (self.hand.visitor.browser.script(number).await == to).then_some(())
        })
        .await;
    }

    /// Waits until the builder says this of what was built; where no script runs, it is asked.
    async fn counted(&self, text: &str) {
        if self.hand.way == Way::WithoutScripts {
            self.hand.press("Count").await;
        }
        self.hand.shows(text).await;
    }

    /// A company, from its first day to its last.
    async fn company(&self) {
        self.founded().await;
        self.counters().await;
        self.audiences().await;
        self.people().await;
        self.keys_and_tokens().await;
        self.own().await;
        self.operated().await;
    }
}
