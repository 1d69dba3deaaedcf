//! Routes for who has no account yet, or cannot log in: `/auth/register`, `/auth/confirm`,
//! `/auth/password/forgot`, …

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::StatusCode,
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Registration, Wanted, follow::CONFIRMED};
use crate::{
    accounts::{
        Accounts,
        fields::{self, Text},
        links::Purpose,
        origin::Origin,
    },
    edge::{DescribedRouter, JsonBody, Problem},
    routes,
};

/// The routes.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .routes(routes!(post_register))
        .routes(routes!(post_confirm))
        .routes(routes!(post_confirm_resend))
        .routes(routes!(post_password_forgot))
        .routes(routes!(post_password_reset))
}

/// Who wants to found a company.
#[derive(Deserialize, ToSchema)]
#[schema(as = Registration)]
struct RegistrationBody {
    /// The company's name, of any one script, up to 64 characters. If it is taken it gets a number.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 64, example = "Acme")]
    #[serde(default)]
    company: Text,
    /// Where the link is sent to. It is also a name to log in by.
    #[schema(value_type = String, required = true, max_length = 254, example = "anna@example.com")]
    #[serde(default)]
    email: Text,
    /// The name of the account, unique in its company, up to 64 characters.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 64, example = "anna")]
    #[serde(default)]
    username: Text,
    /// At least 15 characters (`FOOTFALL_PASSWORD_MIN_LENGTH`), at most 128, and not easy to guess.
    #[schema(value_type = String, required = true, format = Password, max_length = 128, example = "stapling nine damp envelopes")]
    #[serde(default)]
    password: Text,
}

/// A link's token, and a password.
#[derive(Deserialize, ToSchema)]
struct LinkAndPassword {
    /// What stands after `token=` in the link.
    #[schema(value_type = String, required = true, example = "AZqlsn0eehGaVT8dCktsjpHk4kGkK3XfHn1Rk8mQwq2mUo3kVfTlfbVqk9yZxJ1c")]
    #[serde(default)]
    token: Text,
    /// The password.
    #[schema(value_type = String, required = true, format = Password, example = "stapling nine damp envelopes")]
    #[serde(default)]
    password: Text,
}

/// Where a mail is to go.
#[derive(Deserialize, ToSchema)]
struct Addressee {
    /// The address of the account.
    #[schema(value_type = String, required = true, max_length = 254, example = "anna@example.com")]
    #[serde(default)]
    email: Text,
}

crate::problem_responses!(RegisterProblems:
    [JSON, DATABASE] RegistrationClosed, MethodNotAllowed, InvalidEmail, WeakPassword, TooManyRequests, LoginBusy,
    StoreUnavailable);

/// Found a company, and be its first admin.
///
/// A mail with a link goes to the address; the account exists once `POST /auth/confirm` has the
/// link's token. The answer is the same whether or not the address has an account already. At most 5
/// an hour from one address, and 3 mails an hour to one e-mail address.
#[utoipa::path(
    post,
    path = "/auth/register",
    tag = "auth",
    request_body = RegistrationBody,
    responses((status = 202, description = "A mail is on its way"), RegisterProblems)
)]
async fn post_register(
    State(accounts): State<Arc<Accounts>>,
    origin: Origin,
    JsonBody(body): JsonBody<RegistrationBody>,
) -> Result<StatusCode, Problem> {
    accounts.may_register()?;
    let registration = Registration::new(
        &body.company.required("company")?,
        &body.email.required("email")?,
        &body.username.required("username")?,
        body.password.secret("password")?,
    )?;
    accounts.register(&origin, registration).await?;
    Ok(StatusCode::ACCEPTED)
}

crate::problem_responses!(ConfirmProblems:
    [JSON, DATABASE] InvalidCredentials, MethodNotAllowed, LinkInvalid, WeakPassword, TooManyLogins, LoginBusy);

/// Confirm what a mail asks to confirm.
///
/// After a registration and for a new address the password is that of the account; after an
/// invitation it becomes that. A link works once, within 24 hours.
#[utoipa::path(
    post,
    path = "/auth/confirm",
    tag = "auth",
    request_body = LinkAndPassword,
    responses((status = 204, description = "Confirmed: log in"), ConfirmProblems)
)]
async fn post_confirm(
    State(accounts): State<Arc<Accounts>>,
    origin: Origin,
    JsonBody(body): JsonBody<LinkAndPassword>,
) -> Result<StatusCode, Problem> {
    follow(&accounts, &origin, CONFIRMED, body).await
}

crate::problem_responses!(SendLinkProblems:
    [JSON, DATABASE] MethodNotAllowed, InvalidEmail, TooManyRequests, StoreUnavailable);

/// Have the mail of a registration or an invitation sent again.
///
/// The answer is the same whatever there is of the address. At most 5 an hour from one
/// address, and 3 mails an hour to one e-mail address.
#[utoipa::path(
    post,
    path = "/auth/confirm/resend",
    tag = "auth",
    request_body = Addressee,
    responses((status = 202, description = "A mail is on its way"), SendLinkProblems)
)]
async fn post_confirm_resend(
    State(accounts): State<Arc<Accounts>>,
    origin: Origin,
    JsonBody(body): JsonBody<Addressee>,
) -> Result<StatusCode, Problem> {
    send_link(&accounts, &origin, Wanted::Confirmation, body).await
}

/// Have a link sent that sets a new password.
///
/// The answer is the same whatever there is of the address. Who has not confirmed theirs yet gets that
/// mail again. At most 5 an hour from one address, and 3 mails an hour to one e-mail address.
#[utoipa::path(
    post,
    path = "/auth/password/forgot",
    tag = "auth",
    request_body = Addressee,
    responses((status = 202, description = "A mail is on its way"), SendLinkProblems)
)]
async fn post_password_forgot(
    State(accounts): State<Arc<Accounts>>,
    origin: Origin,
    JsonBody(body): JsonBody<Addressee>,
) -> Result<StatusCode, Problem> {
    send_link(&accounts, &origin, Wanted::Password, body).await
}

async fn send_link(
    accounts: &Accounts,
    origin: &Origin,
    wanted: Wanted,
    body: Addressee,
) -> Result<StatusCode, Problem> {
    accounts.database()?;
    let email = fields::email(&body.email.required("email")?, "email")?;
    accounts.send_link(origin, wanted, email).await?;
    Ok(StatusCode::ACCEPTED)
}

crate::problem_responses!(ResetProblems: [JSON, DATABASE] MethodNotAllowed, LinkInvalid, WeakPassword, LoginBusy);

/// Set a new password with a link.
///
/// Ends all sessions of the account. The link works once, within 30 minutes.
#[utoipa::path(
    post,
    path = "/auth/password/reset",
    tag = "auth",
    request_body = LinkAndPassword,
    responses((status = 204, description = "The password is set: log in"), ResetProblems)
)]
async fn post_password_reset(
    State(accounts): State<Arc<Accounts>>,
    origin: Origin,
    JsonBody(body): JsonBody<LinkAndPassword>,
) -> Result<StatusCode, Problem> {
    follow(&accounts, &origin, &[Purpose::Reset], body).await
}

async fn follow(
    accounts: &Accounts,
    origin: &Origin,
    purposes: &[Purpose],
    body: LinkAndPassword,
) -> Result<StatusCode, Problem> {
    let token = body.token.secret("token")?;
    let password = body.password.secret("password")?;
    let done = accounts.follow(origin, purposes, token.expose_secret(), password);
    done.await?;
    Ok(StatusCode::NO_CONTENT)
}
