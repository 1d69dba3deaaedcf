//! From an empty builder to an export, and what else is done with an audience.

use super::*;

#[tokio::test]
async fn an_audience_is_built_saved_and_exported() {
    for stage in Stage::both().await {
        let place = filled(stage).await;
        let mut anna = signed_in(&place.stage, &place.anna).await;
        let new = "/console/audiences/new";
        let page = anna.get(new).await;
        assert_is_page(&page, 200);
        // Who is excluded: nobody yet.
        let page = press(
            &mut anna,
            new,
            &page,
            &[("include.0.counter", "signup")],
            "add did exclude",
        )
        .await;
        assert_is_page(&page, 200);
        assert!(
            page.text().contains("name=\"exclude.0.counter\"")
                && !page.text().contains("class=\"error\"")
        );
        let filled = [("exclude.0.counter", "refund"), ("exclude.of", "any")];
        let page = press(&mut anna, new, &page, &filled, "look").await;
        assert_is_page(&page, 200);
        let text = page.text();
        assert!(text.contains("Visitors who have a visit on &#34;signup&#34;, but not those who have a visit on &#34;refund&#34;."), "{text}");
        assert!(
            text.contains("<strong>2</strong> visitors") && text.contains("<code>ann</code>"),
            "{text}"
        );
        assert!(!text.contains("<code>eve</code>"));
        let filter = json!({ "version": 1, "include": { "all": [{ "did": { "counter": "signup" } }] },
            "exclude": { "any": [{ "did": { "counter": "refund" } }] } });
        assert_eq!(shown(&page), filter);
        // Pressed twice, it is one audience.
        let mut to = String::new();
        for _ in 0..2 {
            let saved = press(&mut anna, new, &page, &[("name", "Customers")], "save").await;
            to = Reader::location(&saved, new);
        }
        let listed = place.get("/api/audiences").await;
        assert_eq!(
            listed["audiences"].as_array().unwrap().len(),
            1,
            "{}",
            place.stage.kind
        );
        assert_eq!(listed["audiences"][0]["filter"], filter);
        let id = listed["audiences"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(to, format!("/console/audiences/{id}?done=audience-saved"));
        let page = anna.get(&to).await;
        assert_is_page(&page, 200);
        assert!(
            page.text().contains("The audience is saved.")
                && page.text().contains("<h1>Customers</h1>")
        );
        answers(&place, &mut anna, &id).await;
    }
}

/// What it says and whom it has: now, as of then, page by page and as files.
async fn answers(place: &Place, anna: &mut Reader, id: &str) {
    let page = anna.get(&format!("/console/audiences/{id}?size=now")).await;
    assert_is_page(&page, 200);
    assert!(
        page.text().contains("<strong>2</strong> visitors"),
        "{}",
        page.text()
    );
    let same = crate::support::reader::attribute(&page, ">Keep this answer", "href");
    let more = carrying(4, at(NOON), vec![to("/", Some("=dan"))]);
    place.append("signup", 0, &[more]).await;
    for (query, size) in [("?size=now", 3), (same.as_str(), 2)] {
        let page = anna.get(&format!("/console/audiences/{id}{query}")).await;
        assert!(
            page.text().contains(&format!("<strong>{size}</strong>")),
            "{query}"
        );
        let members = anna
            .get(&format!("/console/audiences/{id}/members{query}"))
            .await;
        assert_is_page(&members, 200);
        assert_eq!(
            members.text().matches("<li><code>").count(),
            size,
            "{query}"
        );
    }
    let entries = place
        .stage
        .number("SELECT count(*) FROM audit_entries WHERE action = 'export.audience'")
        .await;
    for (format, media_type, expected) in [
        (
            "csv",
            "text/csv; charset=utf-8",
            "visitor\r\nann\r\nbob\r\ndan\r\n",
        ),
        (
            "ndjson",
            "application/x-ndjson",
            "{\"visitor\":\"ann\"}\n{\"visitor\":\"bob\"}\n{\"visitor\":\"dan\"}\n",
        ),
    ] {
        let file = anna
            .get(&format!("/console/audiences/{id}/export?format={format}"))
            .await;
        assert_eq!(
            (file.status.as_u16(), file.text().as_str()),
            (200, expected)
        );
        assert!(
            file.header("content-type")
                .unwrap()
                .starts_with(media_type.split(';').next().unwrap())
        );
        let name = format!("attachment; filename=\"customers.{format}\"");
        assert_eq!(file.header("content-disposition"), Some(name.as_str()));
        let then = same.trim_start_matches('?');
        let file = anna
            .get(&format!(
                "/console/audiences/{id}/export?format={format}&{then}"
            ))
            .await;
        assert!(!file.text().contains("dan"));
    }
    let noted = place
        .stage
        .number("SELECT count(*) FROM audit_entries WHERE action = 'export.audience'")
        .await;
    assert_eq!(noted, entries + 4);
    for wrong in ["format=xml", "as_of=x"] {
        assert_is_page(
            &anna
                .get(&format!("/console/audiences/{id}/export?{wrong}"))
                .await,
            400,
        );
    }
}

/// More members than there are on a page.
#[tokio::test]
async fn members_have_pages() {
    let place = Place::on(Stage::sqlite().await).await;
    let keys: Vec<_> = (0..250).map(|number| format!("=v{number:03}")).collect();
    let carried = keys.iter().map(|key| to("/", Some(key))).collect();
    place
        .append("signup", 0, &[carrying(250, at(NOON), carried)])
        .await;
    let id = save(&place, "audiences", "All", &did("signup")).await;
    let mut anna = signed_in(&place.stage, &place.anna).await;
    let mut path = format!("/console/audiences/{id}/members");
    let mut seen = String::new();
    for rows in [100, 100, 50] {
        let page = anna.get(&path).await;
        assert_is_page(&page, 200);
        let text = page.text();
        assert!(text.contains("<strong>250</strong>"));
        assert_eq!(text.matches("<li><code>").count(), rows);
        // Whoever comes meanwhile is on no later page.
        if rows == 50 {
            assert!(!text.contains("rel=\"next\"") && text.contains(">First page"));
        } else {
            let next = crate::support::reader::attribute(&page, "rel=\"next\"", "href");
            path = format!(
                "/console/audiences/{id}/{}",
                next.replace("&#38;", "&").trim_start_matches("./")
            );
            let late = carrying(251, at(NOON), vec![to("/", Some("=late"))]);
            if rows == 100 && seen.is_empty() {
                place.append("signup", 0, &[late]).await;
            }
        }
        seen.push_str(&text);
    }
    assert_eq!(seen.matches("<li><code>v").count(), 250);
    assert!(!seen.contains("late"));
    let page = anna
        .get(&format!("/console/audiences/{id}/members?after=nobody"))
        .await;
    assert_is_page(&page, 400);
}

#[tokio::test]
async fn one_is_renamed_copied_changed_and_deleted() {
    let place = filled(Stage::sqlite().await).await;
    let mut anna = signed_in(&place.stage, &place.anna).await;
    let id = save(&place, "audiences", "Customers", &did("signup")).await;
    let one = format!("/console/audiences/{id}");
    let renamed = anna
        .submit(&format!("{one}/rename"), &[("name", "Clients")])
        .await;
    assert_eq!(
        Reader::location(&renamed, &format!("{one}/rename")),
        format!("{one}?done=audience-renamed")
    );
    assert_eq!(
        place.get(&format!("/api/audiences/{id}")).await["filter"],
        did("signup")
    );
    // A preset from the audience, and an audience from the preset.
    let path = format!("/console/presets/new?audience={id}");
    let page = anna.get(&path).await;
    assert_eq!(shown(&page), did("signup"));
    let saved = press(&mut anna, &path, &page, &[], "save").await;
    let to = Reader::location(&saved, &path);
    assert!(to.contains("done=preset-saved"), "{to}");
    let presets = place.get("/api/presets").await;
    assert_eq!(presets["presets"][0]["preset_name"], "Clients");
    let preset = presets["presets"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/console/audiences/new?preset={preset}");
    let page = anna.get(&path).await;
    assert_eq!(shown(&page), did("signup"));
    // It is the same filter, so there is a link to the one that has it.
    for (name, said) in [
        ("Others", "has this filter, or one that means the same"),
        ("CLIENTS", "has this name, or one that looks like it"),
    ] {
        let page = press(&mut anna, &path, &page, &[("name", name)], "save").await;
        assert_is_page(&page, 409);
        let text = page.text();
        assert!(text.contains(said), "{name}: {text}");
        assert!(
            text.contains(&format!(
                "<a href=\"./../audiences/{id}\">Go to “Clients”</a>"
            )),
            "{text}"
        );
        assert_eq!(
            fields(&page)
                .iter()
                .find(|(field, _)| field == "name")
                .unwrap()
                .1,
            name
        );
    }
    // Another audience refers to it.
    let page = press(&mut anna, &path, &page, &[], "add audience include").await;
    let filled = [("name", "Buyers"), ("include.1.audience", id.as_str())];
    let saved = press(&mut anna, &path, &page, &filled, "save").await;
    assert!(Reader::location(&saved, &path).contains("audience-saved"));
    let page = anna.get(&one).await.text();
    assert!(
        page.contains("the audience <a href=\"./../audiences/") && page.contains(">Buyers</a>"),
        "{page}"
    );
    let page = anna.get(&format!("{one}/remove")).await;
    assert_is_page(&page, 200);
    assert!(
        page.text().contains("while others refer to it") && page.text().contains(">Buyers</a>")
    );
    assert!(!page.text().contains(">Delete</button>"));
    let refused = anna.submit(&format!("{one}/remove"), &[]).await;
    assert_is_page(&refused, 409);
    assert!(refused.text().contains(">Buyers</a>"));
    // It is not among those that it can refer to itself.
    let edit = format!("{one}/edit");
    let page = anna.get(&edit).await;
    let page = press(&mut anna, &edit, &page, &[], "add audience include").await;
    let options = page.text();
    assert!(options.contains(">Buyers</option>") && !options.contains(">Clients</option>"));
    let saved = press(&mut anna, &edit, &page, &[], "remove include.1").await;
    let saved = press(
        &mut anna,
        &edit,
        &saved,
        &[("include.0.at_least", "2")],
        "save",
    )
    .await;
    assert_eq!(
        Reader::location(&saved, &edit),
        format!("{one}?done=audience-saved")
    );
    assert_eq!(
        place.get(&format!("/api/audiences/{id}")).await["filter"]["include"]["all"][0]["did"]["times"],
        json!({ "at_least": 2 })
    );
    // Presets are deleted, whatever was started from them.
    let path = format!("/console/presets/{preset}/remove");
    assert!(anna.get(&path).await.text().contains("Delete “Clients”?"));
    let gone = anna.submit(&path, &[]).await;
    assert_eq!(
        Reader::location(&gone, &path),
        "/console/presets?done=preset-deleted"
    );
    assert_is_page(&anna.get(&path).await, 404);
    for name in ["", " a", &"x".repeat(65)] {
        let page = anna
            .submit(&format!("{one}/rename"), &[("name", name)])
            .await;
        assert_is_page(&page, 422);
        assert!(page.text().contains("id=\"name-error\""), "{name}");
    }
    let page = anna
        .submit(&format!("{one}/rename"), &[("name", "buyers")])
        .await;
    assert_is_page(&page, 409);
    assert!(
        page.text().contains(">Buyers</a> has this name"),
        "{}",
        page.text()
    );
}
