//! Pictures of every page, to be looked at: `docs/testing.md` has the command.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{
    gallery::{Gallery, Stop, sign_in_as, visit},
    trouble,
};
use crate::support::{browser::Browser, console::Visitor};

/// Of the README: the stop, and how it is shown.
const OF_THE_README: [(&str, &str); 2] = [("home", "light"), ("counter", "dark")];

/// What is shown on paper as well, and where no script runs.
const IN_OTHER_WAYS: [&str; 3] = ["home", "counter", "audience-edit"];

/// A sheet of paper, in points of a screen.
const PAPER: (u32, u32) = (794, 1123);

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn keep(picture: &[u8], name: &str) {
    let file = folder("screenshots").join(format!("{name}.png"));
    std::fs::write(file, picture).unwrap();
}

/// Small and wide, light and dark.
async fn in_each_way(browser: &Browser, name: &str) {
    for (width, height) in [(1280, 800), (360, 740)] {
        browser.screen(width, height).await;
        for scheme in ["light", "dark"] {
            browser.color_scheme(scheme).await;
            keep(
                &browser.whole_page().await,
                &format!("{name}-{width}-{scheme}"),
            );
            if width == 1280 && OF_THE_README.contains(&(name, scheme)) {
                let picture = browser.page.screenshot().await.unwrap();
                let file = folder("docs/images").join(format!("{name}.png"));
                std::fs::write(file, picture).unwrap();
            }
        }
    }
}

/// The navigation of a phone; paper; and what is there where no script runs.
async fn in_other_ways(visitor: &Visitor, stop: &Stop) {
    let browser = &visitor.browser;
    if stop.name == "home" {
        visitor.press("Menu").await;
        let picture = browser.page.screenshot().await.unwrap();
        keep(&picture, "menu-360-dark");
    }
    browser.screen(PAPER.0, PAPER.1).await;
    browser.media("print").await;
    keep(&browser.whole_page().await, &format!("{}-print", stop.name));
    browser.media("screen").await;
    let off = "Emulation.setScriptExecutionDisabled";
    browser.devtools(off, json!({ "value": true })).await;
    visitor.open(&stop.path).await;
    in_each_way(browser, &format!("{}-without-scripts", stop.name)).await;
    browser.devtools(off, json!({ "value": false })).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes pictures, and no test"]
async fn of_every_page() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let gallery = Gallery::of(31).await;
    let visitor = Visitor::start(&gallery.footfall).await;
    let browser = &visitor.browser;
    let mut who = "nobody";
    let stops = gallery.stops.iter();
    for stop in stops.filter(|stop| stop.name.contains(&only)) {
        if stop.who != who {
            who = &stop.who;
            sign_in_as(&visitor, who).await;
        }
        browser.screen(1280, 800).await;
        browser.color_scheme("light").await;
        visit(&visitor, stop).await;
        in_each_way(browser, &stop.name).await;
        if IN_OTHER_WAYS.contains(&stop.name.as_str()) {
            in_other_ways(&visitor, stop).await;
        }
    }
    visitor.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes pictures, and no test"]
async fn of_a_bad_day() {
    let only = std::env::var("ONLY").unwrap_or_default();
    trouble::go_through(async |visitor, stop| {
        if stop.name.contains(&only) {
            in_each_way(&visitor.browser, &stop.name).await;
        }
    })
    .await;
}
