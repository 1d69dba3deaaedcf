//! Pictures of every page, to be looked at: `docs/testing.md` has the command.

use std::path::Path;

use super::gallery::{Gallery, sign_in_as, visit};
use crate::support::console::Visitor;

/// Of the README: the stop, and how it is shown.
const OF_THE_README: [(&str, &str); 2] = [("home", "light"), ("counter", "dark")];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes pictures, and no test"]
async fn of_every_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (folder, kept) = (root.join("screenshots"), root.join("docs/images"));
    for folder in [&folder, &kept] {
        std::fs::create_dir_all(folder).unwrap();
    }
    let only = std::env::var("ONLY").unwrap_or_default();
    let gallery = Gallery::of(31).await;
    let visitor = Visitor::start(&gallery.footfall).await;
    let browser = &visitor.browser;
    let mut who = "nobody";
    for stop in gallery
        .stops
        .iter()
        .filter(|stop| stop.name.contains(&only))
    {
        if stop.who != who {
            who = &stop.who;
            sign_in_as(&visitor, who).await;
        }
        browser.screen(1280, 800).await;
        browser.color_scheme("light").await;
        visit(&visitor, stop).await;
        for (width, height) in [(1280, 800), (360, 740)] {
            browser.screen(width, height).await;
            for scheme in ["light", "dark"] {
                browser.color_scheme(scheme).await;
                let file = folder.join(format!("{}-{width}-{scheme}.png", stop.name));
                std::fs::write(file, browser.whole_page().await).unwrap();
                if width == 1280 && OF_THE_README.contains(&(stop.name.as_str(), scheme)) {
                    let picture = browser.page.screenshot().await.unwrap();
                    std::fs::write(kept.join(format!("{}.png", stop.name)), picture).unwrap();
                }
            }
        }
    }
    visitor.browser.close().await;
}
