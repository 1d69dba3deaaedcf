//! Every page of the console, empty and with a month of visits in it: what to look at, with a browser or by eye.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use crate::{
    console::matrix::patterns,
    support::{
        Client, Footfall,
        console::Visitor,
        footfall::footfall_command,
        people::{self, Letter},
        process::run,
        reader::Reader,
        until,
    },
};

/// All there is to look at.
const PAGES: &str = include_str!("pages.txt");

/// Of everybody of `footfall demo`.
const PASSWORD: &str = "nobody walked through this door";

/// What is a route of the console and no page of its own.
const NO_PAGES: [&str; 6] = [
    "/console/assets/{file}",
    "/console/audit/export",
    "/console/audiences/{id}/export",
    // These lead back where they are shown.
    "/console/counters/{name}/count",
    "/console/logout",
    "/console/theme",
];

/// What may be done on a page before it is looked at: what it is called, the script, and what the page then says.
const DEEDS: [(&str, &str, &str); 8] = [
    // A form is sent as it is, without what a browser itself would check before.
    (
        "send",
        "const form = document.querySelector('main form[method=post]'); form.noValidate = true; form.requestSubmit();",
        "",
    ),
    (
        "clear",
        "const form = document.querySelector('main form[method=post]'); form.noValidate = true; form.elements.name.value = ''; form.requestSubmit();",
        "Not sent",
    ),
    (
        "forget",
        "document.getElementById('email').value = 'eve@a.example'; document.querySelector('main form').requestSubmit();",
        "Look into your mail",
    ),
    (
        "make",
        "document.getElementById('name').value = 'till'; document.getElementById('scopes-1').click(); document.querySelector('main form').requestSubmit();",
        "Copy the token now",
    ),
    (
        "build",
        "for (const [name, value] of [['name', 'Customers'], ['include.0.counter', 'orders']]) document.querySelector(`#builder [name='${name}']`).value = value; document.querySelector(\"button[value='add group exclude']\").click();",
        "Whoever meets",
    ),
    (
        "export",
        "document.querySelector('#export a[data-export]').click();",
        " members are in ",
    ),
    // A file of which no more comes.
    (
        "wait",
        "fetch = async () => new Response(new ReadableStream({ start: (file) => file.enqueue(new TextEncoder().encode('visitor\\n' + 'a\\n'.repeat(120))) }), { headers: { 'content-disposition': 'attachment; filename=\"a.csv\"' } }); document.querySelector('#export a[data-export]').click();",
        "120",
    ),
    (
        "save",
        "document.querySelector(\"button[value='save']\").click();",
        "",
    ),
];

/// The routes that are pages.
pub fn pages() -> Vec<String> {
    let mut pages = patterns();
    pages.retain(|pattern| !NO_PAGES.contains(&pattern.as_str()));
    pages
}

/// A page to look at: a line of `pages.txt`.
#[derive(Debug, Clone)]
pub struct Stop {
    /// `nobody`; `viewer` and `admin` of a company that is full; `operator` of one in which nothing was ever done.
    pub who: String,
    /// Of its pictures.
    pub name: String,
    pub pattern: String,
    /// Below the origin.
    pub path: String,
    /// One of [`DEEDS`].
    then: Option<String>,
}

impl Stop {
    pub fn new(who: &str, name: &str, path: &str) -> Self {
        Self {
            who: who.to_owned(),
            name: name.to_owned(),
            pattern: String::new(),
            path: path.to_owned(),
            then: None,
        }
    }

    /// With what is done there first.
    pub fn doing(self, deed: &str) -> Self {
        Self {
            then: Some(deed.to_owned()),
            ..self
        }
    }

    /// A line, with these in the place of `{…}`.
    fn read(line: &str, ids: &BTreeMap<&str, String>) -> Self {
        let mut columns = line.split_whitespace().map(ToOwned::to_owned);
        let [who, name, pattern] = [(); 3].map(|()| columns.next().expect(line));
        let path = columns.next().unwrap_or_else(|| pattern.clone());
        let mut path = path.trim_start_matches(['/', '.']).to_owned();
        for (name, id) in ids {
            path = path.replace(&format!("{{{name}}}"), id);
        }
        assert!(!path.contains('{'), "what is that in {line}?");
        let then = columns.next();
        Self {
            who,
            name,
            pattern,
            path,
            then,
        }
    }
}

/// A service with all that pages show.
pub struct Gallery {
    pub footfall: Footfall,
    pub stops: Vec<Stop>,
    folder: tempfile::TempDir,
}

impl Gallery {
    /// With so many days of visits.
    pub async fn of(days: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = footfall_command();
        demo.args(["demo", "--days", &days.to_string()]);
        let output = run(demo.env("FOOTFALL_DATA_DIR", folder.path()));
        assert!(output.status.success(), "{output:?}");
        let footfall = Footfall::builder()
            .env("FOOTFALL_DATA_DIR", folder.path().display())
            .env("FOOTFALL_REQUEST_TIMEOUT", "60s")
            .start();
        footfall.ready().await;
        let mut gallery = Self {
            footfall,
            stops: Vec::new(),
            folder,
        };
        let ids = gallery.fill().await;
        let lines = PAGES
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        gallery.stops = lines.map(|line| Stop::read(line, &ids)).collect();
        for pattern in pages() {
            let is_shown = gallery.stops.iter().any(|stop| stop.pattern == pattern);
            assert!(is_shown, "nobody looks at {pattern}: add it to pages.txt");
        }
        gallery
    }

    /// Where its database is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client of the admin of the full company.
    pub async fn admin(&self) -> Client {
        let mut client = self.footfall.client();
        let pass = client.login("ada@demo.example", PASSWORD).await.json();
        let token = pass["token"].as_str().unwrap();
        self.footfall.client().with_token(token)
    }

    async fn reader(&self, username: &str, password: &str) -> Reader {
        let reader = Reader::new(self.footfall.client());
        reader.log_in(username, password).await
    }

    /// Does what somebody would do in a month, and `footfall demo` does not; and says what stands in addresses.
    async fn fill(&self) -> BTreeMap<&'static str, String> {
        let mut api = self.admin().await;
        let mut admin = self.reader("ada@demo.example", PASSWORD).await;
        for (path, fields) in [
            (
                "users/invite",
                "email=bo@demo.example&username=bo&role=member",
            ),
            (
                "counters/+new",
                "name=new.page&on=on&retention_days=400&visitor=hashed",
            ),
            (
                "write-keys/new",
                "name=our shop&counters=shop.page&origins=https://shop.example&rate=",
            ),
            (
                "tokens/new",
                "name=shop in Graz&scopes=visits:write&expires_at=",
            ),
            (
                "account/email",
                "email=ada@new.example&password=nobody walked through this door",
            ),
            ("forgot", "email=vera@demo.example"),
        ] {
            submit(&mut admin, path, fields).await;
        }
        let filter = json!({ "version": 1, "include": { "did": { "counter": "new.page" } } });
        let nobody = json!({ "name": "Nobody yet", "filter": filter });
        let made = people::post(&mut api, "/api/audiences", &nobody).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let mut stranger = self.footfall.client();
        let own = people::registration("Acme", "anna@a.example", "anna");
        let asked = people::post(&mut stranger, "/auth/register", &own).await;
        assert_eq!(asked.status, 202, "{}", asked.text());
        let users = listed(&mut api, "/api/users", "users").await;
        let max = id_of(&users, "username", "max");
        submit(&mut admin, &format!("users/{max}/suspend"), "").await;

        let mut operator = self.reader("admin", "password").await;
        submit(
            &mut operator,
            "companies/new",
            "name=Old shop&email=x@old.example&username=",
        )
        .await;
        let mut chief = self.footfall.client().logged_in().await;
        let companies = listed(&mut chief, "/api/companies", "companies").await;
        let closed = id_of(&companies, "name", "Old shop");
        submit(&mut operator, &format!("companies/{closed}/suspend"), "").await;

        let audiences = listed(&mut api, "/api/audiences", "audiences").await;
        let mut ids = BTreeMap::from([
            ("max", max),
            ("closed", closed),
            ("vera", id_of(&users, "username", "vera")),
            ("bo", id_of(&users, "username", "bo")),
            ("demo", id_of(&companies, "name", "Demo")),
            ("audience", id_of(&audiences, "name", "Regulars")),
            ("nobody", id_of(&audiences, "name", "Nobody yet")),
        ]);
        for (name, path, list) in [
            ("preset", "/api/presets", "presets"),
            ("key", "/api/write-keys", "keys"),
            ("token", "/auth/tokens", "tokens"),
            ("session", "/auth/sessions", "sessions"),
        ] {
            let first = &listed(&mut api, path, list).await[0]["id"];
            ids.insert(name, first.as_str().unwrap().to_owned());
        }
        for name in ["confirm", "invitation", "email", "reset"] {
            ids.insert(name, self.link(name).await);
        }
        ids
    }

    /// Where the link of a mail leads.
    async fn link(&self, name: &str) -> String {
        let wanted = format!("/console/{name}?token=");
        let letter = until(&wanted, async || {
            let letters: Vec<Letter> = people::read(&self.folder().join("mail"));
            { letters.into_iter() }.find(|letter| letter.text.contains(&wanted))
        });
        format!("console/{name}?token={}", letter.await.token())
    }
}

/// Sends a form.
async fn submit(reader: &mut Reader, path: &str, fields: &str) {
    let fields: Vec<_> = fields
        .split('&')
        .filter_map(|field| field.split_once('='))
        .collect();
    let reply = reader.submit(&format!("/console/{path}"), &fields).await;
    let is_done = matches!(reply.status.as_u16(), 201..=303);
    assert!(is_done, "{path}: {} {}", reply.status, reply.text());
}

/// What the API has in a list.
async fn listed(client: &mut Client, path: &str, of: &str) -> Vec<Value> {
    let reply = client.get(path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()[of].as_array().unwrap().clone()
}

fn id_of(list: &[Value], name: &str, value: &str) -> String {
    let found = list.iter().find(|one| one[name] == value);
    let found = found.unwrap_or_else(|| panic!("no {value}: {list:?}"));
    found["id"].as_str().unwrap().to_owned()
}

/// Is this one from now on.
pub async fn sign_in_as(visitor: &Visitor, who: &str) {
    visitor.browser.page.delete_all_cookies().await.unwrap();
    // On a phone the navigation is not seen at once.
    visitor.browser.screen(1280, 900).await;
    visitor.open("console/login").await;
    match who {
        "nobody" => {}
        "viewer" => visitor.log_in("vera@demo.example", PASSWORD).await,
        "admin" => visitor.log_in("ada@demo.example", PASSWORD).await,
        "operator" => visitor.log_in("admin", "password").await,
        _ => panic!("who is {who}?"),
    }
}

/// Whether nothing is still on its way.
const SETTLED: &str =
    "return document.readyState === 'complete' && !document.querySelector('[aria-busy=true]')";

/// Goes to a page, and does there what is to be done.
pub async fn visit(visitor: &Visitor, stop: &Stop) {
    visitor.open(&stop.path).await;
    if let Some(then) = &stop.then {
        let deed = DEEDS.iter().find(|(name, ..)| name == then);
        let (_, script, text) = deed.unwrap_or_else(|| panic!("nobody knows how to {then}"));
        visitor.browser.script(script).await;
        match *text {
            "" => drop(visitor.find("main [role=alert]").await),
            text => visitor.shows(text).await,
        }
    }
    let settled = async || (visitor.browser.script(SETTLED).await == true).then_some(());
    until(&stop.name, settled).await;
    let status = "return document.querySelector('main .status')?.textContent ?? ''";
    let status = visitor.browser.script(status).await;
    let is_error = stop.name.starts_with("error-") && stop.name != "error-link";
    assert_eq!(status != "", is_error, "{}: {status}", stop.name);
}
