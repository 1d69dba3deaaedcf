//! The time zone of a company, and what the console shows in it without scripts.

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::json;

use super::{counters::count, founder, operator};
use crate::support::{
    people::{Place, both, sqlite},
    reader::{Reader, assert_is_page, attribute},
};

/// Says the company's zone, by its form.
async fn change(reader: &mut Reader, zone: &str) {
    let fields = [("name", "Acme"), ("time_zone", zone)];
    let sent = reader.submit("/console/company", &fields).await;
    let to = Reader::location(&sent, "/console/company");
    assert_eq!(to, "/console/company?done=company-saved");
}

#[tokio::test]
async fn times_are_in_the_zone_of_the_company() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        let mut other = founder(&place, "zoe@z.example").await;
        for (moment, berlin, utc) in [
            (
                "2026-07-01T22:30:00Z",
                "2 Jul 2026, 00:30 CEST",
                "1 Jul 2026, 22:30 UTC",
            ),
            (
                "2026-01-01T22:30:00Z",
                "1 Jan 2026, 23:30 CET",
                "1 Jan 2026, 22:30 UTC",
            ),
        ] {
            let millis = moment.parse::<Timestamp>().unwrap().as_millisecond();
            place
                .change(&format!("UPDATE companies SET created_at = {millis}"))
                .await;
            change(&mut anna, "Europe/Berlin").await;
            let text = anna.get("/console/company").await.text();
            assert!(text.contains(&format!(">{berlin}</time>")), "{text}");
            let foot = "data-zone=\"Europe/Berlin\">Times are in Europe/Berlin, the time zone of your company.";
            assert!(text.contains(foot), "{text}");
            let text = other.get("/console/company").await.text();
            assert!(text.contains(&format!(">{utc}</time>")), "{text}");
            assert!(
                text.contains("data-zone=\"UTC\">Times are in UTC."),
                "{text}"
            );
        }
        let bo = [
            ("email", "bo@a.example"),
            ("role", "member"),
            ("username", "bo"),
        ];
        assert_eq!(anna.submit("/console/users/invite", &bo).await.status, 303);
        count(&place, "anna@a.example", "visits", &[json!({})]).await;
        for path in [
            "users",
            "sessions",
            "audit",
            "account",
            "counters/visits",
            "counters/visits/visits/1",
        ] {
            let page = anna.get(&format!("/console/{path}")).await;
            assert_is_page(&page, 200);
            let times: Vec<_> = { page.text() }
                .split("</time>")
                .filter_map(|before| before.rsplit_once('>').map(|(_, text)| text.to_owned()))
                .collect();
            let (_, times) = times.split_last().unwrap();
            assert!(!times.is_empty(), "{path}");
            for time in times {
                assert!(
                    time.ends_with(" CET") || time.ends_with(" CEST"),
                    "{path}: {time}"
                );
            }
        }
    }
}

/// What was counted around midnight is of the day that the company's clocks showed.
#[tokio::test]
async fn today_is_that_of_the_company() {
    for zone in ["Asia/Tokyo", "Pacific/Honolulu", "Asia/Kathmandu"] {
        // Each in services of its own: what was before a minute that is over is remembered.
        for place in both(&[]).await {
            let mut anna = founder(&place, "anna@a.example").await;
            count(&place, "anna@a.example", "visits", &vec![json!({}); 9]).await;
            let now = Timestamp::now();
            change(&mut anna, zone).await;
            let clock = now.to_zoned(TimeZone::get(zone).unwrap());
            let begin = |days: i64| {
                let day = clock.date().checked_sub(days.days()).unwrap();
                let begin = day.to_zoned(clock.time_zone().clone()).unwrap();
                begin.timestamp().as_second() / 60
            };
            let minutes = [(begin(7), 2), (begin(1) - 1, 3), (begin(0) - 1, 7)];
            marks(&place, &minutes).await;
            let page = anna.get("/console/").await;
            assert_is_page(&page, 200);
            let text = page.text();
            assert!(text.contains(&format!("since midnight, {zone}")), "{text}");
            let until = (begin(-1) * 60_000).to_string();
            assert_eq!(
                attribute(&page, "data-until", "data-until"),
                until,
                "{zone}"
            );
            // Nine, less the seven of before.
            assert_eq!(attribute(&page, "data-until", "data-minus"), "7", "{zone}");
            assert!(text.contains("4 in the whole day"), "{zone}: {text}");
            let list = anna.get("/console/counters").await;
            assert_eq!(attribute(&list, "data-minus", "data-minus"), "7", "{zone}");
            assert!(list.text().contains(&format!("midnight, {zone}.")));
            // The history begins by the same clock, unless another is asked for.
            let page = anna.get("/console/counters/visits?range=7d").await;
            assert_eq!(attribute(&page, "name=\"tz\"", "value"), zone);
            let from = clock.date().checked_sub(6.days()).unwrap().to_string();
            assert_eq!(attribute(&page, "name=\"from\"", "value"), from, "{zone}");
            let page = anna.get("/console/counters/visits?range=7d&tz=UTC").await;
            assert_eq!(attribute(&page, "name=\"tz\"", "value"), "UTC");
            assert!(page.text().contains("tz=UTC"), "links go on with it");
        }
    }
}

/// As if so many had come before these minutes.
async fn marks(place: &Place, minutes: &[(i64, i64)]) {
    place.as_owner("DELETE FROM marks").await;
    for (minute, number) in minutes {
        place
            .change(&format!("INSERT INTO marks (company_id, recording_id, minute, number) SELECT company_id, id, {minute}, {number} FROM recordings WHERE counter = 'visits'"))
            .await;
    }
}

#[tokio::test]
async fn days_that_are_typed_are_those_of_the_company() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    change(&mut anna, "Pacific/Auckland").await;
    let page = anna.get("/console/tokens/new").await;
    assert!(
        page.text()
            .contains("ends with that day (Pacific/Auckland)")
    );
    let fields = [
        ("name", "a"),
        ("scopes", "visits:write"),
        ("expires_at", "2127-01-10"),
    ];
    let made = anna.submit("/console/tokens/new", &fields).await;
    assert_is_page(&made, 201);
    let ends = "<time datetime=\"2127-01-10T10:59:59.000Z\">10 Jan 2127, 23:59 NZDT</time>";
    assert!(made.text().contains(ends), "{}", made.text());
    // Where it is another day now than in UTC, what was done now is of that day.
    let now = Timestamp::now();
    let zone = match now.to_zoned(TimeZone::UTC).hour() {
        ..10 => "Pacific/Pago_Pago",
        _ => "Pacific/Kiritimati",
    };
    change(&mut anna, zone).await;
    let today = now.to_zoned(TimeZone::get(zone).unwrap()).date();
    for (days, is_there) in [(-1, false), (0, true), (1, false)] {
        let day = today.checked_add(days.days()).unwrap();
        let path = format!("/console/audit?action=company.update&from={day}&to={day}");
        let page = anna.get(&path).await;
        assert_is_page(&page, 200);
        assert!(page.text().contains(&format!("From ({zone})")));
        assert_eq!(
            page.text().contains("</time>"),
            is_there,
            "{path}: {}",
            page.text()
        );
    }
}

#[tokio::test]
async fn a_zone_that_is_none_is_refused_beside_its_field() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        let mut chief = operator(&place.replicas[0]).await;
        let company = place.pass("anna@a.example").await.company;
        let of_id = format!("/console/companies/{company}");
        for zone in ["Europe/Atlantis", "", "+02:00", "\"><script>"] {
            let fields = [
                ("name", "Umbrella"),
                ("time_zone", zone),
                ("email", "x@x.example"),
            ];
            for path in ["/console/company", &of_id, "/console/companies/new"] {
                // Whoever founds a company and says none gets UTC.
                if zone.is_empty() && path.ends_with("/new") {
                    continue;
                }
                let reader = match path {
                    "/console/company" => &mut anna,
                    _ => &mut chief,
                };
                let page = reader.submit(path, &fields).await;
                assert_is_page(&page, 422);
                let text = page.text();
                assert!(text.contains("id=\"time-zone-error\""), "{path}: {text}");
                assert!(text.contains("like Europe/Berlin"), "{text}");
                assert!(!text.contains("<script>"), "{text}");
                assert_eq!(
                    attribute(&page, "name=\"name\"", "value"),
                    "Umbrella",
                    "{path}"
                );
                let kept = attribute(&page, "name=\"time_zone\"", "value");
                assert_eq!(
                    kept,
                    zone.replace('"', "&#34;")
                        .replace('>', "&#62;")
                        .replace('<', "&#60;")
                );
            }
        }
        assert_eq!(
            place
                .number("SELECT count(*) FROM companies WHERE time_zone <> 'UTC'")
                .await,
            0
        );
        // The company of the settings' account keeps its name, and goes by any clock.
        let page = chief.get("/console/company").await;
        assert!(!page.text().contains("name=\"name\""), "{}", page.text());
        let sent = chief
            .submit("/console/company", &[("time_zone", "Europe/Berlin")])
            .await;
        assert_eq!(sent.status, 303, "{}", sent.text());
        let page = chief.get("/console/company").await;
        assert_eq!(
            attribute(&page, "name=\"time_zone\"", "value"),
            "Europe/Berlin"
        );
    }
}
