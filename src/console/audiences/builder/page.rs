//! The page of the builder.

use askama::Template;
use axum::{
    body::Body,
    http::{Response, StatusCode, header},
};
use uuid::Uuid;

use super::{
    Rooms,
    draft::Draft,
    preview::{self, Preview, Wrong, words},
    state::State,
    view::{Context, GroupView, both},
};
use crate::{
    audiences::saved::{List, names},
    auth::permission::{Audiences, Permission, ReadRecord},
    console::{
        audiences::{Linked, which::Words},
        form::{Field, Kind},
        frame::Frame,
        response::page_of,
        shown::Code,
        view::View,
    },
    edge::Problem,
};

/// Longest JSON that is sent along with the rules, in bytes: with all that is escaped in it once more it goes into
/// one body with them.
const LONGEST_JSON: usize = 8 * 1024;

/// Counters that can be chosen from; others can be typed.
const MOST_COUNTERS: usize = 1000;

#[derive(Template)]
#[template(path = "console/audiences/builder.html")]
struct Page {
    frame: Frame,
    words: Words,
    action: String,
    back: String,
    csrf_token: String,
    form_id: String,
    name: Field,
    groups: Option<[GroupView; 2]>,
    counters: Vec<String>,
    /// Where it can be edited.
    json: Option<Field>,
    long_json: Code,
    json_was: String,
    preview: Preview,
    refused: Option<Refused>,
    wrong: Vec<Wrong>,
    may_save: bool,
    is_new: bool,
}

/// Why it was not saved.
#[derive(Default)]
pub struct Refused {
    said: String,
    existing: Option<Linked>,
}

impl Refused {
    /// By this problem.
    pub fn by(problem: &Problem) -> Self {
        Self {
            said: match problem.code.status().is_server_error() {
                true => format!("Not saved. {}", words(problem)),
                // What is for programs names the fields as they do.
                false => problem
                    .detail
                    .replace("The field `preset_name`", "The name")
                    .replace("The field `name`", "The name"),
            },
            existing: problem.existing().map(Linked::of),
        }
    }
}

/// Which page it is.
pub struct Place<'a> {
    /// Whose it is.
    pub view: &'a View<ReadRecord>,
    /// What it asks.
    pub rooms: &'a Rooms,
    /// What comes of it.
    pub list: List,
    /// Which one is changed; none, if it is a new one.
    pub own: Option<Uuid>,
    /// Whether a script asks for it, and not a browser that shows it: to that nothing has failed where something is
    /// still to be filled in, which browsers would tell in their console.
    pub is_by_script: bool,
    /// What that is called.
    pub title: String,
}

impl Place<'_> {
    /// The page, with this in it. Errors are beside their fields if they are `told`.
    pub async fn show(
        &self,
        mut state: State,
        mut preview: Preview,
        refused: Option<(Refused, StatusCode)>,
        is_told: bool,
    ) -> Result<Response<Body>, Problem> {
        preview.zone = self.view.reader.zone.clone();
        let status = match &refused {
            Some((_, status)) => *status,
            None if is_told && !self.is_by_script => preview.status,
            None => StatusCode::OK,
        };
        let wrong = match is_told {
            true => preview::wrong(&state),
            false => Vec::new(),
        };
        if let Some(first) = wrong.first().filter(|_| state.cursor.is_none()) {
            let names = state.errors.all().map(|(name, _)| name.to_owned());
            state.cursor = { names }.find(|name| preview::id(name) == first.id);
        }
        if !is_told {
            state.errors = Default::default();
        }
        let page = self
            .page(&state, preview, refused.map(|(refused, _)| refused), wrong)
            .await;
        let mut response = page_of(status, &page)?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, 1.into());
        }
        Ok(response)
    }

    async fn page(
        &self,
        state: &State,
        preview: Preview,
        refused: Option<Refused>,
        wrong: Vec<Wrong>,
    ) -> Page {
        let view = self.view;
        let audiences = self.audiences().await;
        let context = Context {
            audiences: &audiences,
            errors: &state.errors,
            cursor: state.cursor.as_deref(),
        };
        let form = view.form("", Vec::new());
        let words = Words::of(self.list);
        Page {
            frame: view.frame(&self.title),
            words,
            action: form.action,
            back: match self.own {
                Some(id) => format!("{}/{id}", words.path),
                None => words.path.to_owned(),
            },
            csrf_token: form.csrf_token.unwrap_or_default(),
            form_id: form.id.unwrap_or_default(),
            name: Field {
                error: state.errors.of("name"),
                focused: state.cursor.as_deref() == Some("name"),
                ..Field::text("name", "Name").at_most(128).with(&state.name)
            },
            groups: match &state.draft {
                Draft::Rules(rules) => Some(both(rules, &context)),
                Draft::Json(_) => None,
            },
            counters: self.counters().await,
            json: json_field(state),
            long_json: Code::new("long-json", "the filter", state.shown_json()),
            json_was: state.json_was(),
            preview,
            refused,
            wrong,
            may_save: view.reader.caller.role >= Audiences::RULE.role,
            is_new: self.own.is_none(),
        }
    }

    /// The audiences that can be referred to. Without them the rest of the page is of use.
    async fn audiences(&self) -> Vec<(String, String)> {
        let company = self.view.reader.caller.company.id();
        let names = names(&self.rooms.accounts, company).await;
        let mut names: Vec<_> = names
            .unwrap_or_default()
            .into_iter()
            .filter(|(id, _)| self.list != List::Audiences || Some(*id) != self.own)
            .map(|(id, name)| (id.to_string(), name))
            .collect();
        names.sort_by_cached_key(|(_, name)| name.to_lowercase());
        names
    }

    async fn counters(&self) -> Vec<String> {
        let company = self.view.reader.caller.company;
        let counting = &self.rooms.counting.counting;
        let page = counting.list(company, None, MOST_COUNTERS).await;
        page.map_or_else(
            |_| Vec::new(),
            |page| {
                let counters = page.counters.into_iter();
                counters.map(|tally| tally.name.to_string()).collect()
            },
        )
    }
}

/// The field in which the JSON can be edited; none if it is too long to be sent twice.
fn json_field(state: &State) -> Option<Field> {
    let json = state.shown_json();
    let is_needed = matches!(state.draft, Draft::Json(_)) || state.json.is_some();
    (is_needed || json.len() <= LONGEST_JSON).then(|| Field {
        error: state.errors.of("json"),
        focused: state.cursor.as_deref() == Some("json"),
        ..Field::new("json", "The filter as JSON", Kind::Lines).with(json)
    })
}
