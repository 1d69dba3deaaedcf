//! What the use of a refresh token does beside making the next one.

use super::{
    Sessions,
    rotation::{self, Rotated},
    row::{Granted, Kind, Owner},
};
use crate::{
    accounts::{Change, origin::Origin, user::User},
    audit::{self, Action, Actor, Entry, Kind as Object, Outcome},
    auth::{
        metrics::{EndReason, RefreshOutcome},
        refresh::RefreshToken,
        revocation::Revocation,
        throttle,
    },
    edge::{Code, Problem},
    mail::{self, Mail, Template},
    storage::sql::{Connection, DatabaseError},
};

impl Sessions {
    /// The next tokens of a session, for a genuine refresh token of it.
    pub(super) async fn refresh(
        &self,
        token: RefreshToken,
        kind: Kind,
        origin: &Origin,
    ) -> Result<Granted, Problem> {
        let (outcome, result) = self.try_refresh(token, kind, origin).await;
        self.metrics.refreshes.of(outcome).inc();
        result
    }

    async fn try_refresh(
        &self,
        token: RefreshToken,
        kind: Kind,
        origin: &Origin,
    ) -> (RefreshOutcome, Result<Granted, Problem>) {
        let session = token.session;
        let limit = throttle::Action::Refresh { session };
        let allowed = match self.accounts.throttle.allow(limit).await {
            Ok(allowed) => allowed,
            Err(refusal) => return (RefreshOutcome::Throttled, Err(refusal.into())),
        };
        let origin = origin.clone();
        let rotated = self.accounts.change("refresh", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                let rotated = rotation::rotate(connection, token, kind, &origin).await?;
                follow(connection, token, rotated, &origin).await
            })
        });
        let rotated = match self.accounts.counted(allowed, rotated).await {
            Ok(rotated) => rotated,
            Err(problem) => return (RefreshOutcome::Failed, Err(problem)),
        };
        let ended = Err(Code::SessionEnded.into());
        match rotated {
            Rotated::Granted {
                granted,
                again: true,
            } => (RefreshOutcome::Repeated, Ok(*granted)),
            Rotated::Granted { granted, .. } => (RefreshOutcome::Success, Ok(*granted)),
            Rotated::Ended => (RefreshOutcome::Ended, ended),
            Rotated::Reused(_) => {
                self.count(EndReason::Reused, 1);
                self.mailer.wake();
                (RefreshOutcome::Reused, Err(Code::RefreshTokenReused.into()))
            }
            Rotated::Unknown(_) => {
                self.count(EndReason::Unknown, 1);
                (RefreshOutcome::Ended, ended)
            }
        }
    }
}

/// Has the tokens of a session stop that was ended, and tells whose it was.
async fn follow(
    connection: &mut Connection<'_>,
    token: RefreshToken,
    rotated: Rotated,
    origin: &Origin,
) -> Result<Change<Rotated>, DatabaseError> {
    let revoked = match &rotated {
        Rotated::Granted { .. } | Rotated::Ended => Vec::new(),
        Rotated::Unknown(_) => vec![Revocation::Session(token.session)],
        Rotated::Reused(owner) => {
            tell(connection, token, *owner, origin).await?;
            vec![Revocation::Session(token.session)]
        }
    };
    Ok(Change {
        value: rotated,
        revoked,
    })
}

async fn tell(
    connection: &mut Connection<'_>,
    token: RefreshToken,
    owner: Owner,
    origin: &Origin,
) -> Result<(), DatabaseError> {
    let user = User::find(connection, owner.company, owner.user).await?;
    if let Some(to) = user.and_then(|user| user.email) {
        let mail = Mail {
            to,
            company: Some(owner.company),
            template: Template::RefreshReused,
        };
        mail::enqueue(connection, &mail).await?;
    }
    let entry = Entry::new(
        owner.company,
        Actor::person(owner.user),
        Action::SessionRefreshReused,
    );
    let entry = entry
        .on(Object::Session, token.session)
        .ended(Outcome::Denied);
    audit::record(connection, &origin.of(entry)).await
}
