//! All companies: for operators, and as if absent for everyone else.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json,
    body::Body,
    extract::{FromRef, State},
    http::Response,
    routing::get,
};
use uuid::Uuid;

use super::{
    ask::Ask,
    company::{fields, zone},
    form::{Field, Form},
    frame::Frame,
    pager::{Pager, of_page},
    pages::Pages,
    response::{again, page, see_other},
    sent::Sent,
    shown::Moment,
    view::View,
};
use crate::{
    accounts::{
        Accounts,
        companies::{
            CompanyState,
            routes::{
                ChangesBody, Companies, CompanyView, FoundingBody, company_of_id, get_companies,
                post_company, put_company_of_id,
            },
        },
        fields::Text,
        path::Id,
        sessions::Sessions,
    },
    auth::permission::ManageCompanies,
    company::DEFAULT_ID,
    edge::{JsonBody, Problem, QueryOf},
};

/// The pages.
pub fn pages<S>() -> Pages<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("companies", get(list))
        .at("companies/new", get(fresh).post(found))
        .at("companies/{id}", get(show).post(change))
        .at("companies/{id}/suspend", get(ask_suspend).post(suspend))
        .at("companies/{id}/resume", get(ask_resume).post(resume))
}

#[derive(Template)]
#[template(path = "console/companies/list.html")]
struct List {
    frame: Frame,
    companies: Vec<Row>,
    pager: Pager,
}

struct Row {
    company: CompanyView,
    founded: Moment,
    /// That of the settings' account is not changed.
    is_default: bool,
    is_active: bool,
}

impl From<CompanyView> for Row {
    fn from(company: CompanyView) -> Self {
        Self {
            founded: Moment::new(company.created_at.clone()),
            is_default: company.id == DEFAULT_ID,
            is_active: company.state == CompanyState::Active,
            company,
        }
    }
}

async fn list(
    view: View<ManageCompanies>,
    State(accounts): State<Arc<Accounts>>,
) -> Result<Response<Body>, Problem> {
    let query = QueryOf(of_page(&view.exchange));
    let Json(Companies { companies, next }) =
        get_companies(State(accounts), view.may(), query).await?;
    page(&List {
        frame: view.frame("Companies"),
        companies: companies.into_iter().map(Row::from).collect(),
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
    fn of(view: &View<ManageCompanies>) -> Self {
        let fields = vec![
            Field::text("name", "Name").at_most(64),
            Field::email("email", "E\u{2011}mail address of its first admin")
                .hint("They get a mail with a link, and choose their password themselves."),
            Field::text("username", "Their name")
                .optional()
                .hint("If you leave it empty, it is what stands before the @."),
            zone().with("UTC"),
        ];
        Self {
            frame: view.frame("New company"),
            about: "A company has people, counters and records of its own, which no other sees.",
            form: view
                .form("Create the company", fields)
                .or_back_to("../companies"),
        }
    }
}

async fn fresh(view: View<ManageCompanies>) -> Result<Response<Body>, Problem> {
    page(&New::of(&view))
}

async fn found(
    State(accounts): State<Arc<Accounts>>,
    sent: Sent<ManageCompanies>,
) -> Result<Response<Body>, Problem> {
    let typed = &sent.typed;
    let body = FoundingBody {
        name: typed.text("name"),
        email: typed.text("email"),
        username: typed.text_if_any("username"),
        time_zone: typed.text_if_any("time_zone"),
    };
    let (may, origin) = (sent.may(), sent.origin.clone());
    match post_company(State(accounts), may, origin, JsonBody(body)).await {
        Ok(_) => see_other(&sent.exchange, "companies?done=company-founded"),
        Err(problem) => again(problem, |problem| {
            let mut new = New::of(&sent);
            new.form = new.form.filled(typed).refused(problem);
            page(&new)
        }),
    }
}

#[derive(Template)]
#[template(path = "console/companies/show.html")]
struct Show {
    frame: Frame,
    row: Row,
    form: Form,
}

impl Show {
    async fn of(
        view: &View<ManageCompanies>,
        accounts: &Accounts,
        id: Uuid,
    ) -> Result<Self, Problem> {
        let row = Row::from(company_of_id(accounts, view.may(), id).await?);
        Ok(Self {
            frame: view.frame(row.company.name.clone()),
            form: view.form("Save", fields(&row.company)),
            row,
        })
    }
}

async fn show(
    view: View<ManageCompanies>,
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    page(&Show::of(&view, &accounts, id).await?)
}

async fn put(
    sent: &Sent<ManageCompanies>,
    accounts: Arc<Accounts>,
    id: Uuid,
    changes: ChangesBody,
) -> Result<(), Problem> {
    let (may, origin) = (sent.may(), sent.origin.clone());
    let changed = put_company_of_id(State(accounts), may, origin, Id(id), JsonBody(changes));
    changed.await.map(drop)
}

async fn change(
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
    sent: Sent<ManageCompanies>,
) -> Result<Response<Body>, Problem> {
    let changes = ChangesBody {
        // That of the settings' account keeps its name.
        name: match id == DEFAULT_ID {
            true => Text::default(),
            false => sent.typed.text("name"),
        },
        time_zone: sent.typed.text_if_sent("time_zone"),
        state: Text::default(),
    };
    match put(&sent, accounts.clone(), id, changes).await {
        Ok(()) => see_other(
            &sent.exchange,
            &format!("companies/{id}?done=company-saved"),
        ),
        Err(problem) => {
            let mut show = Show::of(&sent, &accounts, id).await?;
            again(problem, |problem| {
                show.form = show.form.filled(&sent.typed).refused(problem);
                page(&show)
            })
        }
    }
}

async fn asked(
    view: &View<ManageCompanies>,
    accounts: &Accounts,
    id: Uuid,
    suspends: bool,
) -> Result<Ask, Problem> {
    let CompanyView { name, .. } = company_of_id(accounts, view.may(), id).await?;
    let (title, button, said): (_, _, &[&str]) = match suspends {
        true => (
            format!("Suspend {name}?"),
            "Suspend",
            &[
                "Nobody of it is let in, and nothing is counted for it, until you let it in again.",
                "Its counters, records and accounts stay.",
            ],
        ),
        false => (
            format!("Let {name} in again?"),
            "Let in again",
            &["Its people log in as before, and its write keys count again."],
        ),
    };
    let form = view.form(button, Vec::new()).or_back_to(format!("../{id}"));
    let form = match suspends {
        true => form.destroying(),
        false => form,
    };
    Ok(Ask::new(view.frame(title), form, said))
}

async fn ask_suspend(
    view: View<ManageCompanies>,
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    asked(&view, &accounts, id, true).await?.page()
}

async fn ask_resume(
    view: View<ManageCompanies>,
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    asked(&view, &accounts, id, false).await?.page()
}

fn of_state(state: &str) -> ChangesBody {
    ChangesBody {
        name: Text::default(),
        time_zone: Text::default(),
        state: Text::from(state.to_owned()),
    }
}

async fn suspend(
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
    sent: Sent<ManageCompanies>,
) -> Result<Response<Body>, Problem> {
    let changes = of_state("suspended");
    match put(&sent, accounts.clone(), id, changes).await {
        Ok(()) => see_other(&sent.exchange, "companies?done=company-suspended"),
        Err(problem) => asked(&sent, &accounts, id, true).await?.again(problem),
    }
}

async fn resume(
    State(accounts): State<Arc<Accounts>>,
    Id(id): Id,
    sent: Sent<ManageCompanies>,
) -> Result<Response<Body>, Problem> {
    let changes = of_state("active");
    match put(&sent, accounts.clone(), id, changes).await {
        Ok(()) => see_other(&sent.exchange, "companies?done=company-resumed"),
        Err(problem) => asked(&sent, &accounts, id, false).await?.again(problem),
    }
}
