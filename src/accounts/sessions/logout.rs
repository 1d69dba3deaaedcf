//! Logging out, and ending one's other sessions.

use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{
    Sessions,
    answer::forgotten,
    row::{self, Owner},
};
use crate::{
    accounts::{
        Change,
        origin::Origin,
        revoke::{end_sessions, renew_user},
    },
    audit::{self, Action, Actor, Entry, Kind as Object},
    auth::{
        Caller, cookies::Cookie, csrf::Binding, metrics::EndReason, refresh::RefreshToken,
        revocation::Revocation, token::TokenError,
    },
    edge::{Code, Problem},
    storage::sql::{Connection, DatabaseError},
    telemetry::metrics::Label,
};

/// What somebody shows who wants to be logged out. It need not be good for anything else any more.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown {
    /// Something of this session.
    Session(Uuid),
    /// A token of this user without a session, which nothing can end.
    Sessionless(Owner),
}

impl From<&Caller> for Shown {
    fn from(caller: &Caller) -> Self {
        match &caller.pass {
            Some(pass) => Self::Session(pass.session),
            None => Self::Sessionless(Owner {
                company: caller.company.id(),
                user: caller.user,
            }),
        }
    }
}

/// What came in the body of a request about a session.
#[derive(Default)]
pub(super) struct Sent {
    /// A refresh token.
    pub refresh_token: Option<SecretString>,
    /// The field of a form.
    pub csrf_token: Option<String>,
}

impl Sessions {
    /// Whose session it is, by what is shown: an access token in `Authorization`, else a refresh
    /// token in the body, else cookies of a page of ours.
    pub(super) fn shown(&self, headers: &HeaderMap, sent: &Sent) -> Result<Shown, Problem> {
        let in_body = sent.refresh_token.as_ref();
        let in_body = in_body.map(|token| self.read_refresh(token.expose_secret()));
        match (self.callers.shown(headers), in_body) {
            (Ok(Some(caller)), _) => Ok(Shown::from(&*caller)),
            (_, Some(session)) => session,
            (Err(problem), None) => Err(problem),
            (Ok(None), None) => self.by_cookies(headers, sent),
        }
    }

    fn read_refresh(&self, token: &str) -> Result<Shown, Problem> {
        let token = RefreshToken::read(token, &self.accounts.keys);
        let token = token.ok_or(Code::InvalidRefreshToken)?;
        Ok(Shown::Session(token.session))
    }

    /// The session whose refresh token is among the cookies, whether or not it goes on.
    pub(super) fn session_of_cookies(&self, headers: &HeaderMap) -> Option<Uuid> {
        let token = self.csrf.cookies.find(headers, Cookie::Refresh)?;
        let token = RefreshToken::read(token, &self.accounts.keys)?;
        Some(token.session)
    }

    pub(super) fn by_cookies(&self, headers: &HeaderMap, sent: &Sent) -> Result<Shown, Problem> {
        let cookies = self.csrf.cookies;
        let access = cookies.find(headers, Cookie::Access);
        let refresh = self.session_of_cookies(headers);
        let caller = access.map(|token| self.accounts.tokens.verify(token));
        let (shown, binding) = match (refresh, caller) {
            (Some(session), _) => (Shown::Session(session), Binding::of_session(session)),
            (None, Some(Ok(caller))) => (Shown::from(&*caller), Binding::of(&caller)),
            (None, Some(Err(TokenError::Expired))) => return Err(Code::ExpiredToken.into()),
            (None, Some(Err(TokenError::Invalid))) => return Err(Code::InvalidToken.into()),
            (None, None) => return Err(Code::MissingToken.into()),
        };
        let field = sent.csrf_token.as_deref();
        self.csrf.check_sent(headers, &binding, field)?;
        Ok(shown)
    }

    /// The answer to who has logged out: the browser forgets its cookies, also where nothing could be ended.
    pub(super) fn logged_out(&self, ended: Result<(), Problem>) -> Result<Response, Problem> {
        let forgotten = forgotten(self.csrf.cookies);
        match ended {
            Ok(()) => Ok((StatusCode::NO_CONTENT, forgotten).into_response()),
            Err(problem) if problem.code == Code::NoDatabase => {
                let problem = problem.with_detail(
                    "Without a database there are no sessions: the token is good to its end. Cookies are cleared; throw away what you have else.",
                );
                Ok((forgotten, problem).into_response())
            }
            Err(problem) => Err(problem),
        }
    }

    /// Ends the session. To do it again changes nothing.
    pub(super) async fn log_out(&self, shown: Shown, origin: &Origin) -> Result<(), Problem> {
        self.accounts.database()?;
        let Shown::Session(session) = shown else {
            return Ok(());
        };
        let origin = origin.clone();
        let ended = self.accounts.change("logout", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                let Some((owner, _)) = row::owner(connection, session).await? else {
                    return Ok(Change::of(false));
                };
                connection.within(owner.company).await?;
                let ended = row::end(connection, owner, session, EndReason::Logout).await?;
                if ended {
                    let entry = Entry::new(
                        owner.company,
                        Actor::person(owner.user),
                        Action::SessionLogout,
                    );
                    let entry = origin.of(entry.on(Object::Session, session));
                    audit::record(connection, &entry).await?;
                }
                Ok(Change {
                    value: ended,
                    // Also if it had ended: what the first one could not publish is published now.
                    revoked: vec![Revocation::Session(session)],
                })
            })
        });
        self.count(EndReason::Logout, u64::from(ended.await?));
        Ok(())
    }

    /// Ends all sessions of whose this one is. One that has ended itself ends no others.
    pub(super) async fn log_out_everywhere(
        &self,
        shown: Shown,
        origin: &Origin,
    ) -> Result<(), Problem> {
        let origin = origin.clone();
        let ended = self.accounts.change("logout_all", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                let owner = match shown {
                    Shown::Sessionless(owner) => Some((owner, true)),
                    Shown::Session(session) => row::owner(connection, session).await?,
                };
                match owner {
                    Some((owner, true)) => end_all(connection, owner, &origin).await,
                    _ => Ok(Change::of(0)),
                }
            })
        });
        self.count(EndReason::LogoutAll, ended.await?);
        Ok(())
    }

    /// Ends a session of the caller's; `not_found` if they have none of this id.
    pub(super) async fn end_own(
        &self,
        caller: &Caller,
        session: Uuid,
        origin: &Origin,
    ) -> Result<(), Problem> {
        let owner = Owner {
            company: caller.company.id(),
            user: caller.user,
        };
        let entry = Entry::new(owner.company, Actor::from(caller), Action::SessionEnd);
        let entry = origin.of(entry.on(Object::Session, session));
        let ended = self.accounts.change("end_session", move |connection| {
            Box::pin(async move {
                connection.within(owner.company).await?;
                let found = row::owner(connection, session).await?;
                if found.is_none_or(|(found, _)| found != owner) {
                    return Ok(Change::of(None));
                }
                let ended = row::end(connection, owner, session, EndReason::Ended).await?;
                if ended {
                    audit::record(connection, &entry).await?;
                }
                Ok(Change {
                    value: Some(ended),
                    revoked: vec![Revocation::Session(session)],
                })
            })
        });
        let ended = ended.await?.ok_or(Code::NotFound)?;
        self.count(EndReason::Ended, u64::from(ended));
        Ok(())
    }

    pub(super) fn count(&self, reason: EndReason, number: u64) {
        self.metrics.sessions_ended.of(reason).inc_by(number);
    }
}

async fn end_all(
    connection: &mut Connection<'_>,
    owner: Owner,
    origin: &Origin,
) -> Result<Change<u64>, DatabaseError> {
    let Owner { company, user } = owner;
    connection.within(company).await?;
    let reason = EndReason::LogoutAll.value();
    let value = end_sessions(connection, company, user, None, reason).await?;
    let revoked = vec![renew_user(connection, company, user, None).await?];
    let entry = Entry::new(company, Actor::person(user), Action::SessionLogoutAll);
    audit::record(connection, &origin.of(entry.on(Object::User, user))).await?;
    Ok(Change { value, revoked })
}
