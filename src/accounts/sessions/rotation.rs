//! Each use of a session's refresh token makes the next one.
//!
//! Which token is the living one is a counter, and the use of a token one conditional statement: of
//! many at a time one moves it. The token before it gets the same successor again for a moment: two
//! tabs asked at a time, a proxy repeated, an answer was lost. Any older one was used by two, of which
//! one is a thief; so the session ends (RFC 9700, 4.14.2).

use uuid::Uuid;

use super::row::{self, Granted, IDLE, Kind, Owner};
use crate::{
    accounts::{origin::Origin, user::User},
    auth::{metrics::EndReason, refresh::RefreshToken},
    storage::sql::{Connection, DatabaseError, on_either, schema},
};

/// How long the token before the living one gets the same successor again, in milliseconds.
pub const GRACE: i64 = 30_000;

/// What the use of a genuine refresh token comes to.
#[derive(Debug)]
pub enum Rotated {
    /// The next tokens.
    Granted {
        /// What is handed out.
        granted: Box<Granted>,
        /// Whether it was handed out before.
        again: bool,
    },
    /// The session has ended.
    Ended,
    /// The token is too old: the session was ended because of it.
    Reused(Owner),
    /// The token is newer than the database knows, which was brought back to an earlier state.
    /// The session was ended, since which of its tokens are out is no longer known.
    Unknown(Owner),
}

/// A session's row, as far as it decides.
type Row = (Uuid, Uuid, i64, String, i64, i64, Option<i64>);

struct Session {
    owner: Owner,
    counter: i64,
    kind: Kind,
    rotated_at: i64,
    expires_at: i64,
    has_ended: bool,
}

impl From<Row> for Session {
    fn from((company, user, counter, kind, rotated_at, expires_at, ended_at): Row) -> Self {
        Self {
            owner: Owner { company, user },
            counter,
            kind: Kind::of(&kind),
            rotated_at,
            expires_at,
            has_ended: ended_at.is_some(),
        }
    }
}

/// Uses a genuine refresh token that came by `kind`.
///
/// # Errors
///
/// Those of the database.
pub async fn rotate(
    connection: &mut Connection<'_>,
    token: RefreshToken,
    kind: Kind,
    origin: &Origin,
) -> Result<Rotated, DatabaseError> {
    let now = schema::now(connection).await?;
    if let Some(session) = advance(connection, token, kind, origin, now).await? {
        return grant(connection, token.session, session, now, false).await;
    }
    let Some(session) = find(connection, token.session).await? else {
        return Ok(Rotated::Ended);
    };
    if session.has_ended || session.is_over(now) || session.kind != kind {
        return Ok(Rotated::Ended);
    }
    let owner = session.owner;
    connection.within(owner.company).await?;
    match session.counter - token.counter {
        1 if now - session.rotated_at <= GRACE => {
            grant(connection, token.session, session, now, true).await
        }
        // It is the living one, and its user is not let in.
        0 => Ok(Rotated::Ended),
        1.. => {
            row::end(connection, owner, token.session, EndReason::Reused).await?;
            Ok(Rotated::Reused(owner))
        }
        _ => {
            row::end(connection, owner, token.session, EndReason::Unknown).await?;
            Ok(Rotated::Unknown(owner))
        }
    }
}

/// Makes the next token the living one, if this one is, and its user is let in.
async fn advance(
    connection: &mut Connection<'_>,
    token: RefreshToken,
    kind: Kind,
    origin: &Origin,
    now: i64,
) -> Result<Option<Session>, DatabaseError> {
    let row: Option<Row> = on_either!(connection, |database| {
        sqlx::query_as(
            "UPDATE sessions
             SET counter = counter + 1, rotated_at = $3, user_agent = COALESCE($6, user_agent),
                 address = COALESCE($7, address)
             WHERE id = $1 AND counter = $2 AND kind = $4 AND ended_at IS NULL AND expires_at > $3
                 AND rotated_at > $5
                 AND EXISTS (SELECT 1 FROM users u JOIN companies c ON c.id = u.company_id
                     WHERE u.company_id = sessions.company_id AND u.id = sessions.user_id
                         AND u.state = 'active' AND c.state = 'active')
             RETURNING company_id, user_id, counter, kind, rotated_at, expires_at, ended_at",
        )
        .bind(token.session)
        .bind(token.counter)
        .bind(now)
        .bind(kind.as_str())
        .bind(now - IDLE)
        .bind(origin.user_agent.as_deref())
        .bind(origin.address.map(row::network))
        .fetch_optional(&mut **database)
        .await
    })?;
    Ok(row.map(Session::from))
}

async fn find(
    connection: &mut Connection<'_>,
    session: Uuid,
) -> Result<Option<Session>, DatabaseError> {
    let row: Option<Row> = on_either!(connection, |database| {
        sqlx::query_as(
            "SELECT company_id, user_id, counter, kind, rotated_at, expires_at, ended_at
             FROM sessions WHERE id = $1",
        )
        .bind(session)
        .fetch_optional(&mut **database)
        .await
    })?;
    Ok(row.map(Session::from))
}

/// The tokens of the session as it is, for its user as they are: role and generations may be others
/// than at the last time.
async fn grant(
    connection: &mut Connection<'_>,
    id: Uuid,
    session: Session,
    now: i64,
    again: bool,
) -> Result<Rotated, DatabaseError> {
    let Owner { company, user } = session.owner;
    connection.within(company).await?;
    let user = User::find(connection, company, user).await?;
    let Some(user) = user.filter(User::may_log_in) else {
        return Ok(Rotated::Ended);
    };
    let lives_for = session.ends_at() - now;
    Ok(Rotated::Granted {
        granted: Box::new(Granted::of(user, id, session.counter, lives_for)),
        again,
    })
}

impl Session {
    /// When it is over if it is not refreshed before.
    fn ends_at(&self) -> i64 {
        self.expires_at.min(self.rotated_at + IDLE)
    }

    fn is_over(&self, now: i64) -> bool {
        self.ends_at() <= now
    }
}
