//! The pages, in a real browser. `./test.sh quick` leaves these out.

use fantoccini::Locator;
use hyper::Method;

use crate::support::{Footfall, browser::Browser};

#[tokio::test(flavor = "multi_thread")]
async fn the_home_page() {
    let footfall = Footfall::start();
    let origin = format!("http://{}/", footfall.public());
    let browser = Browser::start().await;
    for (width, height) in [(360, 740), (1280, 900)] {
        for scheme in ["light", "dark"] {
            browser.screen(width, height).await;
            browser.color_scheme(scheme).await;
            browser.page.goto(&origin).await.unwrap();
            assert!(browser.page.title().await.unwrap().starts_with("Footfall"));
            let overflow = browser
                .script("return document.documentElement.scrollWidth - window.innerWidth")
                .await;
            assert!(
                overflow.as_i64().unwrap() <= 0,
                "{width} pixels wide, the page scrolls sideways by {overflow}"
            );
            browser
                .screenshot(&format!("home-{width}-{scheme}.png"))
                .await;
            browser.assert_clean(&origin).await;
        }
    }
    let background = "return getComputedStyle(document.body).backgroundColor + getComputedStyle(document.documentElement).backgroundColor";
    let dark = browser.script(background).await;
    browser.color_scheme("light").await;
    assert_ne!(
        browser.script(background).await,
        dark,
        "light and dark differ"
    );

    let links = browser
        .page
        .find_all(Locator::Css("a[href]"))
        .await
        .unwrap();
    assert!(links.len() >= 4);
    for link in links {
        let path = format!("/{}", link.attr("href").await.unwrap().unwrap());
        let page = [("accept", "text/html")];
        let reply = footfall.client().send(Method::GET, &path, &page, "").await;
        // The console leads to its login.
        let expected = if path == "/console/" { 303 } else { 200 };
        assert_eq!(reply.status, expected, "{path}");
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_is_counted_from_the_swagger_page() {
    let footfall = Footfall::start();
    let origin = format!("http://{}/", footfall.public());
    let token = footfall.token().await;
    let browser = Browser::start().await;
    browser.screen(1280, 1600).await;
    browser
        .page
        .goto(&format!("{origin}swagger/"))
        .await
        .unwrap();
    let click = async |selector: &str| {
        let element = browser
            .page
            .wait()
            .for_element(Locator::Css(selector))
            .await;
        let element = element.unwrap_or_else(|error| panic!("{selector}: {error}"));
        element
            .click()
            .await
            .unwrap_or_else(|error| panic!("{selector}: {error}"));
    };
    click(".auth-wrapper .authorize").await;
    let input = browser
        .page
        .wait()
        .for_element(Locator::Css(".auth-container input"))
        .await
        .unwrap();
    input.send_keys(&token).await.unwrap();
    click(".auth-btn-wrapper .authorize").await;
    click(".auth-btn-wrapper .btn-done").await;
    click("#operations-counting-get_count .opblock-summary-control").await;
    click("#operations-counting-get_count .execute").await;
    let status =
        Locator::Css("#operations-counting-get_count .live-responses-table .response-col_status");
    browser
        .page
        .wait()
        .for_element(Locator::Css(
            "#operations-counting-get_count .live-responses-table .response .microlight",
        ))
        .await
        .unwrap();
    assert!(
        browser.page.find_all(status).await.unwrap().len() >= 2,
        "a header and a status"
    );
    browser.screenshot("swagger-count.png").await;
    let text = browser
        .page
        .find(Locator::Css(
            "#operations-counting-get_count .live-responses-table .response",
        ))
        .await
        .unwrap();
    let text = text.text().await.unwrap();
    assert!(
        text.starts_with("200") && text.contains("\"visits\": 1"),
        "{text}"
    );
    browser.assert_clean(&origin).await;
    assert_eq!(
        footfall
            .client()
            .with_token(&token)
            .get("/api/counters/visits")
            .await
            .visits(),
        1
    );
    browser.close().await;
}

/// Nothing is pasted: the browser has the cookies, and the page sends what goes with them.
#[tokio::test(flavor = "multi_thread")]
async fn who_logs_in_by_cookie_on_the_swagger_page_counts() {
    let footfall = Footfall::start();
    let origin = format!("http://{}/", footfall.public());
    let browser = Browser::start().await;
    browser.screen(1280, 1600).await;
    let page = &browser.page;
    page.goto(&format!("{origin}swagger/")).await.unwrap();
    let find = async |selector: &str| {
        let found = page.wait().for_element(Locator::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("{selector}: {error}"))
    };
    let answer = async |operation: &str| {
        find(&format!("{operation} .execute"))
            .await
            .click()
            .await
            .unwrap();
        let row = format!("{operation} .live-responses-table .response");
        find(&format!("{row} .microlight")).await;
        find(&row).await.text().await.unwrap()
    };
    let count = "#operations-counting-get_count";
    find(&format!("{count} .opblock-summary-control"))
        .await
        .click()
        .await
        .unwrap();
    let text = answer(count).await;
    assert!(
        text.starts_with("401") && text.contains("missing_token"),
        "{text}"
    );

    let login = "#operations-auth-post_login";
    find(&format!("{login} .opblock-summary-control"))
        .await
        .click()
        .await
        .unwrap();
    let mode = find(&format!(
        "{login} tr[data-param-name='mode'] :is(select, input)"
    ))
    .await;
    match mode.tag_name().await.unwrap().as_str() {
        "select" => mode.select_by_value("cookie").await.unwrap(),
        _ => mode.send_keys("cookie").await.unwrap(),
    }
    let text = answer(login).await;
    assert!(
        text.starts_with("200") && text.contains("csrf_token"),
        "{text}"
    );
    find(&format!("{count} .btn-clear"))
        .await
        .click()
        .await
        .unwrap();
    let text = answer(count).await;
    assert!(
        text.starts_with("200") && text.contains("\"visits\": 1"),
        "{text}"
    );
    browser.close().await;
}
