//! Who is meant by a name that somebody logs in with.

use secrecy::SecretString;
use uuid::Uuid;

use crate::{
    accounts::{
        names,
        user::{LoginName, User},
    },
    auth::{SETTINGS_ACCOUNT, password::Whose},
    mail::EmailAddress,
    storage::sql::{Connection, Database, DatabaseError, on_either, schema},
};

/// Longest name anybody can have, in bytes: `company/username`, of 64 characters each.
const MAX_NAME: usize = 64 * 4 * 2 + 1;

/// Who is meant by a name.
pub(super) enum Found {
    /// The settings' account.
    Settings,
    /// Somebody who may log in, or may not.
    User(Box<User>),
    /// Somebody who has registered and not confirmed, with the hash of the password they gave.
    Registered(SecretString),
    /// Nobody.
    Nobody,
    /// The database could not say.
    Unknown(DatabaseError),
}

impl Found {
    /// Whose password it would be.
    pub fn whose(&self) -> Whose {
        match self {
            Self::Settings => Whose::Settings,
            Self::User(user) => match &user.password_hash {
                Some(hash) => Whose::User(hash.clone().into()),
                None => Whose::Nobody,
            },
            Self::Registered(hash) => Whose::User(hash.clone()),
            Self::Nobody | Self::Unknown(_) => Whose::Nobody,
        }
    }

    /// The id of whoever has an account.
    pub fn user(&self) -> Option<Uuid> {
        match self {
            Self::Settings => Some(SETTINGS_ACCOUNT),
            Self::User(user) => Some(user.id),
            Self::Registered(_) | Self::Nobody | Self::Unknown(_) => None,
        }
    }

    /// Whether a right password is one that they may log in with, now or once they have confirmed.
    pub fn counts(&self) -> bool {
        match self {
            Self::User(user) => user.may_log_in(),
            _ => true,
        }
    }
}

/// Asks the database, for any name the same.
pub(super) async fn look_up(database: &Database, username: String) -> Result<Found, DatabaseError> {
    let found = database.read("find_login", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            find_by(connection, &username).await
        })
    });
    found.await
}

/// Two statements for every name.
async fn find_by(connection: &mut Connection<'_>, name: &str) -> Result<Found, DatabaseError> {
    // PostgreSQL has no NUL in any text; and nobody is called so.
    let name = match name.len() <= MAX_NAME && !name.contains('\0') {
        true => name,
        false => "",
    };
    let (user, email_key) = match LoginName::new(name) {
        LoginName::Email(email) => {
            let address = email.parse::<EmailAddress>();
            let key = address.map(|address| address.key()).unwrap_or_default();
            (User::find_by_email(connection, &key).await?, key)
        }
        LoginName::Name { company, username } => {
            let (company, username) = (names::key(company), names::key(username));
            let user = User::find_by_name(connection, &company, &username).await?;
            (user, String::new())
        }
    };
    let registered = registered(connection, &email_key).await?;
    Ok(match (user, registered) {
        (Some(user), _) => Found::User(Box::new(user)),
        (None, Some(hash)) => Found::Registered(hash.into()),
        (None, None) => Found::Nobody,
    })
}

/// The hash of the password of the newest registration of an address.
async fn registered(
    connection: &mut Connection<'_>,
    email_key: &str,
) -> Result<Option<String>, DatabaseError> {
    let now = schema::now(connection).await?;
    let hash = on_either!(connection, |database| {
        sqlx::query_scalar(
            "SELECT password_hash FROM registrations WHERE email_key = $1 AND expires_at > $2
             ORDER BY id DESC LIMIT 1",
        )
        .bind(email_key)
        .bind(now)
        .fetch_optional(&mut **database)
        .await
    })?;
    Ok(hash)
}
