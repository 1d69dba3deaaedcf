//! Every page, as axe-core sees it: light and dark, on a phone and on a wide screen.

use super::{
    gallery::{Gallery, Stop, sign_in_as, visit},
    trouble,
};
use crate::support::{Footfall, axe, console::Visitor};

const WIDTHS: [(u32, u32); 2] = [(1280, 900), (360, 740)];

/// What is wrong with a page, in each way in which it is shown.
async fn look(visitor: &Visitor, stop: &Stop) -> Vec<String> {
    let browser = &visitor.browser;
    let mut wrong = Vec::new();
    axe::inject(browser).await;
    for (width, height) in WIDTHS {
        browser.screen(width, height).await;
        for scheme in ["light", "dark"] {
            browser.color_scheme(scheme).await;
            let found = axe::violations(browser, scheme == "light").await;
            let found = found
                .into_iter()
                .map(|what| format!("{} {width} {scheme}: {what}", stop.name));
            wrong.extend(found);
        }
        let wide = "return document.documentElement.scrollWidth";
        let wide = browser.script(wide).await.as_u64().unwrap();
        if wide > u64::from(width) {
            wrong.push(format!("{} is {wide} wide at {width}", stop.name));
        }
    }
    wrong
}

/// Nor does any page complain, or ask anybody else.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_shuts_anybody_out() {
    let gallery = Gallery::of(3).await;
    let visitor = Visitor::start(&gallery.footfall).await;
    let (mut who, mut wrong) = ("nobody", Vec::new());
    for stop in &gallery.stops {
        if stop.who != who {
            who = &stop.who;
            sign_in_as(&visitor, who).await;
        }
        visit(&visitor, stop).await;
        wrong.extend(look(&visitor, stop).await);
        // Of an error, and of what was refused, the browser itself makes a note.
        let shown = visitor.browser.page.current_url().await.unwrap();
        let origin = visitor.origin.trim_end_matches('/');
        visitor
            .browser
            .assert_clean_but_for(origin, Some(shown.as_str()))
            .await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    visitor.browser.close().await;
}

/// Nor does one of a bad day.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_a_bad_day_shuts_anybody_out() {
    let mut wrong = Vec::new();
    trouble::go_through(async |visitor, stop| wrong.extend(look(visitor, stop).await)).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// It would see if it were otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn axe_sees_what_is_wrong() {
    let footfall = Footfall::start();
    let visitor = Visitor::start(&footfall).await;
    visitor.open("console/login").await;
    axe::inject(&visitor.browser).await;
    assert_eq!(
        axe::violations(&visitor.browser, true).await,
        Vec::<String>::new()
    );
    let worse = "
        const more = document.createElement('div');
        more.innerHTML = '<button></button><p>pale</p><a href=\"#a\">1</a> <a href=\"#b\">2</a>';
        document.querySelector('main').append(more);
        more.querySelector('p').style.color = '#bbb';
        for (const link of more.querySelectorAll('a')) Object.assign(link.style, { display: 'inline-block', width: '8px', height: '8px' });";
    visitor.browser.script(worse).await;
    let found = axe::violations(&visitor.browser, true).await;
    for rule in ["button-name: ", "color-contrast: ", "target-size: "] {
        assert!(
            found.iter().any(|one| one.starts_with(rule)),
            "{rule} {found:?}"
        );
    }
    visitor.browser.close().await;
}
