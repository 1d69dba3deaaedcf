//! What strangers wrote is text, wherever it is shown.

use footfall::counting::carried::{Attributes, Stored};

use super::*;

const PAYLOADS: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onfocus=alert(1) autofocus x='",
    "</textarea><svg onload=alert(1)>",
    "</option></select><b>",
    "javascript:alert(1)//<!--",
    "{{7*7}}{% raw %}&lt;b&gt;",
    "]]></title><style>*{}",
];

/// What none of these leaves in a page unless it was taken for markup.
const MARKS: [&str; 8] = [
    "<script>",
    "<img",
    "' onfocus",
    "<svg onload",
    "</option></select><b>",
    "//<!--",
    "&lt;b&gt;",
    "<style>",
];

#[track_caller]
fn assert_is_text(page: &Reply, path: &str) {
    let text = page.text();
    for mark in MARKS {
        assert!(!text.contains(mark), "{path}: {mark} is in {text}");
    }
}

#[tokio::test]
async fn what_strangers_write_is_text() {
    let place = Place::on(Stage::sqlite().await).await;
    let keys = PAYLOADS.map(|payload| format!("={payload}"));
    let carried = keys.iter().zip(PAYLOADS).map(|(key, payload)| Stored {
        visitor: Some(key.as_str().into()),
        attributes: Attributes {
            path: Some(payload.into()),
            ..Attributes::default()
        },
    });
    let carried: Vec<_> = carried.collect();
    place
        .append(
            "signup",
            0,
            &[carrying(carried.len() as u64, at(NOON), carried)],
        )
        .await;
    let mut anna = signed_in(&place.stage, &place.anna).await;
    let mut others = Vec::new();
    for payload in PAYLOADS {
        let filter = json!({ "version": 1, "include": { "all": [
            { "did": { "counter": "signup", "where": [{ "field": "path", "in": [payload] }, { "property": payload, "missing": true }] } },
            { "visitor": "path", "contains": payload },
        ] } });
        let id = save(&place, "audiences", payload, &filter).await;
        let preset = save(&place, "presets", payload, &filter).await;
        let user = save(
            &place,
            "audiences",
            &format!("{payload} 2"),
            &json!({ "version": 1, "include": { "audience": id } }),
        )
        .await;
        for path in [
            "audiences".to_owned(),
            "presets".to_owned(),
            format!("audiences/{id}?size=now"),
            format!("audiences/{id}/edit"),
            format!("audiences/{id}/members"),
            format!("audiences/{id}/rename"),
            format!("audiences/{id}/remove"),
            format!("audiences/{user}?size=now"),
            format!("audiences/{user}/edit"),
            format!("audiences/{user}/remove"),
            format!("presets/{preset}?size=now"),
            format!("presets/{preset}/remove"),
            format!("audiences/new?preset={preset}"),
        ] {
            let page = anna.get(&format!("/console/{path}")).await;
            assert_is_page(&page, 200);
            assert_is_text(&page, &path);
        }
        let q: String = url::form_urlencoded::byte_serialize(payload.as_bytes()).collect();
        let page = anna.get(&format!("/console/audiences?q={q}&cursor=")).await;
        assert_is_text(&page, "search");
        assert!(page.text().contains("value=\""));
        let page = anna.get(&format!("/console/audiences?q={q}nothing")).await;
        assert_is_text(&page, "nothing found");
        others.push((id, payload));
    }
    let new = "/console/audiences/new";
    for (id, payload) in &others {
        // Whom it has is shown, and what it is called, where it is in the way.
        let edit = format!("/console/audiences/{id}/edit");
        let page = anna.get(&edit).await;
        let looked = press(&mut anna, &edit, &page, &[], "look").await;
        assert_is_page(&looked, 200);
        assert!(
            looked.text().contains("<strong>1</strong> visitor"),
            "{payload}: {}",
            looked.text()
        );
        assert_is_text(&looked, payload);
        let page = anna.get(&format!("{new}?audience={id}")).await;
        let page = press(&mut anna, new, &page, &[("name", "x")], "save").await;
        assert_is_page(&page, 409);
        assert_is_text(&page, payload);
        for field in [
            "include.0.counter",
            "include.0.at_least",
            "include.0.days",
            "include.0.where.0.value",
            "name",
            "json",
        ] {
            let fresh = anna.get(new).await;
            let fresh = press(&mut anna, new, &fresh, &[], "add condition include.0").await;
            let page = press(
                &mut anna,
                new,
                &fresh,
                &[("include.0.when", "days"), (field, payload)],
                "save",
            )
            .await;
            assert!(page.status == 422, "{field} {payload}");
            assert_is_text(&page, field);
        }
    }
    // A file is no page, whatever it has in it.
    let (id, _) = &others[0];
    let file = anna
        .get(&format!("/console/audiences/{id}/export?format=csv"))
        .await;
    assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
    assert!(
        file.header("content-disposition")
            .unwrap()
            .starts_with("attachment;")
    );
}
