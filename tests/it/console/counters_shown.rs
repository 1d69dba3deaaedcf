//! What the pages of counters show: whatever strangers have sent, whatever is asked for, however many there are.

use hyper::Method;
use serde_json::json;

use super::{counters::count, founder};
use crate::support::{
    people::{both, sqlite},
    reader::{assert_is_page, attribute},
};

/// Texts that are no text where somebody forgets to escape them.
const PAYLOADS: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</title><svg/onload=alert(1)>",
    "<!--",
    "{{ 7 * 7 }}",
    "&lt;script&gt;",
    "\u{202e}gnp.exe",
];

/// Nothing that was sent is more than text.
#[track_caller]
fn assert_is_text(page: &str) {
    for bad in [
        "<script>",
        "<img src=x",
        "<svg/onload",
        "' onmouseover='",
        "<!--",
        ">49<",
    ] {
        assert!(!page.contains(bad), "{bad}: {page}");
    }
}

/// Whatever visits carry, and whatever stands in an address.
#[tokio::test]
async fn what_strangers_send_is_text() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    let visits = PAYLOADS.iter().map(|text| {
        json!({
            "visitor": text, "path": text, "referrer": text, "campaign": text,
            "properties": { (*text): text, "plan": text },
        })
    });
    let visits: Vec<_> = visits.collect();
    let path = "/console/counters/visits/recording";
    count(&place, "anna@a.example", "visits", &[json!({})]).await;
    let given = [
        ("on", "on"),
        ("retention_days", "400"),
        ("visitor", "given"),
    ];
    assert_eq!(anna.submit(path, &given).await.status, 303);
    count(&place, "anna@a.example", "visits", &visits).await;
    for path in [
        "/console/counters/visits",
        "/console/counters/visits?property=plan",
        "/console/counters/visits?property=%3Cscript%3Ealert(1)%3C/script%3E",
        "/console/",
    ] {
        let page = anna.get(path).await;
        assert_is_page(&page, 200);
        assert_is_text(&page.text());
    }
    let page = anna
        .get("/console/counters/visits?property=plan")
        .await
        .text();
    assert!(
        page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"),
        "{page}"
    );
    for number in 2..2 + PAYLOADS.len() {
        let page = anna
            .get(&format!("/console/counters/visits/visits/{number}"))
            .await;
        assert_is_page(&page, 200);
        assert_is_text(&page.text());
    }
    let queries = ["from", "to", "tz", "unit", "range", "property", "done"];
    for (name, payload) in queries
        .into_iter()
        .flat_map(|name| PAYLOADS.iter().map(move |text| (name, *text)))
    {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair(name, payload).finish();
        for path in ["/console/counters/visits", "/console/counters", "/console/"] {
            let page = anna.get(&format!("{path}?{query}")).await;
            assert_is_text(&page.text());
        }
    }
    for payload in PAYLOADS {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let query = query
            .append_pair("q", payload)
            .append_pair("sort", payload)
            .finish();
        let page = anna.get(&format!("/console/counters?{query}")).await;
        assert_is_page(&page, 200);
        assert_is_text(&page.text());
        assert!(page.text().contains("No counter has this in its name"));
    }
}

/// A time that cannot be asked for leaves the page, and what was typed.
#[tokio::test]
async fn a_range_that_is_wrong_is_said_to_be() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    count(
        &place,
        "anna@a.example",
        "visits",
        &[json!({ "path": "/a" })],
    )
    .await;
    for (query, wrong) in [
        ("range=24h", ""),
        ("range=7d", ""),
        ("range=90d&unit=week", ""),
        ("range=12m", ""),
        ("range=all", ""),
        ("range=all&tz=Asia/Kathmandu", ""),
        ("from=2026-01-01&to=2027-01-01&unit=day", ""),
        ("from=nonsense", "from"),
        ("to=2020-13-01", "to"),
        ("from=2026-02-01&to=2026-01-01", "to"),
        ("tz=Mars/Phobos", "tz"),
        ("unit=century", "unit"),
        ("from=2000-01-01&unit=hour", "all"),
        ("property=%00", "property"),
    ] {
        let page = anna.get(&format!("/console/counters/visits?{query}")).await;
        let status = match wrong {
            "" => 200,
            "all" => 422,
            _ => 400,
        };
        assert_is_page(&page, status);
        let text = page.text();
        let said = match wrong {
            "all" => "class=\"notice bad\" role=\"alert\"".to_owned(),
            field => format!("id=\"{field}-error\""),
        };
        assert_eq!(text.contains(&said), status != 200, "{query}: {text}");
        assert_eq!(text.contains("<figure"), status == 200, "{query}");
        if let Some(from) = query.strip_prefix("from=") {
            let from = from.split('&').next().unwrap();
            assert_eq!(attribute(&page, "name=\"from\"", "value"), from);
        }
    }
}

#[tokio::test]
async fn many_counters_are_sorted_searched_and_paged() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    let pass = place.pass("anna@a.example").await;
    let mut client = place.logged_in(0, &pass);
    let lines = (0..60).flat_map(|counter| {
        let line = json!({ "counter": format!("c{counter:02}") });
        std::iter::repeat_n(line.to_string(), counter + 1)
    });
    let lines: Vec<_> = lines.collect();
    for lines in lines.chunks(1000) {
        let body = lines.join("\n");
        let ndjson = [("content-type", "application/x-ndjson")];
        let reply = client
            .send(Method::POST, "/api/visits", &ndjson, body)
            .await;
        assert_eq!(reply.status, 200);
    }
    let names = |text: &str| -> Vec<String> {
        let cells = text.split("<th scope=\"row\"><a href=\"").skip(1);
        let names = cells.map(|cell| cell.split_once('>').unwrap().1);
        names
            .map(|name| name.split('<').next().unwrap().to_owned())
            .collect()
    };
    for (query, first, many, next) in [
        ("", "c00", 50, true),
        ("page=2", "c50", 10, false),
        ("page=9", "c50", 10, false),
        ("page=strange", "c00", 50, true),
        ("sort=visits", "c59", 50, true),
        ("sort=today", "c59", 50, true),
        ("sort=today&page=2", "c09", 10, false),
        ("sort=strange", "c00", 50, true),
        ("q=C1", "c10", 10, false),
        ("q=1&sort=visits", "c51", 15, false),
        ("q=nothing", "", 0, false),
    ] {
        let page = anna.get(&format!("/console/counters?{query}")).await;
        assert_is_page(&page, 200);
        let text = page.text();
        let names = names(&text);
        assert_eq!(names.len(), many, "{query}");
        assert_eq!(names.first().map_or("", String::as_str), first, "{query}");
        assert_eq!(text.contains("rel=\"next\""), next, "{query}");
    }
    let text = anna.get("/console/counters?sort=visits").await.text();
    assert!(
        text.contains("data-live=\"c59\" data-count=\"60\">60</span>"),
        "{text}"
    );
    assert!(text.contains("60 visits in the last 24 hours"), "{text}");
    assert!(text.contains("aria-sort=\"descending\""));
}

/// What many visits carried is counted beside the page; without scripts, by whoever asks for it.
#[tokio::test]
async fn a_page_of_many_visits_does_not_wait_for_what_they_carried() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        let pass = place.pass("anna@a.example").await;
        let mut client = place.logged_in(0, &pass);
        let line = json!({ "counter": "visits", "path": "/a \"b\"" }).to_string();
        let body = vec![line; 1000].join("\n");
        let ndjson = [("content-type", "application/x-ndjson")];
        for _ in 0..2 {
            let reply = client
                .send(Method::POST, "/api/visits", &ndjson, &body)
                .await;
            assert_eq!(reply.status, 200);
        }
        // All that are recorded by then.
        count(&place, "anna@a.example", "visits", &[]).await;
        let path = "/console/counters/visits";
        let few = anna.get(path).await.text();
        assert!(
            few.contains("<h2>Paths</h2>") && !few.contains("data-load"),
            "{few}"
        );

        count(&place, "anna@a.example", "visits", &[json!({})]).await;
        let page = anna.get(&format!("{path}?range=7d&tz=UTC")).await;
        assert_is_page(&page, 200);
        let text = page.text();
        assert!(
            !text.contains("<h2>Paths</h2>") && text.contains("<figure"),
            "{text}"
        );
        let later = attribute(&page, "data-load", "data-load").replace("&#38;", "&");
        assert_eq!(attribute(&page, "id=\"values\"", "id"), "values");
        assert_eq!(later, "./visits?range=7d&tz=UTC&values=now");
        let link = format!(
            "<a class=\"button\" href=\"{}\"",
            later.replace('&', "&#38;")
        );
        assert!(text.contains(&link), "{text}");
        let page = anna
            .get(&format!("{path}?range=7d&tz=UTC&values=now"))
            .await;
        assert_is_page(&page, 200);
        assert_eq!(attribute(&page, "id=\"values\"", "class"), "columns panels");
        let text = page.text();
        assert!(
            text.contains("<h2>Paths</h2>") && text.contains("<td class=\"number\">2,000</td>"),
            "{text}"
        );
        assert!(!text.contains("data-load"), "{text}");
    }
}
