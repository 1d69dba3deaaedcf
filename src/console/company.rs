//! One's own company.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json,
    body::Body,
    extract::{FromRef, State},
    http::Response,
    routing::get,
};

use super::{
    form::{Field, Form},
    frame::Frame,
    pages::Pages,
    response::{again, page, see_other},
    sent::Sent,
    shown::Moment,
    view::View,
};
use crate::{
    accounts::{
        Accounts,
        companies::routes::{CompanyView, OwnChangesBody, get_company, put_company},
        sessions::Sessions,
    },
    auth::permission::{ManageCompany, OwnAccount, Permission},
    company::DEFAULT_ID,
    edge::{JsonBody, Problem},
};

/// The pages.
pub fn pages<S>() -> Pages<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new().at("company", get(show).post(change))
}

#[derive(Template)]
#[template(path = "console/company.html")]
struct Show {
    frame: Frame,
    company: CompanyView,
    founded: Moment,
    is_default: bool,
    /// Of who may change it.
    form: Option<Form>,
}

impl Show {
    async fn of<P: Permission>(view: &View<P>, accounts: Arc<Accounts>) -> Result<Self, Problem> {
        let may = view.may_also::<OwnAccount>()?;
        let Json(company) = get_company(State(accounts), may).await?;
        let is_default = company.id == DEFAULT_ID;
        let may_change = view.may_also::<ManageCompany>().is_ok();
        Ok(Self {
            frame: view.frame("Company"),
            founded: Moment::new(company.created_at.clone()),
            is_default,
            form: may_change.then(|| view.form("Save", fields(&company))),
            company,
        })
    }
}

/// What can be changed of a company. That of the settings' account keeps its name.
pub fn fields(company: &CompanyView) -> Vec<Field> {
    let name = Field::text("name", "Name").at_most(64).with(&company.name);
    let is_default = company.id == DEFAULT_ID;
    let name = (!is_default).then_some(name);
    let zone = zone().with(&company.time_zone);
    name.into_iter().chain([zone]).collect()
}

/// Its time zone.
pub fn zone() -> Field {
    Field::text("time_zone", "Time zone").at_most(64).hint(
        "A name like Europe/Berlin, or UTC. Days begin by it, and times are shown in it where no script shows them in yours.",
    )
}

async fn show(
    view: View<OwnAccount>,
    State(accounts): State<Arc<Accounts>>,
) -> Result<Response<Body>, Problem> {
    page(&Show::of(&view, accounts).await?)
}

async fn change(
    State(accounts): State<Arc<Accounts>>,
    sent: Sent<ManageCompany>,
) -> Result<Response<Body>, Problem> {
    let body = OwnChangesBody {
        name: sent.typed.text_if_sent("name"),
        time_zone: sent.typed.text_if_sent("time_zone"),
    };
    let (may, origin) = (sent.may(), sent.origin.clone());
    match put_company(State(accounts.clone()), may, origin, JsonBody(body)).await {
        Ok(_) => see_other(&sent.exchange, "company?done=company-saved"),
        Err(problem) => {
            let mut show = Show::of(&sent, accounts).await?;
            again(problem, |problem| {
                let form = show.form.take();
                show.form = form.map(|form| form.filled(&sent.typed).refused(problem));
                page(&show)
            })
        }
    }
}
