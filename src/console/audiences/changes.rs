//! Renaming and deleting an audience or a preset.

use std::sync::Arc;

use askama::Template;
use axum::{body::Body, extract::State, http::Response};
use uuid::Uuid;

use super::{
    Linked,
    which::{self, Words},
};
use crate::{
    accounts::{Accounts, path::Id},
    audiences::saved::{Filters, New, Saved},
    auth::permission::Audiences,
    console::{
        exchange::Exchange,
        form::{Field, Form},
        frame::Frame,
        response::{again, page, see_other},
        sent::Sent,
        view::View,
    },
    edge::Problem,
};

#[derive(Template)]
#[template(path = "console/audiences/rename.html")]
struct Rename {
    frame: Frame,
    form: Form,
    existing: Option<Linked>,
}

fn filters<'a>(accounts: &'a Accounts, exchange: &Exchange) -> Filters<'a> {
    Filters {
        accounts,
        list: which::list(exchange),
    }
}

async fn saved(view: &View<Audiences>, accounts: &Accounts, id: Uuid) -> Result<Saved, Problem> {
    let filters = filters(accounts, &view.exchange);
    filters.find(view.reader.caller.company.id(), id).await
}

/// The form for another name.
pub async fn name(
    view: View<Audiences>,
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    let saved = saved(&view, &accounts, id).await?;
    page(&renaming(&view, &saved.row.name, id))
}

fn renaming(view: &View<Audiences>, name: &str, id: Uuid) -> Rename {
    let list = which::list(&view.exchange);
    let field = Field::text(list.name_field(), "Name").at_most(128);
    let form = view.form("Rename", vec![field.with(name)]);
    Rename {
        frame: view.frame(format!("Rename {name}")),
        form: form.or_back_to(format!("../{id}")),
        existing: None,
    }
}

/// Gives it another name.
pub async fn rename(
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
    sent: Sent<Audiences>,
) -> Result<Response<Body>, Problem> {
    let before = saved(&sent, &accounts, id).await?;
    let filters = filters(&accounts, &sent.exchange);
    let list = filters.list;
    let renamed = async {
        let name = sent.typed.text(list.name_field());
        let new = New::read(list, name, Some(&before.filter))?;
        filters
            .replace(&sent.may(), sent.origin.clone(), id, new)
            .await
    };
    let words = Words::of(list);
    match renamed.await {
        Ok(_) => {
            let to = format!("{}/{id}?done={}-renamed", words.path, words.one);
            see_other(&sent.exchange, &to)
        }
        Err(problem) => again(problem, |problem| {
            let mut shown = renaming(&sent, &before.row.name, id);
            shown.form = shown.form.filled(&sent.typed).refused(problem);
            shown.existing = problem.existing().map(Linked::of);
            page(&shown)
        }),
    }
}

#[derive(Template)]
#[template(path = "console/audiences/remove.html")]
struct Remove {
    frame: Frame,
    words: Words,
    id: Uuid,
    sentence: String,
    used_by: Vec<Linked>,
    form: Form,
}

/// Whether it is to be deleted.
pub async fn ask(
    view: View<Audiences>,
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    page(&asked(&view, &accounts, id).await?)
}

async fn asked(view: &View<Audiences>, accounts: &Accounts, id: Uuid) -> Result<Remove, Problem> {
    let saved = saved(view, accounts, id).await?;
    let filters = filters(accounts, &view.exchange);
    let used_by = filters.used_by(view.reader.caller.company.id(), id).await?;
    let form = view.form("Delete", Vec::new());
    Ok(Remove {
        frame: view.frame(format!("Delete “{}”?", saved.row.name)),
        words: Words::of(filters.list),
        id,
        sentence: saved.sentence,
        used_by: used_by.iter().map(Linked::of).collect(),
        form: form.destroying().or_back_to(format!("../{id}")),
    })
}

/// Deletes it.
pub async fn remove(
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
    sent: Sent<Audiences>,
) -> Result<Response<Body>, Problem> {
    let filters = filters(&accounts, &sent.exchange);
    let words = Words::of(filters.list);
    let (may, origin) = (sent.may(), sent.origin.clone());
    match filters.delete(&may, origin, id, words.delete).await {
        Ok(()) => {
            let to = format!("{}?done={}-deleted", words.path, words.one);
            see_other(&sent.exchange, &to)
        }
        Err(problem) => {
            let mut ask = asked(&sent, &accounts, id).await?;
            again(problem, |problem| {
                // What is in the way is named with links.
                if problem.used_by().is_empty() {
                    ask.form = ask.form.clone().refused(problem);
                }
                page(&ask)
            })
        }
    }
}
