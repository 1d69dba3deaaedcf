//! What the builder tells of a filter: its sentence, and whom it means.

use askama::{Template, filters::HtmlSafe};
use axum::{Json, extract::State as From, http::StatusCode};
use serde_json::value::RawValue;

use super::{Rooms, state::State};
use crate::{
    audiences::{
        build::{BuiltAudience, post_build_audience},
        members::AsOfQuery,
        saved::{read_filter, sentence},
    },
    auth::{May, permission::ReadRecord},
    company::Zone,
    console::shown::{Exact, Moment},
    edge::{Code, JsonBody, Problem, QueryOf},
};

/// What is told. In a template: `{{ preview }}`.
#[derive(Debug, Template, Default)]
#[template(path = "console/audiences/preview.html")]
pub struct Preview {
    sentence: Option<String>,
    counted: Option<Counted>,
    /// Why it could not be counted.
    trouble: Option<String>,
    /// What is to be put right before: ids of fields, and what is wrong.
    wrong: Vec<Wrong>,
    /// In which its time is shown.
    pub zone: Zone,
    /// With what the page is answered.
    pub status: StatusCode,
}

impl HtmlSafe for Preview {}

/// Whom a filter means.
#[derive(Debug)]
struct Counted {
    size: Exact,
    at: Moment,
    sample: Vec<String>,
}

/// Something that is wrong, in a list of all that is.
#[derive(Debug, Clone)]
pub struct Wrong {
    /// The id of its field; empty without one.
    pub id: String,
    /// Where that is.
    pub place: String,
    /// What is wrong.
    pub said: String,
}

impl Preview {
    /// Of what is in the builder; with how many there are, if that is asked for.
    pub async fn of(
        state: &mut State,
        rooms: &Rooms,
        may: May<ReadRecord>,
        is_counted: bool,
    ) -> Self {
        let json = state.check();
        if !state.errors.is_empty() {
            return Self::of_errors(state);
        }
        let mut preview = Self::default();
        if let Err(problem) = preview.fill(&json, rooms, may, is_counted).await {
            preview.status = problem.code.status();
            if !problem.errors().is_empty() {
                let canonical = read_filter(&json, "").map(|filter| filter.canonical);
                let canonical = canonical.unwrap_or_default();
                state
                    .errors
                    .note_canonical(&state.draft, &canonical, problem.errors());
                return Self {
                    sentence: preview.sentence,
                    ..Self::of_errors(state)
                };
            }
            preview.trouble = Some(words(&problem));
        }
        preview
    }

    /// That something is to be put right.
    pub fn of_errors(state: &State) -> Self {
        Self {
            wrong: wrong(state),
            status: StatusCode::UNPROCESSABLE_ENTITY,
            ..Self::default()
        }
    }

    async fn fill(
        &mut self,
        json: &str,
        rooms: &Rooms,
        may: May<ReadRecord>,
        is_counted: bool,
    ) -> Result<(), Problem> {
        let filter = read_filter(json, "")?;
        let said = sentence(&rooms.accounts, may.company.id(), &filter.tree).await;
        self.sentence = said.as_ref().ok().cloned();
        if !is_counted {
            return said.map(drop);
        }
        let json = RawValue::from_string(json.to_owned());
        let json = json.map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
        let built = post_build_audience(
            From(rooms.accounts.clone()),
            From(rooms.engine.clone()),
            may,
            QueryOf(AsOfQuery::default()),
            JsonBody(json),
        );
        let Json(BuiltAudience {
            size, sample, at, ..
        }) = built.await?;
        self.counted = Some(Counted {
            size: size.into(),
            at: Moment::new(at),
            sample,
        });
        Ok(())
    }
}

/// Why something could not be counted, for people.
pub fn words(problem: &Problem) -> String {
    match problem.code {
        Code::DatabaseUnavailable => "The database does not answer, so nobody can be counted now. Nothing of what you built is lost: try again in a moment.".to_owned(),
        Code::QueryTooSlow => "This takes the database too long. Ask for a shorter time, or for fewer conditions on properties.".to_owned(),
        _ => problem.detail.to_string(),
    }
}

/// All that is wrong, in the order of the form.
pub fn wrong(state: &State) -> Vec<Wrong> {
    let all = state.errors.all();
    let mut all: Vec<_> = all.map(|(name, said)| of(name, said)).collect();
    // The name is first in the form, and `exclude` after `include`.
    all.sort_by_key(|wrong| match wrong.id.split('-').next() {
        Some("name") => 0,
        Some("include") => 1,
        Some("exclude") => 2,
        _ => 3,
    });
    all
}

/// The id that a field of this name has in the page.
pub fn id(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

fn of(name: &str, said: &str) -> Wrong {
    let mut parts = name.split('.');
    let side = match parts.next() {
        Some("include") => "Who is meant",
        Some("exclude") => "But not",
        Some("name") => "Name",
        Some("json") => "JSON",
        _ => "",
    };
    let places = parts.map_while(|part| part.parse::<usize>().ok());
    let places: Vec<_> = places.map(|place| (place + 1).to_string()).collect();
    let place = match (side, places.is_empty()) {
        (side, true) => side.to_owned(),
        (side, false) => format!("{side}, rule {}", places.join(".")),
    };
    Wrong {
        id: id(name),
        place,
        said: said.to_owned(),
    }
}
