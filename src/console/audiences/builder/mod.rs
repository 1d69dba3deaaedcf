//! The builder: rules are added and removed by buttons, each of which sends the form. All of its state is in the
//! form itself, and nothing is saved before that is asked for.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRef, FromRequestParts},
    http::{Response, StatusCode, request::Parts},
};
use serde_json::value::RawValue;
use uuid::Uuid;

mod draft;
mod fields;
mod page;
mod places;
pub mod pretty;
mod preview;
mod reading;
mod state;
mod view;
mod writing;

#[cfg(test)]
mod tests;

pub use self::preview::words as words_of;
use self::{
    fields::Fields,
    page::{Place, Refused},
    preview::Preview,
    state::State,
};
use super::which::{self, Words};
use crate::{
    accounts::{Accounts, fields::Text, path::Id},
    audiences::{
        evaluate::Engine,
        saved::{Filters, List, New},
    },
    auth::permission::{Audiences, ReadRecord},
    console::{response::see_other, sent::Sent, typed::Typed, view::View},
    counting::routes::CountingState,
    edge::{Code, Problem},
};

/// What a script presses while somebody types: what is wrong then is no error yet, and told beside the rules only.
const LIVE: &str = "live";

/// The rooms that the builder asks.
pub struct Rooms {
    /// Where audiences are saved.
    pub accounts: Arc<Accounts>,
    /// Who is in an audience.
    pub engine: Engine,
    /// Which counters there are.
    pub counting: Arc<CountingState>,
}

impl<S> FromRequestParts<S> for Rooms
where
    S: Sync,
    Arc<Accounts>: FromRef<S>,
    Engine: FromRef<S>,
    Arc<CountingState>: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self {
            accounts: FromRef::from_ref(state),
            engine: FromRef::from_ref(state),
            counting: FromRef::from_ref(state),
        })
    }
}

impl Rooms {
    fn filters(&self, list: List) -> Filters<'_> {
        Filters {
            accounts: &self.accounts,
            list,
        }
    }
}

/// `…/new`: with nothing in it, or with what is saved as `?audience=` or `?preset=`.
pub async fn begin(view: View<ReadRecord>, rooms: Rooms) -> Result<Response<Body>, Problem> {
    view.may_also::<Audiences>()?;
    let list = which::list(&view.exchange);
    let typed = Typed::new(view.exchange.query().as_bytes());
    let company = view.reader.caller.company.id();
    let mut state = State::default();
    for (from, name) in [(List::Audiences, "audience"), (List::Presets, "preset")] {
        let id = typed.get(name);
        if id.is_empty() {
            continue;
        }
        let id = Uuid::try_parse(id).map_err(|_| Code::NotFound)?;
        let saved = rooms.filters(from).find(company, id).await?;
        state = State::of_saved(&saved.row.name, saved.filter.get());
        if from == list {
            state.name = String::new();
        }
    }
    state.cursor = Some("name".to_owned());
    at(&view, &rooms, None).await?.look(state).await
}

/// `…/{id}/edit`
pub async fn open(
    view: View<ReadRecord>,
    rooms: Rooms,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    let filters = rooms.filters(which::list(&view.exchange));
    let saved = filters.find(view.reader.caller.company.id(), id).await?;
    let state = State::of_saved(&saved.row.name, saved.filter.get());
    at(&view, &rooms, Some(id)).await?.look(state).await
}

async fn at<'a>(
    view: &'a View<ReadRecord>,
    rooms: &'a Rooms,
    own: Option<Uuid>,
) -> Result<Place<'a>, Problem> {
    let list = which::list(&view.exchange);
    let words = Words::of(list);
    Ok(Place {
        view,
        rooms,
        list,
        own,
        is_by_script: false,
        title: match own {
            Some(_) => format!("Change {} {}", words.article, words.one),
            None => format!("New {}", words.one),
        },
    })
}

/// A button of a new one.
pub async fn press(rooms: Rooms, sent: Sent<ReadRecord>) -> Result<Response<Body>, Problem> {
    pressed(&rooms, &sent, None).await
}

/// A button of one that is changed.
pub async fn press_of(
    rooms: Rooms,
    Id(id): Id,
    sent: Sent<ReadRecord>,
) -> Result<Response<Body>, Problem> {
    pressed(&rooms, &sent, Some(id)).await
}

async fn pressed(
    rooms: &Rooms,
    sent: &Sent<ReadRecord>,
    own: Option<Uuid>,
) -> Result<Response<Body>, Problem> {
    let fields = Fields::of(&sent.typed);
    let button = fields.get("do");
    let mut state = State::of_sent(&fields, &button);
    let place = Place {
        is_by_script: fields.get("by") == "script",
        ..at(sent, rooms, own).await?
    };
    if !state.errors.is_empty() {
        let preview = Preview::of_errors(&state);
        return place.show(state, preview, None, button != LIVE).await;
    }
    match button.as_str() {
        LIVE => {
            let preview = Preview::of(&mut state, rooms, sent.may(), true).await;
            place.show(state, preview, None, false).await
        }
        "save" => save(place, state, sent).await,
        "save-preset" => {
            let place = Place {
                list: List::Presets,
                own: None,
                ..place
            };
            save(place, state, sent).await
        }
        "json" | "rules" => place.told(state, false).await,
        "" | "look" => place.told(state, true).await,
        step => {
            state.cursor = state.draft.step(step);
            place.look(state).await
        }
    }
}

impl Place<'_> {
    /// As it is on the way: what is not filled in yet is no error.
    async fn look(&self, mut state: State) -> Result<Response<Body>, Problem> {
        let preview = Preview::of(&mut state, self.rooms, self.view.may(), false).await;
        let preview = match state.errors.is_empty() {
            true => preview,
            false => Preview::default(),
        };
        self.show(state, preview, None, false).await
    }

    /// With all that is wrong said, and if nothing is, who is meant counted.
    async fn told(&self, mut state: State, is_counted: bool) -> Result<Response<Body>, Problem> {
        let preview = Preview::of(&mut state, self.rooms, self.view.may(), is_counted).await;
        self.show(state, preview, None, true).await
    }
}

async fn save(
    place: Place<'_>,
    mut state: State,
    sent: &Sent<ReadRecord>,
) -> Result<Response<Body>, Problem> {
    let may = sent.may_also::<Audiences>()?;
    let json = state.check();
    let list = place.list;
    if !state.errors.is_empty() {
        let preview = Preview::of_errors(&state);
        return place.show(state, preview, None, true).await;
    }
    let saved = async {
        let json = RawValue::from_string(json);
        let json = json.map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
        let new = New::read(list, Text::from(state.name.clone()), Some(&json))?;
        let (filters, origin) = (place.rooms.filters(list), sent.origin.clone());
        match place.own {
            Some(id) => filters.replace(&may, origin, id, new).await,
            None => {
                filters
                    .create(&may, origin, new, Words::of(list).create)
                    .await
            }
        }
    };
    let problem = match saved.await {
        Ok(saved) => {
            let words = Words::of(list);
            let to = format!("{}/{}?done={}-saved", words.path, saved.row.id, words.one);
            return see_other(&sent.exchange, &to);
        }
        Err(problem) => problem,
    };
    let status = problem.code.status();
    if matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
        return Err(problem);
    }
    note(&mut state, list, &problem);
    let mut sound = State::of_sent(&Fields::of(&sent.typed), "rules");
    let preview = Preview::of(&mut sound, place.rooms, sent.may(), false).await;
    let refused = Refused::by(&problem);
    place
        .show(state, preview, Some((refused, status)), true)
        .await
}

/// What is wrong with what was to be saved, beside its fields.
fn note(state: &mut State, list: List, problem: &Problem) {
    let field = problem.field.as_deref();
    if field == Some(list.name_field()) {
        let said = match problem.existing() {
            Some(_) => "Another one has this name, or one that looks like it.".to_owned(),
            None => problem
                .detail
                .replace(&format!("The field `{}`", list.name_field()), "This"),
        };
        state.errors.note("name", &said);
    }
    let within = format!("/{}", list.filter_field());
    state
        .errors
        .note_places(&state.draft, &within, problem.errors());
}
