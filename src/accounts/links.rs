//! Links of mails: what lets somebody do one thing, once, for a while.
//!
//! The token of a link is the id of its row and a signature over it, by a key of its purpose. So
//! nothing that is in the database opens anything, and a token that nobody was sent costs no look
//! into it.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::{
    auth::{
        SETTINGS_ACCOUNT,
        keys::{BYTES, Keys, Purpose as Key},
    },
    company::DEFAULT_ID,
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// Bytes of a UUID.
const ID: usize = 16;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Confirms a registration.
    Registration,
    /// Accepts an invitation.
    Invitation,
    /// Sets a new password.
    Reset,
    /// Confirms a new e-mail address.
    Email,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Registration,
        Self::Invitation,
        Self::Reset,
        Self::Email,
    ];

    /// Its name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Invitation => "invitation",
            Self::Reset => "reset",
            Self::Email => "email",
        }
    }

    /// How long a link is good. One that sets a password is as good as the password: the time to
    /// look into one's mails. The others may wait for who comes to them tomorrow.
    pub fn lifetime(self) -> Duration {
        match self {
            Self::Reset => Duration::from_mins(30),
            _ => Duration::from_hours(24),
        }
    }

    fn key(self) -> Key {
        match self {
            Self::Registration => Key::RegistrationLink,
            Self::Invitation => Key::InvitationLink,
            Self::Reset => Key::ResetLink,
            Self::Email => Key::EmailLink,
        }
    }
}

/// The token of a link.
pub fn token(keys: &Keys, purpose: Purpose, id: Uuid) -> String {
    let signature = keys.sign(purpose.key(), id.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode([&id.as_bytes()[..], &signature].concat())
}

/// The link that a token is of; `None` if it is none of ours for this purpose.
pub fn verify(keys: &Keys, purpose: Purpose, token: &str) -> Option<Uuid> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let (id, signature) = bytes.split_at_checked(ID)?;
    let is_ours = signature.len() == BYTES && keys.verify(purpose.key(), id, signature);
    is_ours.then(|| Uuid::from_slice(id).ok()).flatten()
}

/// Whom a link is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Who has registered.
    Registration(Uuid),
    /// A user of a company.
    User {
        /// The company.
        company: Uuid,
        /// The user.
        id: Uuid,
    },
    /// Nobody: the link is used up from the beginning. It is written where there is nobody to write
    /// one for, so that this costs what it would cost if there were.
    Nobody,
}

/// A link as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whom it is about.
    pub subject: Subject,
    /// The address that it confirms, where it is not yet the user's.
    pub email: Option<String>,
}

/// Makes a link, and gives its id.
///
/// # Errors
///
/// Those of the database.
pub async fn create(
    connection: &mut Connection<'_>,
    purpose: Purpose,
    subject: Subject,
    email: Option<&str>,
) -> Result<Uuid, DatabaseError> {
    let (id, now) = (Uuid::now_v7(), schema::now(connection).await?);
    let lifetime = i64::try_from(purpose.lifetime().as_millis()).unwrap_or(i64::MAX);
    let (user, registration, used) = match subject {
        Subject::Registration(id) => (None, Some(id), None),
        Subject::User { company, id } => (Some((company, id)), None, None),
        Subject::Nobody => (Some((DEFAULT_ID, SETTINGS_ACCOUNT)), None, Some(now)),
    };
    on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO links (id, purpose, company_id, user_id, registration_id, email, created_at, expires_at, used_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(id)
        .bind(purpose.as_str())
        .bind(user.map(|(company, _)| company))
        .bind(user.map(|(_, user)| user))
        .bind(registration)
        .bind(email)
        .bind(now)
        .bind(now + lifetime)
        .bind(used)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(id)
}

type Row = (Option<Uuid>, Option<Uuid>, Option<Uuid>, Option<String>);

/// A link that can still be used.
///
/// # Errors
///
/// Those of the database.
pub async fn find(
    connection: &mut Connection<'_>,
    purpose: Purpose,
    id: Uuid,
) -> Result<Option<Link>, DatabaseError> {
    let now = schema::now(connection).await?;
    let row: Option<Row> = on_either!(connection, |database| {
        sqlx::query_as(
            "SELECT company_id, user_id, registration_id, email FROM links
             WHERE id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3",
        )
        .bind(id)
        .bind(purpose.as_str())
        .bind(now)
        .fetch_optional(&mut **database)
        .await
    })?;
    Ok(row.map(|(company, user, registration, email)| Link {
        subject: match (company, user, registration) {
            (Some(company), Some(id), _) => Subject::User { company, id },
            (_, _, Some(id)) => Subject::Registration(id),
            _ => Subject::Nobody,
        },
        email,
    }))
}

/// Uses a link up: whether nobody has before.
///
/// # Errors
///
/// Those of the database.
pub async fn use_up(connection: &mut Connection<'_>, id: Uuid) -> Result<bool, DatabaseError> {
    let now = schema::now(connection).await?;
    let used = on_either!(connection, |database| {
        sqlx::query(
            "UPDATE links SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2",
        )
        .bind(id)
        .bind(now)
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(used == 1)
}

/// Uses up all links of a user that are for this.
///
/// # Errors
///
/// Those of the database.
pub async fn void(
    connection: &mut Connection<'_>,
    company: Uuid,
    user: Uuid,
    purpose: Purpose,
) -> Result<(), DatabaseError> {
    let now = schema::now(connection).await?;
    on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE links SET used_at = $4
             WHERE company_id = $1 AND user_id = $2 AND purpose = $3 AND used_at IS NULL",
        ))
        .bind(company)
        .bind(user)
        .bind(purpose.as_str())
        .bind(now)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn keys(key: &str) -> Keys {
        Keys::new(&Settings::of(&[("SECRET_KEY", key)]).auth)
    }

    #[test]
    fn a_token_is_for_one_purpose_of_one_key() {
        let (ours, others) = (keys("ours"), keys("others"));
        let id = Uuid::now_v7();
        for purpose in Purpose::ALL {
            let token = token(&ours, purpose, id);
            assert_eq!(token.len(), 64);
            for other in Purpose::ALL {
                let expected = (other == purpose).then_some(id);
                assert_eq!(
                    verify(&ours, other, &token),
                    expected,
                    "{purpose:?} {other:?}"
                );
            }
            assert_eq!(verify(&others, purpose, &token), None);
        }
    }

    /// No other text is the same link: every character counts.
    #[test]
    fn a_token_that_was_changed_is_none() {
        let keys = keys("ours");
        let token = token(&keys, Purpose::Reset, Uuid::now_v7());
        let verify = |text: &str| verify(&keys, Purpose::Reset, text);
        assert!(verify(&token).is_some());
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                verify(std::str::from_utf8(&bytes).unwrap()),
                None,
                "{place}"
            );
        }
        for wrong in [
            "",
            "a",
            &token[1..],
            &token[..63],
            &format!("{token}A"),
            &format!("{token}="),
            &format!("{token}\n"),
            &format!(" {token}"),
            &format!("{token}{token}"),
            &"A".repeat(64),
            "\0",
            "😀",
        ] {
            assert_eq!(verify(wrong), None, "{wrong}");
        }
    }
}
