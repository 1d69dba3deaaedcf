//! Sessions, as the database has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::{
    accounts::user::User,
    auth::{
        SETTINGS_ACCOUNT, metrics::EndReason, refresh::RefreshToken, revocation::Pass, role::Role,
    },
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
    telemetry::metrics::Label,
};

/// A session that is not refreshed for this long is over, in milliseconds.
pub const IDLE: i64 = 7 * 24 * 60 * 60 * 1000;

/// A session is over after this, however it is used, in milliseconds.
pub const LONGEST: i64 = 30 * 24 * 60 * 60 * 1000;

/// How its tokens reach the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In bodies.
    Bearer,
    /// In cookies.
    Cookie,
}

impl Kind {
    /// Its name in the database and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Cookie => "cookie",
        }
    }

    /// By the name in the database.
    pub fn of(name: &str) -> Self {
        match name {
            "cookie" => Self::Cookie,
            _ => Self::Bearer,
        }
    }
}

/// What a login or a refresh gives.
#[derive(Debug, Clone)]
pub struct Granted {
    /// Whose it is, as the database has them at this moment; `None` if it was not asked: the
    /// settings' account without it.
    pub user: Option<User>,
    /// What can be refreshed; `None` likewise.
    pub session: Option<Living>,
}

/// A session that can be refreshed.
#[derive(Debug, Clone, Copy)]
pub struct Living {
    /// What its access tokens are issued on.
    pub pass: Pass,
    /// Its living refresh token.
    pub refresh: RefreshToken,
    /// How long that can be used, in milliseconds.
    pub lives_for: i64,
}

impl Granted {
    /// A session of a user at this state of its row.
    pub fn of(user: User, session: Uuid, counter: i64, lives_for: i64) -> Self {
        let pass = Pass {
            session,
            user: user.id,
            user_generation: user.generation,
            company: user.company,
            company_generation: user.company_generation,
        };
        Self {
            user: Some(user),
            session: Some(Living {
                pass,
                refresh: RefreshToken { session, counter },
                lives_for,
            }),
        }
    }

    /// What the settings' account gets while there is no database: an access token.
    pub fn without_session() -> Self {
        Self {
            user: None,
            session: None,
        }
    }

    /// The `sub` and the role of its access tokens. Those of the settings' account are as they
    /// were before there were others.
    pub fn subject_and_role(&self, settings_username: &str) -> (String, Role) {
        match &self.user {
            Some(user) if user.id != SETTINGS_ACCOUNT => (user.id.to_string(), user.role),
            _ => (settings_username.to_owned(), Role::Admin),
        }
    }
}

/// A session that is to be.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Whose.
    pub company: Uuid,
    /// Whose.
    pub user: Uuid,
    /// The user's generation when the password was found right: if it is another one by now, that
    /// may no longer be so.
    pub generation: i64,
    /// The password's hash with today's parameters, if the one that is kept has others.
    pub new_hash: Option<SecretString>,
    /// How its tokens reach the client.
    pub kind: Kind,
    /// What the client says that it is.
    pub user_agent: Option<String>,
    /// Where from.
    pub address: Option<IpAddr>,
}

impl Opening {
    /// Begins the session; `None` if its user may not log in any more.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn begin(
        self,
        connection: &mut Connection<'_>,
    ) -> Result<Option<Granted>, DatabaseError> {
        let now = schema::now(connection).await?;
        // Locks the row in PostgreSQL: what ends a user's sessions comes before this or after it.
        let noted = on_either!(connection, |database| {
            sqlx::query(of_company(
                "UPDATE users SET last_login_at = $4, password_hash = COALESCE($5, password_hash)
                 WHERE company_id = $1 AND id = $2 AND generation = $3 AND state = 'active'",
            ))
            .bind(self.company)
            .bind(self.user)
            .bind(self.generation)
            .bind(now)
            .bind(self.new_hash.as_ref().map(ExposeSecret::expose_secret))
            .execute(&mut **database)
            .await
            .map(|done| done.rows_affected())
        })?;
        let user = User::find(connection, self.company, self.user).await?;
        let Some(user) = user.filter(|user| noted == 1 && user.may_log_in()) else {
            return Ok(None);
        };
        let session = Uuid::now_v7();
        self.insert(connection, session, now).await?;
        Ok(Some(Granted::of(user, session, 0, IDLE)))
    }

    async fn insert(
        &self,
        connection: &mut Connection<'_>,
        session: Uuid,
        now: i64,
    ) -> Result<(), DatabaseError> {
        on_either!(connection, |database| {
            sqlx::query(
                "INSERT INTO sessions (id, company_id, user_id, counter, kind, user_agent, address,
                                       created_at, rotated_at, expires_at)
                 VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $7, $8)",
            )
            .bind(session)
            .bind(self.company)
            .bind(self.user)
            .bind(self.kind.as_str())
            .bind(self.user_agent.as_deref())
            .bind(self.address.map(network))
            .bind(now)
            .bind(now + LONGEST)
            .execute(&mut **database)
            .await
            .map(drop)
        })?;
        Ok(())
    }
}

/// Of an address only its network is kept: enough to tell one's places apart.
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let network = Ipv4Addr::from_bits(address.to_bits() & (!0 << 8));
            format!("{network}/24")
        }
        IpAddr::V6(address) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & (!0 << 80));
            format!("{network}/48")
        }
    }
}

/// Whose a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Its user's company.
    pub company: Uuid,
    /// Its user.
    pub user: Uuid,
}

/// Whose a session is, and whether it goes on; `None` if there is none.
///
/// # Errors
///
/// Those of the database.
pub async fn owner(
    connection: &mut Connection<'_>,
    session: Uuid,
) -> Result<Option<(Owner, bool)>, DatabaseError> {
    let row: Option<(Uuid, Uuid, Option<i64>)> = on_either!(connection, |database| {
        sqlx::query_as("SELECT company_id, user_id, ended_at FROM sessions WHERE id = $1")
            .bind(session)
            .fetch_optional(&mut **database)
            .await
    })?;
    Ok(row.map(|(company, user, ended_at)| (Owner { company, user }, ended_at.is_none())))
}

/// Ends a session; whether it had not ended before.
///
/// # Errors
///
/// Those of the database.
pub async fn end(
    connection: &mut Connection<'_>,
    owner: Owner,
    session: Uuid,
    reason: EndReason,
) -> Result<bool, DatabaseError> {
    let now = schema::now(connection).await?;
    let ended = on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE sessions SET ended_at = $4, end_reason = $5
             WHERE company_id = $1 AND user_id = $2 AND id = $3 AND ended_at IS NULL",
        ))
        .bind(owner.company)
        .bind(owner.user)
        .bind(session)
        .bind(now)
        .bind(reason.value())
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(ended == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_the_network_is_kept() {
        for (address, expected) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
            ("::1", "::/48"),
        ] {
            assert_eq!(network(address.parse().unwrap()), expected);
        }
    }
}
