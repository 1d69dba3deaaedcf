//! Rules, from the form to the API and back.

use super::*;

/// Each kind of rule, from the form to the API and back into the form.
#[tokio::test]
async fn each_kind_of_rule_is_saved_and_shown_again() {
    let place = filled(Stage::sqlite().await).await;
    let mut anna = signed_in(&place.stage, &place.anna).await;
    let other = save(&place, "audiences", "Others", &did("refund")).await;
    let new = "/console/audiences/new";
    for (number, (rule, expected)) in [
        (
            vec![("counter", "signup"), ("at_least", "2"), ("at_most", "5"), ("when", "days"), ("days", "30")],
            json!({ "did": { "counter": "signup", "times": { "at_least": 2, "at_most": 5 }, "within": { "days": 30 } } }),
        ),
        (
            vec![("counter", "signup"), ("when", "between"), ("from", "2026-03-01T00:00"), ("to", "2026-04-01T12:30:15.5")],
            json!({ "did": { "counter": "signup", "within": { "from": "2026-03-01T00:00:00.000Z", "to": "2026-04-01T12:30:15.500Z" } } }),
        ),
        (
            vec![("counter", "signup"), ("+condition", ""), ("where.0.of", "property"), ("where.0.key", "plan"), ("where.0.value", "pro\r\nteam \"x\"")],
            json!({ "did": { "counter": "signup", "where": [{ "property": "plan", "in": ["pro", "team \"x\""] }] } }),
        ),
        (
            vec![("counter", "signup"), ("+condition", ""), ("where.0.of", "property"), ("where.0.key", "seats"), ("where.0.op", "gte"), ("where.0.kind", "number"), ("where.0.value", " 19.50 ")],
            json!({ "did": { "counter": "signup", "where": [{ "property": "seats", "gte": 19.5 }] } }),
        ),
        (
            vec![("counter", "signup"), ("+condition", ""), ("where.0.of", "referrer"), ("where.0.op", "missing"), ("where.0.value", "whatever")],
            json!({ "did": { "counter": "signup", "where": [{ "field": "referrer", "missing": true }] } }),
        ),
        (
            vec![("+visitor", ""), ("where.0.of", "country"), ("where.0.op", "not_in"), ("where.0.value", "de \r\nAT\r\n\r\n")],
            json!({ "visitor": "country", "not_in": ["AT", "DE"] }),
        ),
        (
            vec![("+visitor", ""), ("where.0.of", "property"), ("where.0.key", "beta"), ("where.0.kind", "boolean"), ("where.0.value", "true")],
            json!({ "visitor_property": "beta", "in": [true] }),
        ),
        (
            vec![("+visitor", ""), ("where.0.of", "path"), ("where.0.op", "starts_with"), ("where.0.value", "/docs/")],
            json!({ "visitor": "path", "starts_with": "/docs/" }),
        ),
        (vec![("+audience", ""), ("audience", other.as_str())], json!({ "audience": other })),
    ]
    .into_iter()
    .enumerate()
    {
        let mut page = anna.get(new).await;
        let mut filled = vec![("name".to_owned(), format!("Rule {number}"))];
        for (field, value) in &rule {
            match field.strip_prefix('+') {
                Some("condition") => page = press(&mut anna, new, &page, &[], "add condition include.0").await,
                Some(kind) => {
                    page = press(&mut anna, new, &page, &[], "remove include.0").await;
                    page = press(&mut anna, new, &page, &[], &format!("add {kind} include")).await;
                }
                None => filled.push((format!("include.0.{field}"), (*value).to_owned())),
            }
        }
        let filled: Vec<_> = filled.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let saved = press(&mut anna, new, &page, &filled, "save").await;
        let to = Reader::location(&saved, new);
        let id = to.split(['/', '?']).nth(3).unwrap();
        let kept = place.get(&format!("/api/audiences/{id}")).await;
        assert_eq!(kept["filter"]["include"]["all"][0], expected, "{rule:?}");
        let edit = format!("/console/audiences/{id}/edit");
        let page = anna.get(&edit).await;
        assert!(!page.text().contains("stays JSON"), "{rule:?}");
        let saved = press(&mut anna, &edit, &page, &[], "save").await;
        assert_eq!(Reader::location(&saved, &edit), format!("/console/audiences/{id}?done=audience-saved"));
        assert_eq!(place.get(&format!("/api/audiences/{id}")).await["hash"], kept["hash"], "{rule:?}");
    }
}

/// The longest filter that the API takes goes through the form as well.
#[tokio::test]
async fn a_long_filter_goes_through_the_form() {
    let place = filled(Stage::sqlite().await).await;
    let mut anna = signed_in(&place.stage, &place.anna).await;
    let rules: Vec<_> = (0..49)
        .map(|rule| {
            let values: Vec<_> = (0..5)
                .map(|value| format!("/\u{fc}{rule}/{value}{}", "\u{1f600}".repeat(11)))
                .collect();
            json!({ "visitor": "path", "in": values })
        })
        .collect();
    let filter = json!({ "version": 1, "include": { "any": rules } });
    let length = filter.to_string().len();
    assert!((14_000..16 * 1024).contains(&length), "{length}");
    let id = save(&place, "audiences", "Long", &filter).await;
    let before = place.get(&format!("/api/audiences/{id}")).await;
    let edit = format!("/console/audiences/{id}/edit");
    let page = anna.get(&edit).await;
    assert_is_page(&page, 200);
    assert!(page.text().contains("too long to be edited here"));
    let page = press(&mut anna, &edit, &page, &[], "add did exclude").await;
    let page = press(&mut anna, &edit, &page, &[], "remove exclude.0").await;
    let saved = press(&mut anna, &edit, &page, &[("name", "Longer")], "save").await;
    assert_eq!(
        Reader::location(&saved, &edit),
        format!("/console/audiences/{id}?done=audience-saved")
    );
    let after = place.get(&format!("/api/audiences/{id}")).await;
    assert_eq!(
        (&after["name"], &after["hash"]),
        (&json!("Longer"), &before["hash"])
    );
}
