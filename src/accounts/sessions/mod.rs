//! Sessions: who has logged in stays so, by tokens that are replaced again and again.
//!
//! A session is a row: whose it is, until when, and which of its refresh tokens is the living one.
//! Each use of that one makes the next ([`rotation`]). Its access tokens are good for as long as they
//! say, and until the session is ended.

mod answer;
mod by_page;
pub mod list;
mod logged_in;
mod login;
mod logout;
mod lookup;
mod refresh;
pub mod rotation;
pub mod routes;
pub mod row;

use std::{sync::Arc, time::Duration};

use tokio_util::task::TaskTracker;

pub use self::{
    by_page::{Found, SignedIn},
    routes::router,
};
use super::Accounts;
use crate::{
    audit::Audit,
    auth::{Callers, csrf::Csrf, metrics::AuthMetrics},
    mail::Mailer,
};

/// What the routes of sessions work with, on one worker thread.
pub struct Sessions {
    /// People.
    pub accounts: Arc<Accounts>,
    /// Access tokens that are shown.
    pub callers: Arc<Callers>,
    /// Cookies, and what is asked of requests with them.
    pub csrf: Arc<Csrf>,
    /// What is counted of logins and refreshes.
    pub metrics: Arc<AuthMetrics>,
    /// Is told of failures.
    pub audit: Audit,
    /// Is told of mails.
    pub mailer: Mailer,
    /// How long a client is served (`FOOTFALL_REQUEST_TIMEOUT`).
    pub request_timeout: Duration,
    /// What it tracks is driven to its end.
    pub background: TaskTracker,
}
