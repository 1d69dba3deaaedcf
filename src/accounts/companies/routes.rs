//! `/api/company` and `/api/companies`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, State},
    http::StatusCode,
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Changes, CompanyState, Row,
    create::{NewCompany, create},
    find, page, update,
};
use crate::{
    accounts::{
        Accounts,
        by::By,
        fields::{self, Text},
        location::Location,
        names::Name,
        origin::Origin,
        path::Id,
        users::{
            Invitation,
            invite_routes::{charged, checked_email, is_open},
        },
    },
    audit::time,
    auth::{Callers, May, permission, role::Role},
    edge::{
        Code, DescribedRouter, JsonBody, Problem, QueryOf,
        page::{Cursor, PageQuery},
    },
    routes,
};

/// The routes of this room.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .routes(routes!(get_company, put_company))
        .routes(routes!(get_companies, post_company))
        .routes(routes!(put_company_of_id))
}

/// A company.
#[derive(Serialize, ToSchema)]
#[schema(as = Company)]
pub struct CompanyView {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    #[schema(example = "Example Ltd")]
    pub name: String,
    /// What it is.
    pub state: CompanyState,
    /// Its time zone (IANA), by which its days begin in the console.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    /// When it was founded.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    pub created_at: String,
}

impl From<Row> for CompanyView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            state: row.state,
            time_zone: row.time_zone.name().to_owned(),
            created_at: time::format(row.created_at),
        }
    }
}

fn company_name(name: &str) -> Result<Name, Problem> {
    fields::name(Name::of_company(name), "name")
}

crate::problem_responses!(ReadProblems: [CALLER, DATABASE] NotFound, MethodNotAllowed, TooManyRequests);

/// Read your company.
#[utoipa::path(
    get,
    path = "/api/company",
    tag = "companies",
    security(("bearer" = [])),
    responses((status = 200, description = "The company of the caller", body = CompanyView), ReadProblems)
)]
pub async fn get_company(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::OwnAccount>,
) -> Result<Json<CompanyView>, Problem> {
    let company = caller.company.id();
    let row = accounts.read("company", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            find(connection, company).await
        })
    });
    let row = row.await?.ok_or(Code::NotFound)?;
    Ok(Json(row.into()))
}

/// What is to change of your company, one thing at least: what is left out or null stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = OwnCompanyChanges)]
#[serde(deny_unknown_fields)]
pub struct OwnChangesBody {
    /// Its name: no other company has one that looks like it.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, example = "Example Ltd")]
    pub name: Text,
    /// Its time zone (IANA), by which its days begin in the console.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_+/-]{1,64}$", example = "Europe/Berlin")]
    pub time_zone: Text,
}

impl OwnChangesBody {
    fn checked(self) -> Result<Changes, Problem> {
        let changes = changes(self.name, self.time_zone)?;
        match changes.name.is_some() || changes.time_zone.is_some() {
            true => Ok(changes),
            false => Err(fields::missing("name")),
        }
    }
}

/// What a company is to be called, and its time zone.
fn changes(name: Text, time_zone: Text) -> Result<Changes, Problem> {
    let name = name.optional("name")?.map(|name| company_name(&name));
    Ok(Changes {
        name: name.transpose()?,
        time_zone: fields::zone(time_zone, "time_zone")?,
        state: None,
    })
}

crate::problem_responses!(NameProblems:
    [CALLER, JSON, DATABASE] NotFound, MethodNotAllowed, CompanyTaken, ManagedBySettings, TooManyRequests,
    OutcomeUnknown, StoreUnavailable);

/// Change the name or the time zone of your company.
#[utoipa::path(
    put,
    path = "/api/company",
    tag = "companies",
    security(("bearer" = [])),
    request_body = OwnChangesBody,
    responses((status = 200, description = "The company as it is now", body = CompanyView), NameProblems)
)]
pub async fn put_company(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::ManageCompany>,
    origin: Origin,
    JsonBody(body): JsonBody<OwnChangesBody>,
) -> Result<Json<CompanyView>, Problem> {
    let changes = body.checked()?;
    let (by, company) = (By::caller(&caller, origin), caller.company.id());
    let row =
        accounts.change_unless_taken("company_update", Code::CompanyTaken, move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                update(connection, company, changes, &by).await
            })
        });
    Ok(Json(row.await??.into()))
}

/// A page of companies.
#[derive(Serialize, ToSchema)]
pub struct Companies {
    /// Which was founded first is first.
    pub companies: Vec<CompanyView>,
    /// The `cursor` of the next page, to be sent back as it is; null on the last.
    #[schema(value_type = Option<String>, required = true, example = json!(null))]
    pub next: Option<Cursor<Uuid>>,
}

crate::problem_responses!(ListProblems: [CALLER, DATABASE] InvalidQuery, NotFound, MethodNotAllowed, TooManyRequests);

/// List all companies.
///
/// For operators; to all others there is nothing at this path.
#[utoipa::path(
    get,
    path = "/api/companies",
    tag = "companies",
    security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, description = "A page of companies: which was founded first is first", body = Companies), ListProblems)
)]
pub async fn get_companies(
    State(accounts): State<Arc<Accounts>>,
    _caller: May<permission::ManageCompanies>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<Companies>, Problem> {
    let asked = query.page()?;
    let listed = accounts.read("companies", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            page(connection, asked).await
        })
    });
    let (rows, next) = listed.await?;
    let companies = rows.into_iter().map(CompanyView::from).collect();
    Ok(Json(Companies { companies, next }))
}

/// A company, and its first admin.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewCompany)]
#[serde(deny_unknown_fields)]
pub struct FoundingBody {
    /// What it is to be called.
    #[serde(default)]
    #[schema(value_type = String, required = true, min_length = 1, max_length = 64, example = "Example Ltd")]
    pub name: Text,
    /// The e-mail address of its first admin, who is invited.
    #[serde(default)]
    #[schema(value_type = String, required = true, format = Email, max_length = 254, example = "anna@example.com")]
    pub email: Text,
    /// What they are to be called; if left out, what stands before the `@`.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, example = "anna")]
    pub username: Text,
    /// Its time zone (IANA); if left out, UTC.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_+/-]{1,64}$", example = "Europe/Berlin")]
    pub time_zone: Text,
}

crate::problem_responses!(FoundProblems:
    [CALLER, JSON, DATABASE] RegistrationClosed, NotFound, MethodNotAllowed, CompanyTaken, InvalidEmail,
    TooManyRequests, StoreUnavailable);

/// Found a company.
///
/// Its first admin is invited. For operators; to all others there is nothing at this path.
#[utoipa::path(
    post,
    path = "/api/companies",
    tag = "companies",
    security(("bearer" = [])),
    request_body = FoundingBody,
    responses(
        (status = 201, description = "The company", body = CompanyView, headers(("Location" = String, description = "The URL of the company, relative to this one"))),
        FoundProblems
    )
)]
pub async fn post_company(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::ManageCompanies>,
    origin: Origin,
    JsonBody(body): JsonBody<FoundingBody>,
) -> Result<impl IntoResponse, Problem> {
    accounts.database()?;
    is_open(&accounts)?;
    let by = By::caller(&caller, origin.clone());
    let name = company_name(&body.name.required("name")?)?;
    let time_zone = fields::zone(body.time_zone, "time_zone")?.unwrap_or_default();
    let (email, username) = checked_email(body.email, body.username)?;
    let admin = Invitation {
        email,
        role: Role::Admin,
        username,
        settings_username: accounts.settings_username().to_owned(),
        is_mailed: true,
    };
    let once = origin.once("POST /api/companies", &caller.user.to_string());
    let (admin, allowed) = charged(&accounts, &caller, once.as_ref(), admin).await?;
    let new = NewCompany {
        name,
        time_zone,
        admin,
    };
    let founded = accounts.change("company_found", move |connection| {
        Box::pin(async move { create(connection, new, &by, once.as_ref()).await })
    });
    let row = accounts.counted(allowed, founded).await??;
    accounts.wake_mailer();
    let location = Location::of("companies", row.id);
    Ok((StatusCode::CREATED, location, Json(CompanyView::from(row))))
}

/// What is to change: what is left out or null stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = CompanyChanges)]
#[serde(deny_unknown_fields)]
pub struct ChangesBody {
    /// What it is to be called.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, example = "Example Ltd")]
    pub name: Text,
    /// `suspended`: nobody of it is let in, and nothing of it is counted.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(active|suspended)$", example = "active")]
    pub state: Text,
    /// Its time zone (IANA), by which its days begin in the console.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_+/-]{1,64}$", example = "Europe/Berlin")]
    pub time_zone: Text,
}

impl ChangesBody {
    fn checked(self) -> Result<Changes, Problem> {
        let changes = changes(self.name, self.time_zone)?;
        let state = self
            .state
            .optional("state")?
            .map(|name| match name.as_str() {
                "active" => Ok(CompanyState::Active),
                "suspended" => Ok(CompanyState::Suspended),
                _ => Err(Problem::from(Code::InvalidBody)
                    .with_detail("The field `state` must be active or suspended.")
                    .of_field("state")),
            });
        Ok(Changes {
            state: state.transpose()?,
            ..changes
        })
    }
}

/// Change the name or the time zone of a company, suspend or resume it.
///
/// For operators; to all others there is nothing at this path.
#[utoipa::path(
    put,
    path = "/api/companies/{id}",
    tag = "companies",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the company")),
    request_body = ChangesBody,
    responses((status = 200, description = "The company as it is now", body = CompanyView), NameProblems)
)]
pub async fn put_company_of_id(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::ManageCompanies>,
    origin: Origin,
    Id(id): Id,
    JsonBody(body): JsonBody<ChangesBody>,
) -> Result<Json<CompanyView>, Problem> {
    let changes = body.checked()?;
    let by = By::caller(&caller, origin);
    let row =
        accounts.change_unless_taken("company_update", Code::CompanyTaken, move |connection| {
            Box::pin(async move {
                connection.within(id).await?;
                update(connection, id, changes, &by).await
            })
        });
    Ok(Json(row.await??.into()))
}

/// One of all companies, for pages about it.
///
/// # Errors
///
/// Those of `GET /api/companies`.
pub async fn company_of_id(
    accounts: &Accounts,
    _caller: May<permission::ManageCompanies>,
    id: Uuid,
) -> Result<CompanyView, Problem> {
    let row = accounts.read("company", move |connection| {
        Box::pin(async move {
            connection.within(id).await?;
            find(connection, id).await
        })
    });
    let row = row.await?.ok_or(Code::NotFound)?;
    Ok(row.into())
}
