//! Audiences and presets in the console.

use footfall::auth::role::Role;
use serde_json::{Value, json};

use crate::{
    record_reading::{Place, at, carrying, to},
    support::{
        Reply,
        reader::{Reader, assert_is_page},
        stage::{PASSWORD, Person, Stage},
    },
};

mod errors;
mod rules;
mod story;
mod strangers;

/// A while ago, so that all of it counts.
const NOON: &str = "2026-03-01T12:00:00Z";

/// Somebody of the company, signed in.
async fn signed_in(stage: &Stage, person: &Person) -> Reader {
    let reader = Reader::new(stage.app.client());
    reader.log_in(&person.email, PASSWORD).await
}

/// A company with visits: ann, bob and eve signed up, eve had something refunded.
async fn filled(stage: Stage) -> Place {
    let place = Place::on(stage).await;
    for (counter, visitors) in [
        ("signup", &["=ann", "=bob", "=eve"][..]),
        ("refund", &["=eve"]),
    ] {
        let carried = visitors
            .iter()
            .map(|key| to("/", Some(key)))
            .collect::<Vec<_>>();
        let entry = carrying(carried.len() as u64, at(NOON), carried);
        place.append(counter, 0, &[entry]).await;
    }
    place
}

/// What the form of the builder sends, as it is in a page.
#[track_caller]
fn fields(page: &Reply) -> Vec<(String, String)> {
    let text = page.text();
    let (_, form) = text
        .split_once("id=\"builder\"")
        .unwrap_or_else(|| panic!("no builder: {text}"));
    let mut rest = form.split("</form>").next().unwrap();
    let mut fields = Vec::new();
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let tag = &rest[..rest.find('>').unwrap()];
        let Some(name) = attribute(tag, "name").filter(|name| name != "do") else {
            continue;
        };
        let value = match tag.split(' ').next().unwrap() {
            "textarea" => {
                let text = &rest[tag.len() + 1..rest.find("</textarea").unwrap()];
                unescaped(text.strip_prefix('\n').unwrap()).replace('\n', "\r\n")
            }
            "select" => {
                let options = &rest[..rest.find("</select").unwrap()];
                let mut options = options.split("<option").skip(1);
                let chosen = options
                    .find(|option| option.contains(" selected>"))
                    .unwrap();
                attribute(chosen, "value").unwrap()
            }
            _ => attribute(tag, "value").unwrap(),
        };
        fields.push((name, value));
    }
    fields
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescaped(value.split('"').next().unwrap()))
}

fn unescaped(text: &str) -> String {
    let texts = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ];
    texts
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Fills in fields of the builder and presses one of its buttons.
async fn press(
    reader: &mut Reader,
    path: &str,
    page: &Reply,
    filled: &[(&str, &str)],
    button: &str,
) -> Reply {
    let mut fields = fields(page);
    for (name, value) in filled {
        let field = fields.iter_mut().find(|(found, _)| found == name);
        let (_, old) = field.unwrap_or_else(|| panic!("no {name}: {}", page.text()));
        *old = (*value).to_owned();
    }
    fields.push(("do".to_owned(), button.to_owned()));
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    reader.submit_bare(path, &fields).await
}

/// The JSON that the builder shows.
#[track_caller]
fn shown(page: &Reply) -> Value {
    let fields = fields(page);
    let (_, json) = fields.iter().find(|(name, _)| name == "json").unwrap();
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// Saves one by the API; its id.
async fn save(place: &Place, list: &str, name: &str, filter: &Value) -> String {
    let body = match list {
        "audiences" => json!({ "name": name, "filter": filter }),
        _ => json!({ "preset_name": name, "preset_filter_json": filter }),
    };
    let reply = place
        .client()
        .post_json(&format!("/api/{list}"), &body.to_string())
        .await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()["id"].as_str().unwrap().to_owned()
}

fn did(counter: &str) -> Value {
    json!({ "version": 1, "include": { "all": [{ "did": { "counter": counter } }] } })
}

#[tokio::test]
async fn each_role_sees_what_it_may() {
    let place = filled(Stage::sqlite().await).await;
    let id = save(&place, "audiences", "Customers", &did("signup")).await;
    let preset = save(&place, "presets", "Signed up", &did("signup")).await;
    for role in [Role::Viewer, Role::Member, Role::Admin] {
        let person = place.stage.person("acme", role.as_str(), role).await;
        let mut reader = signed_in(&place.stage, &person).await;
        let may = role >= Role::Member;
        for (path, is_change) in [
            ("audiences".to_owned(), false),
            ("presets".to_owned(), false),
            (format!("audiences/{id}"), false),
            (format!("audiences/{id}?size=now"), false),
            (format!("audiences/{id}/members"), false),
            (format!("audiences/{id}/edit"), false),
            (format!("presets/{preset}"), false),
            (format!("presets/{preset}?size=now"), false),
            (format!("presets/{preset}/edit"), false),
            ("audiences/new".to_owned(), true),
            (format!("audiences/new?preset={preset}"), true),
            (format!("presets/new?audience={id}"), true),
            ("presets/new".to_owned(), true),
            (format!("audiences/{id}/rename"), true),
            (format!("audiences/{id}/remove"), true),
            (format!("presets/{preset}/rename"), true),
            (format!("presets/{preset}/remove"), true),
        ] {
            let page = reader.get(&format!("/console/{path}")).await;
            assert_is_page(&page, if is_change && !may { 403 } else { 200 });
            let text = page.text();
            if !is_change && !path.ends_with("/members") {
                let offers = ["/new", "/rename", "/remove", "value=\"save\"", ">Change<"];
                let is_offered = offers.iter().any(|offer| text.contains(offer));
                assert_eq!(is_offered, may, "{role} {path}: {text}");
            }
            assert!(text.contains(">Audiences</a>") && text.contains(">Presets</a>"));
        }
        let file = reader
            .get(&format!("/console/audiences/{id}/export?format=csv"))
            .await;
        assert_eq!(file.status, 200);
        let edit = format!("/console/audiences/{id}/edit");
        let page = reader.get(&edit).await;
        assert_eq!(
            page.text().contains("<fieldset class=\"rules\" disabled>"),
            !may
        );
        if !may {
            // What is read-only may be looked at, and not saved by whoever makes a form of it.
            let looked = press(&mut reader, &edit, &page, &[], "look").await;
            assert_is_page(&looked, 200);
            for button in ["save", "save-preset"] {
                assert_is_page(&press(&mut reader, &edit, &page, &[], button).await, 403);
            }
            for path in ["rename", "remove"] {
                let path = format!("/console/audiences/{id}/{path}");
                assert_is_page(&reader.submit(&path, &[("name", "x")]).await, 403);
            }
        }
    }
    // Another company's are not there.
    let eve = place.stage.person("other", "eve", Role::Admin).await;
    let mut eve = signed_in(&place.stage, &eve).await;
    for path in [
        format!("audiences/{id}"),
        format!("audiences/{id}/edit"),
        format!("audiences/{id}/members"),
        format!("audiences/{id}/export"),
        format!("audiences/{id}/remove"),
        format!("presets/{preset}"),
        format!("audiences/new?preset={preset}"),
        format!("presets/new?audience={id}"),
        "audiences/new?preset=x".to_owned(),
        "audiences/x".to_owned(),
    ] {
        assert_is_page(&eve.get(&format!("/console/{path}")).await, 404);
    }
    let text = eve.get("/console/audiences").await.text();
    assert!(text.contains("There is no audience yet") && !text.contains("Customers"));
}

/// Empty pages say what to do next.
#[tokio::test]
async fn empty_lists_say_what_to_do() {
    let place = Place::on(Stage::sqlite().await).await;
    let mut anna = signed_in(&place.stage, &place.anna).await;
    for (list, link) in [("audiences", "audiences/new"), ("presets", "presets/new")] {
        let page = anna.get(&format!("/console/{list}")).await;
        assert_is_page(&page, 200);
        let text = page.text();
        assert!(
            text.contains("There is no") && text.contains(&format!("href=\"./{link}\"")),
            "{text}"
        );
        assert!(
            text.contains(&format!("/api/{list}")) && !text.contains("role=\"search\""),
            "{text}"
        );
        // It can be copied as it is.
        let (_, command) = text.split_once("-d &#39;").unwrap();
        let body = unescaped(command.split("&#39;").next().unwrap());
        let reply = place
            .client()
            .post_json(&format!("/api/{list}"), &body)
            .await;
        assert_eq!(reply.status, 201, "{reply:?}");
    }
    let viewer = place.stage.person("empty", "viewer", Role::Viewer).await;
    let mut viewer = signed_in(&place.stage, &viewer).await;
    let text = viewer.get("/console/audiences").await.text();
    assert!(
        text.contains("Members, admins and operators") && !text.contains("audiences/new"),
        "{text}"
    );
}

/// Some hundreds of them: page by page, and found by what they are called or mean.
#[tokio::test]
async fn lists_have_pages_and_a_search() {
    let place = Place::on(Stage::sqlite().await).await;
    for number in 0..120 {
        save(
            &place,
            "audiences",
            &format!("Number {number:03}"),
            &did(&format!("c{number}")),
        )
        .await;
    }
    let mut anna = signed_in(&place.stage, &place.anna).await;
    let mut path = "/console/audiences".to_owned();
    for rows in [50, 50, 20] {
        let page = anna.get(&path).await;
        assert_is_page(&page, 200);
        let text = page.text();
        assert_eq!(text.matches("<tr>").count() - 1, rows);
        if rows == 50 {
            let next = crate::support::reader::attribute(&page, "rel=\"next\"", "href");
            path = format!("/console/{}", next.strip_prefix("./").unwrap());
        } else {
            assert!(text.contains("Number 119") && !text.contains("rel=\"next\""));
        }
    }
    for (wanted, found) in [
        ("number+11", 10),
        ("%22c7%22", 1),
        ("NUMBER", 120),
        ("nothing", 0),
    ] {
        let page = anna.get(&format!("/console/audiences?q={wanted}")).await;
        assert_is_page(&page, 200);
        let text = page.text();
        assert_eq!(
            text.matches("<th scope=\"row\">").count(),
            found,
            "{wanted}"
        );
        assert_eq!(text.contains("Nothing is called"), found == 0);
    }
    assert_is_page(&anna.get("/console/audiences?cursor=x").await, 400);
}
