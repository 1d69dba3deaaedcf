//! `POST /api/users`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, State},
    http::StatusCode,
    response::IntoResponse,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Invitation, UserView, invite};
use crate::{
    accounts::{
        Accounts,
        by::By,
        fields::{self, Text},
        location::Location,
        names::Name,
        once::Once,
        origin::Origin,
    },
    auth::{
        Caller, Callers, May, permission,
        role::Role,
        throttle::{Action, Allowed},
    },
    config::Registration,
    edge::{Code, DescribedRouter, JsonBody, Problem},
    mail::EmailAddress,
    routes,
};

/// The routes of this file.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(post_user))
}

/// Who is to be invited.
#[derive(Deserialize, ToSchema)]
#[schema(as = Invitation)]
#[serde(deny_unknown_fields)]
pub struct InvitationBody {
    /// Their e-mail address.
    #[serde(default)]
    #[schema(value_type = String, required = true, format = Email, max_length = 254, example = "anna@example.com")]
    pub email: Text,
    /// What they are to be: not above your own role.
    #[serde(default)]
    #[schema(value_type = String, required = true, pattern = "^(viewer|member|admin)$", example = "member")]
    pub role: Text,
    /// What they are to be called; if left out, what stands before the `@`.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, example = "anna")]
    pub username: Text,
}

crate::problem_responses!(InviteProblems:
    [CALLER, JSON, DATABASE] RegistrationClosed, MethodNotAllowed, EmailTaken, UsernameTaken, InvalidEmail,
    TooManyRequests, StoreUnavailable);

/// Invite somebody.
///
/// They get a mail with a link, and choose their password. Whoever is invited again gets another
/// mail, three in an hour at most; role and name stay as they were. At most 100 invitations an hour by one
/// user, and 300 by one company.
#[utoipa::path(
    post,
    path = "/api/users",
    tag = "users",
    security(("bearer" = [])),
    request_body = InvitationBody,
    responses(
        (status = 201, description = "The user who is invited", body = UserView, headers(("Location" = String, description = "The URL of the user, relative to this one"))),
        InviteProblems
    )
)]
pub async fn post_user(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::WriteUsers>,
    origin: Origin,
    JsonBody(body): JsonBody<InvitationBody>,
) -> Result<impl IntoResponse, Problem> {
    accounts.database()?;
    is_open(&accounts)?;
    let by = By::caller(&caller, origin.clone());
    let (email, username) = checked_email(body.email, body.username)?;
    let role = role_of(&body.role.required("role")?)?;
    by.may_give(role)?;
    let invitation = Invitation {
        email,
        role,
        username,
        settings_username: accounts.settings_username().to_owned(),
        is_mailed: true,
    };
    let once = origin.once("POST /api/users", &caller.user.to_string());
    let (invitation, allowed) = charged(&accounts, &caller, once.as_ref(), invitation).await?;
    let company = caller.company.id();
    let invited = accounts.change_unless_taken("invite", Code::UsernameTaken, move |connection| {
        Box::pin(async move { invite(connection, company, invitation, &by, once.as_ref()).await })
    });
    let user = accounts.counted(allowed, invited).await??.user;
    accounts.wake_mailer();
    let location = Location::of("users", user.id);
    let view = UserView::new(user, accounts.settings_username());
    Ok((StatusCode::CREATED, location, Json(view)))
}

/// Whether anybody is invited at all (`FOOTFALL_REGISTRATION`).
///
/// # Errors
///
/// `registration_closed`, if nobody is.
pub fn is_open(accounts: &Accounts) -> Result<(), Problem> {
    match accounts.registration {
        Registration::Closed => Err(Problem::from(Code::RegistrationClosed).with_detail(
            "Nobody is invited here: accounts are made by the command `footfall admin`.",
        )),
        Registration::Open | Registration::Invite => Ok(()),
    }
}

/// An address and a name, checked.
///
/// # Errors
///
/// The problem, with the field's name.
pub fn checked_email(email: Text, username: Text) -> Result<(EmailAddress, Option<Name>), Problem> {
    let email = fields::email(&email.required("email")?, "email")?;
    let username = username.optional("username")?;
    let username = username.map(|name| fields::name(Name::of_user(&name), "username"));
    Ok((email, username.transpose()?))
}

/// Charges an invitation. Without a mail if there were too many to the address: whoever invites is not told,
/// since it may be another company that has sent them.
///
/// # Errors
///
/// `too_many_requests`, if the caller or their company has invited too many, and `store_unavailable`, if nobody can
/// say how many there were.
pub async fn charged(
    accounts: &Accounts,
    caller: &Caller,
    once: Option<&Once>,
    invitation: Invitation,
) -> Result<(Invitation, Allowed), Problem> {
    if accounts.was_done(once).await? {
        return Ok((invitation, Allowed::uncounted()));
    }
    let action = Action::Invite {
        user: caller.user,
        company: caller.company.id(),
        email: invitation.email.as_str(),
    };
    let allowed = accounts.throttle.allow(action).await?;
    let invitation = Invitation {
        is_mailed: allowed.is_told,
        ..invitation
    };
    Ok((invitation, allowed))
}

pub(super) fn role_of(name: &str) -> Result<Role, Problem> {
    name.parse().map_err(|_| {
        Problem::from(Code::InvalidBody)
            .with_detail("The field `role` must be viewer, member or admin.")
            .of_field("role")
    })
}
