//! Every form of the console, with each of its fields wrong: it comes back with what was typed, and says beside the
//! field what is wrong with it. The forms are those of the router, and the fields those of the pages: whoever adds one
//! sees it here.

use std::collections::BTreeMap;

use serde_json::json;

use super::{founder, matrix::patterns, operator};
use crate::support::{
    people::{PASSWORD, Place, post, sqlite},
    reader::{Reader, assert_is_page},
};

/// Who fills a form in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    Admin,
    Operator,
}
use Who::{Admin, Nobody, Operator};

/// Where what is wrong is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Beside the field, with this status.
    Beside(u16),
    /// Above all fields: which of them it is, nobody is told.
    Above(u16),
    /// Nothing: whatever is in it is right.
    Never,
}
use Said::{Above, Beside, Never};

/// A field: its name, what is right and what is wrong in it, and where that is said.
type Cell = (&'static str, &'static str, &'static str, Said);

/// A form: its pattern, who fills it in, and its fields.
type Row = (&'static str, Who, &'static [Cell]);

const NAME: Cell = ("name", "Umbrella", "a\tb", Beside(422));
const ZONE: Cell = ("time_zone", "Asia/Tokyo", "Mars/Olympus", Beside(422));
const OWN_PASSWORD: Cell = ("password", PASSWORD, "wrong", Beside(401));
const RECORDING: [Cell; 3] = [
    ("on", "on", "on", Never),
    ("retention_days", "30", "many", Beside(422)),
    ("visitor", "daily", "naked", Beside(422)),
];

const ROWS: &[Row] = &[
    (
        "account/name",
        Admin,
        &[("username", "anne", "an ne", Beside(422))],
    ),
    (
        "account/email",
        Admin,
        &[
            ("email", "b@a.example", "nowhere", Beside(422)),
            OWN_PASSWORD,
        ],
    ),
    (
        "account/password",
        Admin,
        &[
            OWN_PASSWORD,
            (
                "new_password",
                "seven quiet otters juggling",
                "short",
                Beside(422),
            ),
        ],
    ),
    ("account/delete", Admin, &[OWN_PASSWORD]),
    (
        "audiences/{id}/rename",
        Admin,
        &[("name", "Others", "", Beside(422))],
    ),
    (
        "presets/{id}/rename",
        Admin,
        &[("preset_name", "Others", "", Beside(422))],
    ),
    (
        "companies/new",
        Operator,
        &[
            NAME,
            ("email", "x@x.example", "nowhere", Beside(422)),
            ("username", "xenia", "xe nia", Beside(422)),
            ZONE,
        ],
    ),
    ("companies/{id}", Operator, &[NAME, ZONE]),
    ("company", Admin, &[NAME, ZONE]),
    (
        "counters/+new",
        Admin,
        &[
            ("name", "fresh", "Not A Name", Beside(400)),
            RECORDING[0],
            RECORDING[1],
            RECORDING[2],
        ],
    ),
    ("counters/{name}/recording", Admin, &RECORDING),
    ("confirm", Nobody, &[OWN_PASSWORD]),
    ("email", Nobody, &[OWN_PASSWORD]),
    (
        "invitation",
        Nobody,
        &[("password", PASSWORD, "short", Beside(422))],
    ),
    (
        "reset",
        Nobody,
        &[("password", PASSWORD, "short", Beside(422))],
    ),
    (
        "forgot",
        Nobody,
        &[("email", "a@a.example", "nowhere", Beside(422))],
    ),
    (
        "login",
        Nobody,
        &[
            ("username", "anna@a.example", "nobody@a.example", Above(401)),
            ("password", PASSWORD, "wrong", Above(401)),
        ],
    ),
    (
        "register",
        Nobody,
        &[
            ("company", "Umbrella", "a/b", Beside(422)),
            ("email", "u@u.example", "nowhere", Beside(422)),
            ("username", "una", "u na", Beside(422)),
            ("password", PASSWORD, "short", Beside(422)),
        ],
    ),
    (
        "tokens/new",
        Admin,
        &[
            ("name", "machine", "", Beside(422)),
            ("scopes", "visits:write", "everything", Beside(422)),
            ("expires_at", "2099-01-01", "1999-01-01", Beside(422)),
        ],
    ),
    (
        "users/invite",
        Admin,
        &[
            ("email", "cy@a.example", "nowhere", Beside(422)),
            ("username", "cy", "c y", Beside(422)),
            ("role", "viewer", "king", Beside(422)),
        ],
    ),
    (
        "users/{id}",
        Admin,
        &[
            ("username", "bob", "b ob", Beside(422)),
            ("role", "viewer", "king", Beside(422)),
        ],
    ),
    (
        "write-keys/new",
        Admin,
        &[
            ("name", "our shop", "", Beside(422)),
            ("counters", "shop\r\ncart", "No Name", Beside(422)),
            ("origins", "https://shop.example", "shop", Beside(422)),
            ("rate", "7", "many", Beside(422)),
        ],
    ),
];

/// Forms of which the builder of audiences makes as many fields as there are rules: each with one of these wrong.
const BUILDERS: [&str; 4] = [
    "audiences/new",
    "audiences/{id}/edit",
    "presets/new",
    "presets/{id}/edit",
];
const RULES: [(&str, &str); 5] = [
    ("name", ""),
    ("include.0.counter", "Not A Name"),
    ("include.0.at_least", "many"),
    ("include.0.at_most", "0"),
    ("include.0.days", "forever"),
];

/// Forms that have a button, and nothing to be filled in.
const BUTTONS: [&str; 16] = [
    "audiences/{id}/remove",
    "companies/{id}/resume",
    "companies/{id}/suspend",
    "counters/{name}/count",
    "logout",
    "presets/{id}/remove",
    "sessions/end-others",
    "sessions/{id}/end",
    "theme",
    "tokens/{id}/end",
    "users/{id}/invite",
    "users/{id}/remove",
    "users/{id}/resume",
    "users/{id}/suspend",
    "write-keys/{id}/end",
    // What is nowhere.
    "{*rest}",
];

/// A field of a form, as it is in a page.
#[derive(Debug, Default)]
struct Field {
    kind: String,
    /// What a browser would send of it.
    values: Vec<String>,
}

/// The fields of the form of a page, by their names: of the one that is no switch and does not log out.
#[track_caller]
fn fields(text: &str) -> BTreeMap<String, Field> {
    let forms = text.split("<form method=\"post\"").skip(1);
    let mut forms = forms.filter(|form| {
        let action = form.split('>').next().unwrap();
        !action.contains("class=\"theme\"") && !action.contains("logout\"")
    });
    let form = forms.next().unwrap_or_else(|| panic!("no form: {text}"));
    let mut rest = form.split("</form>").next().unwrap();
    let mut fields = BTreeMap::<String, Field>::new();
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let tag = &rest[..rest.find('>').unwrap()];
        let element = tag.split(' ').next().unwrap();
        let Some(name) = attribute(tag, "name") else {
            continue;
        };
        let (kind, value) = match element {
            "input" => (attribute(tag, "type").unwrap(), attribute(tag, "value")),
            "textarea" => {
                let text = &rest[tag.len() + 1..rest.find("</textarea").unwrap()];
                (
                    String::new(),
                    Some(unescaped(text.strip_prefix('\n').unwrap()).replace("\r\n", "\n")),
                )
            }
            "select" => {
                let options = &rest[..rest.find("</select").unwrap()];
                let mut options = options.split("<option").skip(1);
                let chosen = options.find(|option| option.contains(" selected>"));
                (
                    "select".to_owned(),
                    chosen.and_then(|option| attribute(option, "value")),
                )
            }
            _ => continue,
        };
        let is_sent = !matches!(&*kind, "checkbox" | "radio") || tag.contains(" checked");
        let field = fields.entry(name).or_default();
        field.values.extend(value.filter(|_| is_sent));
        field.kind = kind;
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
    let texts = texts.iter();
    texts.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// A company with one of everything.
struct Full {
    place: Place,
    company: String,
    ids: BTreeMap<&'static str, String>,
    /// By the names of their pages.
    tokens: BTreeMap<&'static str, String>,
}

async fn full() -> Full {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    let pass = place.pass("anna@a.example").await;
    for (path, fields, status) in [
        ("counters/visits/count", &[][..], 303),
        (
            "users/invite",
            &[("email", "bo@a.example"), ("role", "member")],
            303,
        ),
        (
            "tokens/new",
            &[("name", "a"), ("scopes", "visits:write")],
            201,
        ),
        (
            "write-keys/new",
            &[
                ("name", "a"),
                ("counters", "a"),
                ("origins", "https://a.example"),
            ],
            303,
        ),
    ] {
        let sent = anna.submit(&format!("/console/{path}"), fields).await;
        assert_eq!(sent.status, status, "{path}: {}", sent.text());
    }
    let mut ids = BTreeMap::new();
    for (list, end) in [
        ("users?state=invited", "/invite\">Send"),
        ("tokens", "/end\""),
        ("write-keys", "/end\""),
        ("sessions", "/end\""),
    ] {
        let text = anna.get(&format!("/console/{list}")).await.text();
        let before = text.split(end).next().unwrap();
        let id = before.rsplit('/').next().unwrap().to_owned();
        assert_eq!(id.len(), 36, "{list}: {text}");
        ids.insert(list.split('?').next().unwrap(), id);
    }
    let filter = json!({ "version": 1, "include": { "did": { "counter": "visits" } } });
    for (list, body) in [
        ("audiences", json!({ "name": "Some", "filter": filter })),
        (
            "presets",
            json!({ "preset_name": "Some", "preset_filter_json": filter }),
        ),
    ] {
        let mut client = place.logged_in(0, &pass);
        let made = post(&mut client, &format!("/api/{list}"), &body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        ids.insert(list, made.json()["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(place.register("una@u.example").await.status, 202);
    let fields = [("email", "anne@a.example"), ("password", PASSWORD)];
    assert_eq!(
        anna.submit("/console/account/email", &fields).await.status,
        303
    );
    let fields = [("email", "anna@a.example")];
    assert_eq!(
        Reader::new(place.client())
            .submit("/console/forgot", &fields)
            .await
            .status,
        202
    );
    let mut tokens = BTreeMap::new();
    for (page, to) in [
        ("confirm", "una@u.example"),
        ("email", "anne@a.example"),
        ("invitation", "bo@a.example"),
        ("reset", "anna@a.example"),
    ] {
        let link = format!("/console/{page}?token=");
        let letter = crate::support::until("a mail with a link comes", async || {
            let mut letters = place.letters(to).into_iter();
            letters.find(|letter| letter.text.contains(&link))
        });
        tokens.insert(page, letter.await.token().to_owned());
    }
    Full {
        company: pass.company.to_string(),
        place,
        ids,
        tokens,
    }
}

impl Full {
    /// The address of a form, and what else it sends.
    fn form(&self, pattern: &str) -> (String, Vec<(&'static str, String)>) {
        let list = pattern.split('/').next().unwrap();
        let id = match list {
            "companies" => Some(&self.company),
            list => self.ids.get(list),
        };
        let path = pattern.replace("{id}", id.map_or("", String::as_str));
        let path = format!("/console/{}", path.replace("{name}", "visits"));
        let token = self.tokens.get(pattern);
        (
            path,
            token
                .map(|token| ("token", token.clone()))
                .into_iter()
                .collect(),
        )
    }

    async fn reader(&self, who: Who) -> Reader {
        match who {
            Nobody => Reader::new(self.place.client()),
            Admin => {
                Reader::new(self.place.client())
                    .log_in("anna@a.example", PASSWORD)
                    .await
            }
            Operator => operator(&self.place.replicas[0]).await,
        }
    }
}

/// Checks that all that was typed is there, but for passwords.
#[track_caller]
fn assert_kept(about: &str, text: &str, sent: &[(&str, &str)]) {
    let fields = fields(text);
    for (name, value) in sent {
        let field = fields
            .get(*name)
            .unwrap_or_else(|| panic!("{about}: {name} is gone: {text}"));
        let value = value.replace("\r\n", "\n");
        match &*field.kind {
            "hidden" => {}
            "password" => assert!(field.values.is_empty(), "{about}: {name} is shown"),
            // What is none of those that can be chosen cannot be shown.
            "select" | "checkbox" | "radio"
                if ["king", "everything", "naked"].contains(&&*value) => {}
            _ => assert_eq!(field.values, [value], "{about}: {name}"),
        }
    }
}

/// No form is left out.
#[test]
fn each_form_has_its_row() {
    let mut forms: Vec<_> = ROWS.iter().map(|(pattern, ..)| *pattern).collect();
    forms.extend(BUILDERS);
    forms.extend(BUTTONS);
    let posts = include_str!("snapshots/it__console__matrix__pages.snap").lines();
    let posts = posts.filter_map(|line| line.strip_prefix("post /console/"));
    let posts: Vec<_> = posts.map(|line| line.split(' ').next().unwrap()).collect();
    assert!(posts.len() > 30, "{posts:?}");
    for post in posts {
        assert!(forms.contains(&post), "{post} is in no list of this file");
    }
    let all = patterns();
    for form in forms {
        assert!(
            all.contains(&format!("/console/{form}")),
            "there is no {form}"
        );
    }
}

#[tokio::test]
async fn each_field_says_what_is_wrong_with_it_and_keeps_the_others() {
    let full = full().await;
    for (pattern, who, row) in ROWS {
        let (path, hidden) = full.form(pattern);
        let mut reader = full.reader(*who).await;
        let query = hidden
            .iter()
            .map(|(name, value)| format!("?{name}={value}"));
        let page = reader
            .get(&format!("{path}{}", query.collect::<String>()))
            .await;
        assert_is_page(&page, 200);
        for (name, field) in fields(&page.text()) {
            let is_known = row.iter().any(|(known, ..)| *known == name);
            assert!(
                is_known || field.kind == "hidden",
                "{pattern}: what of {name}?"
            );
        }
        for (name, _, wrong, said) in *row {
            let about = format!("{pattern} {name}");
            let mut sent: Vec<_> = row
                .iter()
                .map(|(name, right, ..)| (*name, *right))
                .collect();
            sent.iter_mut().find(|(found, _)| found == name).unwrap().1 = wrong;
            sent.extend(hidden.iter().map(|(name, value)| (*name, value.as_str())));
            let (status, is_beside) = match said {
                Beside(status) => (*status, true),
                Above(status) => (*status, false),
                Never => continue,
            };
            let page = reader.submit(&path, &sent).await;
            assert_eq!(page.status, status, "{about}: {}", page.text());
            assert_is_page(&page, status);
            let text = page.text();
            assert!(text.contains("role=\"alert\""), "{about}: {text}");
            let beside = format!("id=\"{}-error\"", name.replace('_', "-"));
            assert_eq!(text.contains(&beside), is_beside, "{about}: {text}");
            assert_eq!(
                text.matches("<p class=\"error\"").count(),
                usize::from(is_beside),
                "{about}: {text}"
            );
            assert_kept(&about, &text, &sent);
        }
    }
}

#[tokio::test]
async fn the_builder_keeps_all_that_was_typed() {
    let full = full().await;
    let mut reader = full.reader(Admin).await;
    for pattern in BUILDERS {
        let (path, _) = full.form(pattern);
        let page = reader.get(&path).await;
        assert_is_page(&page, 200);
        let was = fields(&page.text());
        for (wrong, value) in RULES {
            let mut sent: Vec<(String, String)> = Vec::new();
            for (name, field) in &was {
                let values = field.values.iter();
                sent.extend(values.map(|value| (name.clone(), value.clone())));
            }
            let mut set = |name: &str, value: &str| {
                sent.retain(|(found, _)| found != name);
                sent.push((name.to_owned(), value.to_owned()));
            };
            set("name", "Umbrella");
            set("include.0.counter", "cart");
            set("include.0.at_least", "3");
            set("include.0.when", "days");
            set("include.0.days", "7");
            set(wrong, value);
            set("do", "save");
            let mut sent: Vec<_> = sent
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .collect();
            let about = format!("{pattern} {wrong}");
            let page = reader.submit_bare(&path, &sent).await;
            assert_eq!(page.status, 422, "{about}: {}", page.text());
            let text = page.text();
            let beside = format!("id=\"{}-error\"", wrong.replace(['.', '_'], "-"));
            assert!(text.contains(&beside), "{about}: {text}");
            // The JSON is that of the rules, and the button is none of the fields.
            sent.retain(|(name, _)| !["json", "do"].contains(name));
            assert_kept(&about, &text, &sent);
        }
    }
}

/// Buttons have nothing that could be wrong.
#[tokio::test]
async fn buttons_have_no_fields() {
    let full = full().await;
    let mut reader = full.reader(Admin).await;
    for pattern in BUTTONS
        .iter()
        .filter(|pattern| pattern.contains("/{id}/") || pattern.ends_with("others"))
    {
        let (path, _) = full.form(pattern);
        let page = match pattern.starts_with("companies") {
            true => full.reader(Operator).await.get(&path).await,
            false => reader.get(&path).await,
        };
        // Who has not come yet is not asked about.
        if ["users/{id}/suspend", "users/{id}/resume"].contains(pattern) {
            assert_eq!(page.status, 303, "{pattern}");
            continue;
        }
        assert_is_page(&page, 200);
        for (name, field) in fields(&page.text()) {
            assert_eq!(field.kind, "hidden", "{pattern}: {name} is to be filled in");
        }
    }
}
