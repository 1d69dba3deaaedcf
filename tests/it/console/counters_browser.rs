//! Counters in a real browser: made, seen to move, and looked at. `./test.sh quick` leaves these out.

use hyper::Method;
use serde_json::json;

use crate::support::{Footfall, console::Visitor, people::send, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_is_made_and_seen_to_move() {
    let footfall = Footfall::start();
    footfall.ready().await;
    let origin = format!("http://{}", footfall.public());
    let visitor = Visitor::start(&footfall).await;
    visitor.log_in("admin", "password").await;
    visitor.shows("Count your first visit").await;
    visitor.picture("home-empty").await;
    visitor.press("Counters").await;
    visitor.shows("Nothing is counted yet").await;
    visitor.picture("counters-empty").await;
    visitor.press("New counter").await;
    visitor.picture("counter-new").await;
    visitor.fill("name", "signup.page").await;
    visitor.press("Create").await;
    visitor.shows("The counter is there.").await;
    visitor.picture("counter-empty").await;
    visitor.press("Count a visit").await;
    visitor.shows("The visit is counted.").await;

    // Another client counts, and the page moves by itself.
    let token = footfall.token().await;
    let mut client = footfall.client().with_token(&token);
    let visits = (0..60).map(|number| {
        let referrer = "https://search.example/?q=a%20rather%20long%20address%20of%20a%20page";
        let country = ["DE", "FR", "NZ"][number % 3];
        json!({
            "visitor": format!("v{}", number % 17),
            "path": format!("/page/{}", number % 11),
            "referrer": (number % 3 == 0).then_some(referrer),
            "campaign": (number % 4 == 0).then_some("spring-2026"),
            "country": country,
            "properties": { "plan": "pro", "seats": number },
        })
    });
    for visit in visits {
        let reply = send(
            &mut client,
            Method::POST,
            "/api/counters/signup.page",
            &visit,
        )
        .await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let number = "return document.querySelector('.card .live').textContent";
    until("the number has moved", async || {
        (visitor.browser.script(number).await == "61").then_some(())
    })
    .await;
    for counter in 0..40 {
        for _ in 0..=counter % 7 {
            let part = ["checkout", "cart", "product", "search"][counter % 4];
            let path = format!("/api/counters/shop.{part}{counter}");
            assert_eq!(client.send(Method::POST, &path, &[], "").await.status, 200);
        }
    }
    visitor
        .open("console/counters/signup.page?range=24h&property=plan")
        .await;
    visitor.shows("reconciles").await;
    visitor.picture("counter").await;
    visitor.open("console/counters/signup.page?range=7d").await;
    // Dragging over the chart asks for a part of it.
    let drag = "const canvas = document.querySelector('.canvas'); const { left, top, width } = canvas.getBoundingClientRect();
        const event = (kind, part) => canvas.dispatchEvent(new PointerEvent(kind, { pointerId: 1, button: 0, bubbles: true, clientX: left + width * part, clientY: top + 50 }));
        canvas.setPointerCapture = () => {};
        event('pointerdown', .5); event('pointermove', .75); event('pointerup', .75);";
    visitor.browser.script(drag).await;
    until("a part is shown", async || {
        let path = visitor.path().await;
        (path.contains("from=20") && path.contains("to=20")).then_some(())
    })
    .await;
    visitor.open("console/counters/signup.page/visits/7").await;
    visitor.shows("/page/5").await;
    visitor.picture("visit").await;
    visitor.press("Next").await;
    visitor.shows("Visit 8").await;
    visitor.open("console/counters/signup.page/recording").await;
    visitor.picture("recording").await;
    visitor.open("console/counters?sort=today").await;
    visitor.shows("shop.cart1").await;
    visitor.picture("counters").await;
    visitor.open("console/").await;
    visitor.shows("Counters that move").await;
    visitor.picture("home").await;
    visitor.browser.assert_clean(&origin).await;
    // What a browser itself notes of errors comes last.
    visitor.open("console/counters/+new").await;
    visitor.fill("name", "No Name").await;
    visitor.press("Create").await;
    visitor.find("#name-error").await;
    visitor.picture("counter-new-refused").await;
    visitor
        .open("console/counters/signup.page?from=nonsense")
        .await;
    visitor.picture("counter-refused").await;
    visitor.browser.close().await;
}

/// While the page is hidden nothing is read for it, and it catches up when it is seen again.
#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_page_closes_its_stream() {
    let footfall = Footfall::start();
    footfall.ready().await;
    let token = footfall.token().await;
    let mut client = footfall.client().with_token(&token);
    assert_eq!(client.get("/api/count").await.visits(), 1);
    let visitor = Visitor::start(&footfall).await;
    visitor.log_in("admin", "password").await;
    visitor.open("console/counters/visits").await;
    footfall.metric_becomes("footfall_live_streams", 1.0).await;
    let hide = |hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{ configurable: true, get: () => {hidden} }}); document.dispatchEvent(new Event('visibilitychange'));"
        )
    };
    visitor.browser.script(&hide(true)).await;
    footfall.metric_becomes("footfall_live_streams", 0.0).await;
    assert_eq!(client.get("/api/count").await.visits(), 2);
    visitor.browser.script(&hide(false)).await;
    footfall.metric_becomes("footfall_live_streams", 1.0).await;
    let number = "return document.querySelector('.card .live').textContent";
    until("the number has moved", async || {
        (visitor.browser.script(number).await == "2").then_some(())
    })
    .await;
    visitor.browser.close().await;
}
