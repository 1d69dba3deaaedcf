//! API tokens: for machines, one's own; admins see those of everybody in the company.

use std::{collections::BTreeSet, sync::Arc};

use askama::Template;
use axum::{
    Json,
    body::Body,
    extract::{FromRef, State},
    http::{Response, StatusCode},
    routing::get,
};
use uuid::Uuid;

use super::{
    ask::Ask,
    days,
    form::{Field, Form, Kind},
    frame::Frame,
    in_force::InForce,
    pager::{Pager, of_page},
    pages::Pages,
    response::{again, page, page_of, see_other},
    sent::Sent,
    shown::{Code, Moment},
    view::View,
};
use crate::{
    accounts::{
        Accounts,
        api_tokens::routes::{
            MadeToken, TokenBody, TokenView, TokensView, delete_token, get_tokens, make_token,
        },
        fields::Text,
        path::Id,
        sessions::Sessions,
    },
    auth::{
        permission::{OwnTokens, TABLE},
        role::{Role, Scope},
    },
    company::Zone,
    edge::{self, Address, Problem, QueryOf, page::PageQuery},
};

/// The pages.
pub fn pages<S>() -> Pages<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    Arc<InForce>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("tokens", get(list))
        .at("tokens/new", get(fresh).post(make))
        .at("tokens/{id}/end", get(ask).post(end))
}

#[derive(Template)]
#[template(path = "console/tokens/list.html")]
struct List {
    frame: Frame,
    is_of_all: bool,
    tokens: Vec<Row>,
    pager: Pager,
}

struct Row {
    token: TokenView,
    created: Moment,
    expires: Option<Moment>,
    used: Option<Moment>,
}

impl From<TokenView> for Row {
    fn from(token: TokenView) -> Self {
        Self {
            created: Moment::new(token.created_at.clone()),
            expires: token.expires_at.clone().map(Moment::new),
            used: token.last_used_at.clone().map(Moment::new),
            token,
        }
    }
}

async fn list(
    view: View<OwnTokens>,
    State(accounts): State<Arc<Accounts>>,
) -> Result<Response<Body>, Problem> {
    let query = of_page(&view.exchange);
    let Json(TokensView { tokens, next }) =
        get_tokens(State(accounts), view.may(), QueryOf(query)).await?;
    page(&List {
        frame: view.frame("API tokens"),
        is_of_all: view.reader.caller.role >= Role::Admin,
        tokens: tokens.into_iter().map(Row::from).collect(),
        pager: Pager::new(&view.exchange, next),
    })
}

#[derive(Template)]
#[template(path = "console/narrow.html")]
struct New {
    frame: Frame,
    about: &'static str,
    form: Form,
}

impl New {
    fn of(view: &View<OwnTokens>) -> Self {
        let role = view.reader.caller.role;
        let scopes = Scope::ALL.into_iter().filter(|scope| gives(*scope, role));
        let scopes = scopes.map(|scope| {
            let name = scope.as_str().to_owned();
            (name.clone(), name, meaning(scope).to_owned())
        });
        let fields = vec![
            Field::text("name", "Name")
                .at_most(64)
                .hint("Where it is used, say: shop in Graz."),
            Field::new("scopes", "Permissions", Kind::Boxes(scopes.collect())).hint(
                "It may do no more than you may, and stops when you are not let in any more.",
            ),
            Field::new("expires_at", "Last day", Kind::Line("date"))
                .optional()
                .hint(format!(
                    "It ends with that day ({}). If you leave it empty, it ends when you end it.",
                    view.reader.zone.name()
                )),
        ];
        Self {
            frame: view.frame("New API token"),
            about: "A machine sends it in place of a login. It is shown once, when it is made: have the place ready where it goes.",
            form: view.form("Make the token", fields).or_back_to("../tokens"),
        }
    }
}

/// Whether somebody of this role may do anything by this scope.
fn gives(scope: Scope, role: Role) -> bool {
    let mut rules = TABLE.iter().map(|(_, rule)| rule);
    rules.any(|rule| rule.scope == Some(scope) && role >= rule.role)
}

fn meaning(scope: Scope) -> &'static str {
    match scope {
        Scope::VisitsWrite => "Count visits.",
        Scope::CountersRead => "Read counters.",
        Scope::RecordRead => "Read the record of visits, audiences and presets.",
        Scope::UsersRead => "Read the people of the company.",
        Scope::UsersWrite => "Invite, change and remove the people of the company.",
    }
}

async fn fresh(view: View<OwnTokens>) -> Result<Response<Body>, Problem> {
    page(&New::of(&view))
}

/// The token itself, on the one page that shows it.
#[derive(Template)]
#[template(path = "console/tokens/made.html")]
struct Made {
    frame: Frame,
    row: Row,
    token: Code,
    curl: Code,
}

async fn make(
    State(accounts): State<Arc<Accounts>>,
    State(settings): State<Arc<InForce>>,
    asked: Address,
    sent: Sent<OwnTokens>,
) -> Result<Response<Body>, Problem> {
    let typed = &sent.typed;
    let scopes: BTreeSet<_> = typed.all("scopes").collect();
    let body = TokenBody {
        name: typed.text("name"),
        scopes: scopes.into_iter().map(ToOwned::to_owned).collect(),
        expires_at: end_of_day(&sent.reader.zone, typed.get("expires_at")),
    };
    match make_token(&accounts, sent.may(), sent.origin.clone(), body).await {
        Ok(MadeToken { token, row }) => {
            let at = settings.address(&asked);
            page_of(
                StatusCode::CREATED,
                &Made {
                    frame: sent.frame(format!("{} is made", row.name)),
                    curl: Code::new("curl", "the command", example(&at, &token, &row.scopes)),
                    token: Code::new("token", "the token", token),
                    row: row.into(),
                },
            )
        }
        Err(problem) => again(problem, |problem| {
            let mut new = New::of(&sent);
            new.form = new.form.filled(typed).refused(problem);
            page(&new)
        }),
    }
}

/// A day as browsers send it, as a moment of the API; whatever else was typed, as it is.
fn end_of_day(zone: &Zone, text: &str) -> Text {
    match (text.trim(), days::all_of(zone, text.trim())) {
        ("", _) => Text::default(),
        (_, Some((_, last))) => Text::from(last.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        (text, None) => Text::from(format!("{text}T23:59:59Z")),
    }
}

/// What can be tried with a token of these scopes.
fn example(at: &str, token: &str, scopes: &[Scope]) -> String {
    let (how, path, body) = match scopes.first() {
        Some(Scope::VisitsWrite) => ("-X POST ", "/api/counters/visits", ""),
        Some(Scope::UsersRead) => ("", "/api/users", ""),
        Some(Scope::UsersWrite) => (
            "",
            "/api/users",
            r#" -H 'Content-Type: application/json' -d '{"email":"anna@example.com","role":"viewer"}'"#,
        ),
        Some(Scope::RecordRead) => ("", "/api/counters/visits/history", ""),
        Some(Scope::CountersRead) | None => ("", "/api/counters", ""),
    };
    format!("curl {how}{at}{path} -H 'Authorization: Bearer {token}'{body}")
}

async fn asked(view: &View<OwnTokens>, accounts: Arc<Accounts>, id: Uuid) -> Result<Ask, Problem> {
    let name = find(view, accounts, id).await?;
    let form = view.form("End the token", Vec::new()).destroying();
    Ok(Ask::new(
        view.frame(format!("End the API token {name}?")),
        form.or_back_to("../../tokens"),
        &[
            "Once it has ended nothing is done with it any more: what uses it is refused.",
            "This cannot be undone.",
        ],
    ))
}

/// What a token is called that its reader may end. The API has no way to ask for one alone; a user has
/// fifty at most.
async fn find(
    view: &View<OwnTokens>,
    accounts: Arc<Accounts>,
    id: Uuid,
) -> Result<String, Problem> {
    let mut cursor = None;
    loop {
        let query = PageQuery {
            cursor,
            limit: Some("1000".to_owned()),
        };
        let Json(TokensView { tokens, next }) =
            get_tokens(State(accounts.clone()), view.may(), QueryOf(query)).await?;
        if let Some(token) = tokens.into_iter().find(|token| token.id == id) {
            return Ok(token.name);
        }
        cursor = Some(next.ok_or(edge::Code::NotFound)?.to_string());
    }
}

async fn ask(
    view: View<OwnTokens>,
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    asked(&view, accounts, id).await?.page()
}

async fn end(
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
    sent: Sent<OwnTokens>,
) -> Result<Response<Body>, Problem> {
    let (may, origin) = (sent.may(), sent.origin.clone());
    match delete_token(State(accounts.clone()), may, origin, Id(id)).await {
        Ok(_) => see_other(&sent.exchange, "tokens?done=token-ended"),
        Err(problem) => asked(&sent, accounts, id).await?.again(problem),
    }
}
