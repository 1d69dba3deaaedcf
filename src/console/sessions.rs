//! One's own sessions: where one is logged in, and ending that.

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
    frame::Frame,
    pager::{Pager, of_page},
    pages::Pages,
    response::{page, see_other},
    sent::Sent,
    shown::Moment,
    view::View,
};
use crate::{
    accounts::{
        path::Id,
        sessions::{
            Sessions,
            list::{OwnSession, OwnSessions},
            routes::{delete_session, get_sessions},
        },
    },
    auth::permission::OwnAccount,
    edge::{Code, Problem, QueryOf, page::PageQuery},
};

/// The pages.
pub fn pages<S>() -> Pages<S>
where
    Arc<Sessions>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("sessions", get(list))
        .at("sessions/end-others", get(ask_others).post(end_others))
        .at("sessions/{id}/end", get(ask).post(end))
}

#[derive(Template)]
#[template(path = "console/sessions/list.html")]
struct List {
    frame: Frame,
    sessions: Vec<Row>,
    pager: Pager,
}

struct Row {
    session: OwnSession,
    device: String,
    created: Moment,
    used: Moment,
    ends: Moment,
}

impl From<OwnSession> for Row {
    fn from(session: OwnSession) -> Self {
        Self {
            device: device(session.user_agent.as_deref().unwrap_or_default()),
            created: Moment::new(session.created_at.clone()),
            used: Moment::new(session.last_used_at.clone()),
            ends: Moment::new(session.expires_at.clone()),
            session,
        }
    }
}

/// What a client says that it is, in short. It may be anything.
fn device(user_agent: &str) -> String {
    // Each says as well that it is those after it.
    const BROWSERS: [(&str, &str); 7] = [
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("CriOS/", "Chrome"),
        ("FxiOS/", "Firefox"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let find = |all: &[(&str, &'static str)]| {
        let found = all.iter().find(|(mark, _)| user_agent.contains(mark));
        found.map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        _ if user_agent.is_empty() => "Unknown".to_owned(),
        _ => user_agent.chars().take(60).collect(),
    }
}

async fn list(
    view: View<OwnAccount>,
    State(sessions): State<Arc<Sessions>>,
) -> Result<Response<Body>, Problem> {
    let query = QueryOf(of_page(&view.exchange));
    let Json(OwnSessions { sessions, next }) =
        get_sessions(State(sessions), view.may(), query).await?;
    page(&List {
        frame: view.frame("Sessions"),
        sessions: sessions.into_iter().map(Row::from).collect(),
        pager: Pager::new(&view.exchange, next),
    })
}

/// Those that live.
async fn all(
    view: &View<OwnAccount>,
    sessions: &Arc<Sessions>,
) -> Result<Vec<OwnSession>, Problem> {
    let query = PageQuery {
        cursor: None,
        limit: Some("1000".to_owned()),
    };
    let listed = get_sessions(State(sessions.clone()), view.may(), QueryOf(query));
    let Json(OwnSessions { sessions, .. }) = listed.await?;
    Ok(sessions)
}

async fn asked(
    view: &View<OwnAccount>,
    sessions: &Arc<Sessions>,
    id: Uuid,
) -> Result<Ask, Problem> {
    let session = all(view, sessions)
        .await?
        .into_iter()
        .find(|session| session.id == id);
    let session = session.ok_or(Code::NotFound)?;
    let name = device(session.user_agent.as_deref().unwrap_or_default());
    let said = match session.current {
        true => "This is the one that you see this page by: you have to log in again.",
        false => "Whoever uses it has to log in again.",
    };
    let form = view.form("End the session", Vec::new()).destroying();
    Ok(Ask::new(
        view.frame(format!("End the session of {name}?")),
        form.or_back_to("../../sessions"),
        &[said],
    ))
}

async fn ask(
    view: View<OwnAccount>,
    State(sessions): State<Arc<Sessions>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    asked(&view, &sessions, id).await?.page()
}

async fn end(
    State(sessions): State<Arc<Sessions>>,
    Id(id): Id,
    sent: Sent<OwnAccount>,
) -> Result<Response<Body>, Problem> {
    let (may, origin) = (sent.may(), sent.origin.clone());
    match delete_session(State(sessions.clone()), may, Id(id), origin).await {
        Ok(_) => see_other(&sent.exchange, "sessions?done=session-ended"),
        Err(problem) => asked(&sent, &sessions, id).await?.again(problem),
    }
}

fn asked_of_others(view: &View<OwnAccount>) -> Ask {
    let form = view.form("End all others", Vec::new()).destroying();
    Ask::new(
        view.frame("End all your other sessions?"),
        form.or_back_to("../sessions"),
        &[
            "Whoever uses them has to log in again. This one goes on.",
            "If you think that somebody knows your password, change it instead: that ends them, too.",
        ],
    )
}

async fn ask_others(view: View<OwnAccount>) -> Result<Response<Body>, Problem> {
    asked_of_others(&view).page()
}

async fn end_others(
    State(sessions): State<Arc<Sessions>>,
    sent: Sent<OwnAccount>,
) -> Result<Response<Body>, Problem> {
    let others = all(&sent, &sessions).await?;
    for session in others.into_iter().filter(|session| !session.current) {
        let (may, origin) = (sent.may(), sent.origin.clone());
        let ended = delete_session(State(sessions.clone()), may, Id(session.id), origin).await;
        if let Err(problem) = ended {
            return asked_of_others(&sent).again(problem);
        }
    }
    see_other(&sent.exchange, "sessions?done=sessions-ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_called_what_people_call_it() {
        for (user_agent, name) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
                "Chrome on Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            ("curl/8.14.1", "curl/8.14.1"),
            ("", "Unknown"),
            ("Firefox/", "Firefox/"),
        ] {
            assert_eq!(device(user_agent), name);
        }
        assert_eq!(device(&"ü".repeat(200)).chars().count(), 60);
    }
}
