//! Pages of who is not signed in: logging in and out, founding a company, and what mails lead to. A
//! link that is only looked at, by a mail program say, does nothing.

mod asking;
mod links;
mod login;
mod sheet;

use std::sync::Arc;

use axum::{
    extract::{FromRef, RawQuery, Request, State},
    routing::{MethodRouter, get, post},
};

use self::{
    asking::{forgot, register},
    links::{CONFIRM, EMAIL, INVITATION, LinkPage, RESET},
};
use super::{
    exchange::Exchange,
    pages::Pages,
    sent::{Typed, body},
};
use crate::accounts::{Accounts, origin::Origin, sessions::Sessions};

/// The pages. Their addresses stand in mails that were sent.
pub fn pages<S>() -> Pages<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("login", get(login::show).post(login::send))
        .at("logout", post(login::leave))
        .at("register", get(register::show).post(register::send))
        .at("forgot", get(forgot::show).post(forgot::send))
        .at("confirm", of_link(&CONFIRM))
        .at("invitation", of_link(&INVITATION))
        .at("email", of_link(&EMAIL))
        .at("reset", of_link(&RESET))
}

fn of_link<S>(page: &'static LinkPage) -> MethodRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    get(
        async |State(accounts): State<Arc<Accounts>>, exchange: Exchange, RawQuery(query)| {
            let query = Typed::new(query.unwrap_or_default().as_bytes());
            page.show(&accounts, &exchange, query.get("token"))
        },
    )
    .post(
        async |State(accounts): State<Arc<Accounts>>,
               exchange: Exchange,
               origin: Origin,
               request: Request| {
            let typed = Typed::new(&body(request).await?);
            page.send(&accounts, &exchange, &origin, &typed).await
        },
    )
}
