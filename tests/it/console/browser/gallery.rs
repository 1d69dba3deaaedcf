//! Every page of the console, empty and with a month of visits in it: what to look at, with a browser or by eye.

use std::path::Path;

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

/// The routes that are pages.
pub fn pages() -> Vec<String> {
    let mut pages = patterns();
    pages.retain(|pattern| !NO_PAGES.contains(&pattern.as_str()));
    pages
}

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Nobody,
    /// Of the company that is full.
    Viewer,
    Admin,
    /// Of a company in which nothing was ever done.
    Operator,
}

/// What is done on a page before it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Nothing,
    /// Its form is sent as it is, and comes back with what is wrong.
    Send,
    /// This script is run, and the page then says this.
    Do(&'static str, &'static str),
}

/// A page to look at.
#[derive(Debug, Clone)]
pub struct Stop {
    pub who: Who,
    /// Of the router; or that of a page that is not one of the console.
    pub pattern: &'static str,
    /// Of its pictures.
    pub name: &'static str,
    /// Below the origin.
    pub path: String,
    pub then: Then,
    /// Whether the page says that something is not there, or not for who asks.
    pub is_error: bool,
}

/// A service with all that pages show.
pub struct Gallery {
    pub footfall: Footfall,
    pub stops: Vec<Stop>,
    folder: tempfile::TempDir,
}

/// The ids that stand in addresses.
struct Ids {
    max: Value,
    vera: Value,
    bo: Value,
    audience: Value,
    nobody: Value,
    preset: Value,
    key: Value,
    token: Value,
    session: Value,
    demo: Value,
    closed: Value,
    letters: Vec<Letter>,
}

impl Ids {
    fn link(&self, name: &str) -> String {
        let wanted = format!("/console/{name}?token=");
        let found = self
            .letters
            .iter()
            .find(|letter| letter.text.contains(&wanted));
        let found = found.unwrap_or_else(|| panic!("no mail with {wanted}"));
        format!("console/{name}?token={}", found.token())
    }
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
            .start();
        footfall.ready().await;
        let ids = fill(&footfall, folder.path()).await;
        let stops = stops(&ids);
        for pattern in pages() {
            let is_shown = stops.iter().any(|stop| stop.pattern == pattern);
            assert!(is_shown, "nobody looks at {pattern}: add it to `stops`");
        }
        Self {
            footfall,
            stops,
            folder,
        }
    }
}

impl Gallery {
    /// Where its database is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client of the admin of the full company.
    pub async fn admin(&self) -> Client {
        let pass = self
            .footfall
            .client()
            .login("ada@demo.example", PASSWORD)
            .await
            .json();
        self.footfall
            .client()
            .with_token(pass["token"].as_str().unwrap())
    }
}

/// What the API has in a list.
async fn listed(client: &mut Client, path: &str, of: &str) -> Vec<Value> {
    let reply = client.get(path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()[of].as_array().unwrap().clone()
}

fn id_of(list: &[Value], name: &str, value: &str) -> Value {
    let found = list.iter().find(|one| one[name] == value);
    found.unwrap_or_else(|| panic!("no {value}: {list:?}"))["id"].clone()
}

/// Does what somebody would do in a month, and `footfall demo` does not.
async fn fill(footfall: &Footfall, folder: &Path) -> Ids {
    let ada = ("ada@demo.example", PASSWORD);
    let mut admin = Reader::new(footfall.client()).log_in(ada.0, ada.1).await;
    let pass = footfall.client().login(ada.0, ada.1).await.json();
    let mut api = footfall
        .client()
        .with_token(pass["token"].as_str().unwrap());
    let done = async |reader: &mut Reader, path: &str, fields: &[(&str, &str)]| {
        let reply = reader.submit(path, fields).await;
        assert!(
            matches!(reply.status.as_u16(), 201..=303),
            "{path}: {}",
            reply.text()
        );
    };
    let invited = [
        ("email", "bo@demo.example"),
        ("username", "bo"),
        ("role", "member"),
    ];
    done(&mut admin, "/console/users/invite", &invited).await;
    let counter = [
        ("name", "new.page"),
        ("on", "on"),
        ("retention_days", "400"),
        ("visitor", "hashed"),
    ];
    done(&mut admin, "/console/counters/+new", &counter).await;
    let key = [
        ("name", "our shop"),
        ("counters", "shop.page\nshop.cart"),
        ("origins", "https://shop.example\nhttps://www.shop.example"),
        ("rate", ""),
    ];
    done(&mut admin, "/console/write-keys/new", &key).await;
    let token = [
        ("name", "shop in Graz"),
        ("scopes", "visits:write"),
        ("expires_at", ""),
    ];
    done(&mut admin, "/console/tokens/new", &token).await;
    let email = [("email", "ada@new.example"), ("password", PASSWORD)];
    done(&mut admin, "/console/account/email", &email).await;
    let nobody = json!({ "name": "Nobody yet", "filter": { "include": { "did": { "counter": "new.page" } } } });
    let made = api.post_json("/api/audiences", &nobody.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let users = listed(&mut api, "/api/users", "users").await;
    let max = id_of(&users, "username", "max");
    let path = format!("/console/users/{}/suspend", max.as_str().unwrap());
    done(&mut admin, &path, &[]).await;
    let mut strangers = Reader::new(footfall.client());
    done(
        &mut strangers,
        "/console/forgot",
        &[("email", "vera@demo.example")],
    )
    .await;
    let own = people::registration("Acme", "anna@a.example", "anna");
    assert_eq!(
        people::post(&mut footfall.client(), "/auth/register", &own)
            .await
            .status,
        202
    );

    let mut operator = Reader::new(footfall.client())
        .log_in("admin", "password")
        .await;
    let company = [
        ("name", "Old shop"),
        ("email", "x@old.example"),
        ("username", ""),
    ];
    done(&mut operator, "/console/companies/new", &company).await;
    let mut chief = footfall.client().with_token(&footfall.token().await);
    let companies = listed(&mut chief, "/api/companies", "companies").await;
    let closed = id_of(&companies, "name", "Old shop");
    let path = format!("/console/companies/{}/suspend", closed.as_str().unwrap());
    done(&mut operator, &path, &[]).await;

    let sessions = listed(&mut api, "/auth/sessions", "sessions").await;
    let audiences = listed(&mut api, "/api/audiences", "audiences").await;
    let letters = until("five mails are there", async || {
        let letters = people::read(&folder.join("mail"));
        let with_links = letters
            .iter()
            .filter(|letter| letter.text.contains("?token="));
        (with_links.count() >= 4).then_some(letters)
    });
    Ids {
        letters: letters.await,
        session: sessions[0]["id"].clone(),
        audience: id_of(&audiences, "name", "Regulars"),
        nobody: id_of(&audiences, "name", "Nobody yet"),
        preset: listed(&mut api, "/api/presets", "presets").await[0]["id"].clone(),
        key: listed(&mut api, "/api/write-keys", "keys").await[0]["id"].clone(),
        token: listed(&mut api, "/auth/tokens", "tokens").await[0]["id"].clone(),
        vera: id_of(&users, "username", "vera"),
        bo: id_of(&users, "username", "bo"),
        demo: id_of(&companies, "name", "Demo"),
        max,
        closed,
    }
}

/// All there is to look at, by who looks.
fn stops(ids: &Ids) -> Vec<Stop> {
    let mut all = Vec::new();
    entry(ids, &mut all);
    admin(ids, &mut all);
    audiences(ids, &mut all);
    people(ids, &mut all);
    operator(ids, &mut all);
    all.sort_by_key(|stop| stop.who);
    all
}

type Line<'a> = (&'static str, &'static str, &'a str, Then);

fn add(all: &mut Vec<Stop>, who: Who, lines: &[Line<'_>]) {
    for (pattern, name, path, then) in lines {
        all.push(Stop {
            who,
            pattern,
            name,
            path: (*path).to_owned(),
            then: *then,
            is_error: name.starts_with("error-"),
        });
    }
}

/// A page of the admin's in whose address `id` stands.
pub fn of(pattern: &'static str, name: &'static str, id: &Value) -> Stop {
    let path = pattern.replace("{id}", id.as_str().unwrap());
    Stop {
        who: Who::Admin,
        pattern,
        name,
        path: path.trim_start_matches('/').to_owned(),
        then: Then::Nothing,
        is_error: false,
    }
}

use Then::{Do, Nothing, Send};

fn entry(ids: &Ids, all: &mut Vec<Stop>) {
    let [confirm, invitation, email, reset] =
        ["confirm", "invitation", "email", "reset"].map(|name| ids.link(name));
    let lines = [
        ("/", "start", "", Nothing),
        ("/nothing", "error-nothing", "nothing/at/all", Nothing),
        (
            "/console/{*rest}",
            "error-nobody",
            "console/nothing",
            Nothing,
        ),
        ("/console/login", "login", "console/login", Nothing),
        (
            "/console/login",
            "login-signed-out",
            "console/login?done=signed-out",
            Nothing,
        ),
        ("/console/login", "login-refused", "console/login", Send),
        ("/console/register", "register", "console/register", Nothing),
        (
            "/console/register",
            "register-refused",
            "console/register",
            Send,
        ),
        ("/console/forgot", "forgot", "console/forgot", Nothing),
        ("/console/forgot", "forgot-refused", "console/forgot", Send),
        (
            "/console/forgot",
            "sent",
            "console/forgot",
            Do(
                "document.getElementById('email').value = 'eve@a.example'; document.querySelector('main form').requestSubmit();",
                "Look into your mail",
            ),
        ),
        ("/console/confirm", "confirm", &confirm, Nothing),
        ("/console/confirm", "confirm-refused", &confirm, Send),
        ("/console/confirm", "error-link", "console/confirm", Nothing),
        ("/console/invitation", "invitation", &invitation, Nothing),
        ("/console/email", "email", &email, Nothing),
        ("/console/reset", "reset", &reset, Nothing),
    ];
    add(all, Who::Nobody, &lines);
    let lines = [
        ("/console/", "home-viewer", "console/", Nothing),
        (
            "/console/users",
            "error-forbidden",
            "console/users",
            Nothing,
        ),
    ];
    add(all, Who::Viewer, &lines);
}

fn admin(ids: &Ids, all: &mut Vec<Stop>) {
    let lines = [
        ("/console/", "home", "console/", Nothing),
        (
            "/console/{*rest}",
            "error-not-found",
            "console/nothing",
            Nothing,
        ),
        (
            "/console/counters",
            "counters",
            "console/counters?sort=today",
            Nothing,
        ),
        (
            "/console/counters",
            "counters-none",
            "console/counters?q=zzz",
            Nothing,
        ),
        (
            "/console/counters/+new",
            "counter-new",
            "console/counters/+new",
            Nothing,
        ),
        (
            "/console/counters/+new",
            "counter-new-refused",
            "console/counters/+new",
            Send,
        ),
        (
            "/console/counters/{name}",
            "counter",
            "console/counters/visits",
            Nothing,
        ),
        (
            "/console/counters/{name}",
            "counter-day",
            "console/counters/visits?range=24h",
            Nothing,
        ),
        (
            "/console/counters/{name}",
            "counter-property",
            "console/counters/orders?range=7d&property=plan",
            Nothing,
        ),
        (
            "/console/counters/{name}",
            "counter-empty",
            "console/counters/new.page",
            Nothing,
        ),
        (
            "/console/counters/{name}",
            "counter-refused",
            "console/counters/visits?from=nonsense",
            Nothing,
        ),
        (
            "/console/counters/{name}/recording",
            "recording",
            "console/counters/visits/recording",
            Nothing,
        ),
        (
            "/console/counters/{name}/visits",
            "visit-find",
            "console/counters/visits/visits?number=seven",
            Nothing,
        ),
        (
            "/console/counters/{name}/visits/{number}",
            "visit",
            "console/counters/visits/visits/5",
            Nothing,
        ),
        (
            "/console/counters/{name}",
            "error-no-counter",
            "console/counters/never",
            Nothing,
        ),
        (
            "/console/write-keys",
            "write-keys",
            "console/write-keys",
            Nothing,
        ),
        (
            "/console/write-keys/new",
            "write-key-new",
            "console/write-keys/new",
            Nothing,
        ),
        (
            "/console/write-keys/new",
            "write-key-refused",
            "console/write-keys/new",
            Send,
        ),
        ("/console/tokens", "tokens", "console/tokens", Nothing),
        (
            "/console/tokens/new",
            "token-new",
            "console/tokens/new",
            Nothing,
        ),
        (
            "/console/tokens/new",
            "token-refused",
            "console/tokens/new",
            Send,
        ),
        (
            "/console/tokens/new",
            "token-made",
            "console/tokens/new",
            Do(
                "document.getElementById('name').value = 'till'; document.getElementById('scopes-1').click(); document.querySelector('main form').requestSubmit();",
                "Copy the token now",
            ),
        ),
        ("/console/audit", "audit", "console/audit", Nothing),
        (
            "/console/audit",
            "audit-none",
            "console/audit?action=export.audit",
            Nothing,
        ),
        (
            "/console/audit",
            "audit-refused",
            "console/audit?from=yesterday",
            Nothing,
        ),
        ("/console/company", "company", "console/company", Nothing),
        (
            "/console/company",
            "company-refused",
            "console/company",
            Do(
                "document.getElementById('name').value = ''; document.querySelector('main form').noValidate = true; document.querySelector('main form').requestSubmit();",
                "Not sent",
            ),
        ),
        ("/console/account", "account", "console/account", Nothing),
        (
            "/console/account/name",
            "account-name",
            "console/account/name",
            Nothing,
        ),
        (
            "/console/account/email",
            "account-email",
            "console/account/email",
            Nothing,
        ),
        (
            "/console/account/email",
            "account-email-refused",
            "console/account/email",
            Send,
        ),
        (
            "/console/account/password",
            "account-password",
            "console/account/password",
            Nothing,
        ),
        (
            "/console/account/delete",
            "account-delete",
            "console/account/delete",
            Nothing,
        ),
        (
            "/console/account/delete",
            "account-delete-refused",
            "console/account/delete",
            Send,
        ),
        ("/console/sessions", "sessions", "console/sessions", Nothing),
        (
            "/console/sessions/end-others",
            "sessions-end",
            "console/sessions/end-others",
            Nothing,
        ),
    ];
    add(all, Who::Admin, &lines);
    all.extend([
        of("/console/write-keys/{id}", "write-key", &ids.key),
        of("/console/write-keys/{id}/end", "write-key-end", &ids.key),
        of("/console/tokens/{id}/end", "token-end", &ids.token),
        of("/console/sessions/{id}/end", "session-end", &ids.session),
    ]);
}

/// Opens all there is of the builder, with a rule of each kind.
const BUILT: &str = "
    for (const [name, value] of [['name', 'Customers'], ['include.0.counter', 'orders']]) {
        document.querySelector(`#builder [name='${name}']`).value = value;
    }
    document.querySelector(\"button[value='add group exclude']\").click();";

fn audiences(ids: &Ids, all: &mut Vec<Stop>) {
    let lines = [
        (
            "/console/audiences",
            "audiences",
            "console/audiences",
            Nothing,
        ),
        (
            "/console/audiences",
            "audiences-none",
            "console/audiences?q=zzz",
            Nothing,
        ),
        (
            "/console/audiences/new",
            "audience-new",
            "console/audiences/new",
            Nothing,
        ),
        (
            "/console/audiences/new",
            "audience-built",
            "console/audiences/new",
            Do(BUILT, "to be filled in"),
        ),
        (
            "/console/audiences/new",
            "audience-refused",
            "console/audiences/new",
            Do(
                "document.querySelector(\"button[value='save']\").click();",
                "must",
            ),
        ),
        ("/console/presets", "presets", "console/presets", Nothing),
        (
            "/console/presets/new",
            "preset-new",
            "console/presets/new",
            Nothing,
        ),
    ];
    add(all, Who::Admin, &lines);
    all.extend([
        of("/console/audiences/{id}", "audience", &ids.audience),
        of(
            "/console/audiences/{id}/edit",
            "audience-edit",
            &ids.audience,
        ),
        of(
            "/console/audiences/{id}/members",
            "audience-members",
            &ids.audience,
        ),
        of(
            "/console/audiences/{id}/members",
            "audience-members-empty",
            &ids.nobody,
        ),
        of(
            "/console/audiences/{id}/remove",
            "audience-remove",
            &ids.audience,
        ),
        of(
            "/console/audiences/{id}/rename",
            "audience-rename",
            &ids.audience,
        ),
        of("/console/presets/{id}", "preset", &ids.preset),
        of("/console/presets/{id}/edit", "preset-edit", &ids.preset),
        of("/console/presets/{id}/remove", "preset-remove", &ids.preset),
        of("/console/presets/{id}/rename", "preset-rename", &ids.preset),
    ]);
}

fn people(ids: &Ids, all: &mut Vec<Stop>) {
    let lines = [
        ("/console/users", "people", "console/users", Nothing),
        (
            "/console/users",
            "people-none",
            "console/users?state=active&role=operator",
            Nothing,
        ),
        (
            "/console/users",
            "invitations",
            "console/users?state=invited",
            Nothing,
        ),
        (
            "/console/users/invite",
            "invite",
            "console/users/invite",
            Nothing,
        ),
        (
            "/console/users/invite",
            "invite-refused",
            "console/users/invite",
            Send,
        ),
    ];
    add(all, Who::Admin, &lines);
    all.extend([
        of("/console/users/{id}", "person", &ids.vera),
        of("/console/users/{id}", "person-invited", &ids.bo),
        of("/console/users/{id}", "person-suspended", &ids.max),
        of("/console/users/{id}/invite", "person-invite", &ids.bo),
        of("/console/users/{id}/remove", "person-remove", &ids.vera),
        of("/console/users/{id}/resume", "person-resume", &ids.max),
        of("/console/users/{id}/suspend", "person-suspend", &ids.vera),
    ]);
}

fn operator(ids: &Ids, all: &mut Vec<Stop>) {
    let lines = [
        ("/console/", "home-empty", "console/", Nothing),
        (
            "/console/counters",
            "counters-empty",
            "console/counters",
            Nothing,
        ),
        (
            "/console/audiences",
            "audiences-empty",
            "console/audiences",
            Nothing,
        ),
        (
            "/console/presets",
            "presets-empty",
            "console/presets",
            Nothing,
        ),
        ("/console/users", "people-alone", "console/users", Nothing),
        (
            "/console/users",
            "invitations-empty",
            "console/users?state=invited",
            Nothing,
        ),
        (
            "/console/write-keys",
            "write-keys-empty",
            "console/write-keys",
            Nothing,
        ),
        ("/console/tokens", "tokens-empty", "console/tokens", Nothing),
        ("/console/audit", "audit-all", "console/audit", Nothing),
        (
            "/console/company",
            "company-default",
            "console/company",
            Nothing,
        ),
        (
            "/console/account",
            "account-settings",
            "console/account",
            Nothing,
        ),
        (
            "/console/companies",
            "companies",
            "console/companies",
            Nothing,
        ),
        (
            "/console/companies/new",
            "company-new",
            "console/companies/new",
            Nothing,
        ),
        (
            "/console/companies/new",
            "company-new-refused",
            "console/companies/new",
            Send,
        ),
        ("/console/settings", "settings", "console/settings", Nothing),
    ];
    add(all, Who::Operator, &lines);
    let of_companies = [
        of("/console/companies/{id}", "company-one", &ids.demo),
        of(
            "/console/companies/{id}/suspend",
            "company-suspend",
            &ids.demo,
        ),
        of(
            "/console/companies/{id}/resume",
            "company-resume",
            &ids.closed,
        ),
    ];
    all.extend(of_companies.map(|stop| Stop {
        who: Who::Operator,
        ..stop
    }));
}

/// Is whoever looks at what comes next.
pub async fn sign_in_as(visitor: &Visitor, who: Who) {
    visitor.browser.page.delete_all_cookies().await.unwrap();
    match who {
        Who::Nobody => {}
        Who::Viewer => visitor.log_in("vera@demo.example", PASSWORD).await,
        Who::Admin => visitor.log_in("ada@demo.example", PASSWORD).await,
        Who::Operator => visitor.log_in("admin", "password").await,
    }
}

/// Sends the form of a page without what a browser itself would check before.
const SEND: &str = "
    const form = document.querySelector('main form[method=post]');
    form.noValidate = true;
    form.requestSubmit();";

/// Whether nothing is still on its way.
const SETTLED: &str =
    "return document.readyState === 'complete' && !document.querySelector('[aria-busy=true]')";

/// Goes to a page, and does there what is to be done.
pub async fn visit(visitor: &Visitor, stop: &Stop) {
    visitor.open(&stop.path).await;
    match stop.then {
        Nothing => {}
        Send => {
            visitor.browser.script(SEND).await;
            visitor.find("main [role=alert]").await;
        }
        Do(script, text) => {
            visitor.browser.script(script).await;
            visitor.shows(text).await;
        }
    }
    let settled = async || (visitor.browser.script(SETTLED).await == true).then_some(());
    until(stop.name, settled).await;
    let status = "return document.querySelector('main .status') !== null";
    let is_error = visitor.browser.script(status).await == true;
    assert!(!is_error || stop.is_error, "{} is an error", stop.name);
}
