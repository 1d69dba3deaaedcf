//! What strangers type, as a browser shows it: no script runs, and no element comes of it.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::{Value, json};

use super::gallery::{Gallery, Stop, sign_in_as, visit};
use crate::support::{Client, console::Visitor, people, process::run, until};

/// What would leave where it stands: text, an attribute in either kind of quotes or in none, a title, a script, a
/// comment, an address. Whatever came of it would have the class or the attribute `made`.
const PAYLOADS: [&str; 3] = [
    "</title></textarea></script>--><script class=made>window.ran=1</script><img class=made src=x onerror=window.ran=1><svg class=made onload=window.ran=1><b class=made>{{7*7}}${7*7}",
    "\" made=\"1\" autofocus onfocus=\"window.ran=1\" x=\"' made='1' onmouseover='window.ran=1' x=' made=1 onclick=window.ran=1 <iframe class=made srcdoc='<script>parent.ran=1</script>'>",
    "javascript:window.ran=1//\u{202e}&lt;b class=made&gt;made",
];

/// Looks at all there is, also at what follows a link or a button of it, and where forms would send.
const LOOK: &str = "
    const active = /^\\s*(javascript:|vbscript:|data:text)/i;
    const places = [...document.querySelectorAll('[href], [src], [action], [formaction]')].flatMap((one) => ['href', 'src', 'action', 'formaction'].map((name) => one.getAttribute(name) ?? ''));
    const handlers = [...document.querySelectorAll('*')].flatMap((one) => one.getAttributeNames()).filter((name) => name.startsWith('on'));
    return {
        ran: window.ran ?? 0,
        made: [...document.querySelectorAll('.made, [made]')].map((one) => one.outerHTML),
        active: places.filter((place) => active.test(place)),
        handlers,
        shown: (document.querySelector('main') ?? document.body).innerHTML.includes('made'),
    };";

/// The pages on which something of a stranger must be seen, so that it is known to have been there.
const SHOWN: [&str; 32] = [
    "account",
    "account-delete",
    "account-name",
    "audience-payload",
    "audience-payload-edit",
    "audience-payload-members",
    "audience-payload-remove",
    "audience-payload-rename",
    "audiences",
    "audit",
    "company",
    "companies",
    "company-one",
    "company-suspend",
    "counter-payload",
    "home",
    "people",
    "person",
    "person-remove",
    "preset-payload",
    "preset-payload-edit",
    "presets",
    "query-counters",
    "query-login",
    "query-property",
    "session-end",
    "sessions",
    "token-end",
    "tokens",
    "visit-payload",
    "write-key",
    "write-keys",
];

/// A visit, an audience and a preset that are made of it, and pages of them.
async fn use_it(api: &mut Client, text: &str, stops: &mut Vec<Stop>) {
    let visit = json!({
        "visitor": text, "path": text, "referrer": text, "campaign": text,
        "properties": { (text[text.len() - 40..]): text, "plan": text },
    });
    let counted = people::post(api, "/api/counters/new.page", &visit).await;
    let number = counted.visits();
    let recorded = async || {
        let state = api.get("/api/counters/new.page/recording").await.json();
        (state["through"] == number).then_some(())
    };
    until("the visit is recorded", recorded).await;
    let rules = json!([
        { "did": { "counter": "new.page", "where": [{ "field": "path", "in": [text] }, { "property": "plan", "in": [text] }] } },
        { "visitor": "referrer", "in": [text] },
    ]);
    let filter = json!({ "version": 1, "include": { "all": rules } });
    // A name is a line that is read from left to right.
    let name = text.replace('\u{202e}', "");
    let name = &name[..name.len().min(64)];
    let audience = json!({ "name": name, "filter": filter });
    let audience = made(api, "/api/audiences", &audience).await;
    let preset = json!({ "preset_name": name, "preset_filter_json": filter });
    let preset = made(api, "/api/presets", &preset).await;
    for (name, path) in [
        ("audience-payload", format!("audiences/{audience}")),
        (
            "audience-payload-edit",
            format!("audiences/{audience}/edit"),
        ),
        (
            "audience-payload-members",
            format!("audiences/{audience}/members"),
        ),
        (
            "audience-payload-remove",
            format!("audiences/{audience}/remove"),
        ),
        (
            "audience-payload-rename",
            format!("audiences/{audience}/rename"),
        ),
        ("preset-payload", format!("presets/{preset}")),
        ("preset-payload-edit", format!("presets/{preset}/edit")),
        (
            "counter-payload",
            "counters/new.page?range=24h&property=plan".to_owned(),
        ),
        (
            "visit-payload",
            format!("counters/new.page/visits/{number}"),
        ),
        ("query-counters", query("counters", "q", text)),
        (
            "query-property",
            query("counters/new.page", "property", text),
        ),
    ] {
        stops.push(Stop::new("admin", name, &format!("console/{path}")));
    }
    let login = query("console/login", "next", text);
    stops.push(Stop::new("nobody", "query-login", &login));
}

fn query(path: &str, name: &str, text: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(format!("{path}?"));
    query.append_pair(name, text).finish()
}

async fn made(api: &mut Client, path: &str, body: &Value) -> String {
    let reply = people::post(api, path, body).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()["id"].as_str().unwrap().to_owned()
}

/// Writes it wherever the database has a text of somebody, also where no form would take it today.
fn write(folder: &Path, text: &str) {
    let quoted = format!("'{}'", text.replace('\'', "''"));
    let details = format!("json_object('name', {quoted}, {quoted}, 'x')");
    let sql = [
        format!("UPDATE companies SET name = {quoted}"),
        format!("UPDATE users SET username = {quoted} WHERE username IS NOT NULL"),
        format!("UPDATE users SET email = {quoted} WHERE username_key = 'vera'"),
        format!("UPDATE sessions SET user_agent = {quoted}, address = {quoted}"),
        format!("UPDATE api_tokens SET name = {quoted}"),
        format!("UPDATE write_keys SET name = {quoted}, origins = replace({quoted}, ' ', '_')"),
        "DROP TRIGGER IF EXISTS audit_entry_fixed".to_owned(),
        format!(
            "UPDATE audit_entries SET details = {details}, object_id = {quoted}, request_id = {quoted} WHERE object IS NOT NULL"
        ),
    ];
    let output = run(Command::new("sqlite3")
        .args(["-cmd", ".timeout 20000"])
        .arg(folder.join("footfall.db"))
        .arg(sql.join(";\n")));
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn is_text_wherever_it_is_shown() {
    let gallery = Gallery::of(1).await;
    let visitor = Visitor::start(&gallery.footfall).await;
    let origin = visitor.origin.trim_end_matches('/');
    let mut api = gallery.admin().await;
    let given = json!({ "on": true, "retention_days": 400, "visitor": "given" });
    let path = "/api/counters/new.page/recording";
    let set = api.put_json(path, &given.to_string()).await;
    assert_eq!(set.status, 200, "{}", set.text());
    for text in PAYLOADS {
        let mut stops = gallery.stops.clone();
        use_it(&mut api, text, &mut stops).await;
        write(gallery.folder(), text);
        let order = |stop: &Stop| {
            ["nobody", "viewer", "admin"]
                .iter()
                .position(|who| stop.who == *who)
                .unwrap_or(3)
        };
        stops.sort_by_key(order);
        let (mut who, mut shown) = ("nobody", BTreeSet::new());
        sign_in_as(&visitor, who).await;
        for stop in &stops {
            if stop.who != who {
                who = &stop.who;
                sign_in_as(&visitor, who).await;
            }
            visit(&visitor, stop).await;
            let found = visitor.browser.script(LOOK).await;
            let nothing = json!([]);
            for kind in ["made", "active", "handlers"] {
                assert_eq!(found[kind], nothing, "{}: {text}", stop.name);
            }
            assert_eq!(found["ran"], 0, "{}: {text}", stop.name);
            // What the browser refuses to run would have been something to run.
            let url = visitor.browser.page.current_url().await.unwrap();
            visitor
                .browser
                .assert_clean_but_for(origin, Some(url.as_str()))
                .await;
            if found["shown"] == true {
                shown.insert(stop.name.as_str());
            }
        }
        let missed: Vec<_> = SHOWN
            .iter()
            .filter(|name| !shown.contains(**name))
            .collect();
        assert!(missed.is_empty(), "{text} is not on {missed:?}");
    }
    visitor.browser.close().await;
}
