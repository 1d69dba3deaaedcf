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
pub(super) enum Who {
    /// The settings' account.
    Settings,
    /// Somebody who may log in, or may not.
    User(Box<User>),
    /// Nobody.
    Nobody,
}

/// What there is of a name.
pub(super) struct Found {
    /// Who is meant.
    pub who: Who,
    /// The hash of the password of the newest registration of an address. Anybody may register any
    /// address: whether it has an account is not to be seen by it.
    pub registered: Option<SecretString>,
    /// Why the database could not say.
    pub error: Option<DatabaseError>,
}

impl Found {
    /// What is known without the database.
    pub fn without_database(of_settings: bool) -> Self {
        Self {
            who: match of_settings {
                true => Who::Settings,
                false => Who::Nobody,
            },
            registered: None,
            error: None,
        }
    }

    /// Whose password it would be, where there are users or not.
    pub fn whose(&self, there_are_users: bool) -> Whose {
        match &self.who {
            Who::Settings => Whose::Settings,
            Who::User(user) => match &user.password_hash {
                Some(hash) => Whose::User(hash.clone()),
                None => Whose::Nobody,
            },
            Who::Nobody if there_are_users => Whose::Nobody,
            Who::Nobody => Whose::NobodyElse,
        }
    }

    /// Whose password it would be besides.
    pub fn whose_registration(&self) -> Whose {
        match &self.registered {
            Some(hash) => Whose::User(hash.clone()),
            None => Whose::Nobody,
        }
    }

    /// The id of whoever has an account.
    pub fn user(&self) -> Option<Uuid> {
        match &self.who {
            Who::Settings => Some(SETTINGS_ACCOUNT),
            Who::User(user) => Some(user.id),
            Who::Nobody => None,
        }
    }

    /// Whether a right password is one that they may log in with now.
    pub fn may_log_in(&self) -> bool {
        match &self.who {
            Who::User(user) => user.may_log_in(),
            Who::Settings | Who::Nobody => true,
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
    Ok(Found {
        who: user.map_or(Who::Nobody, |user| Who::User(Box::new(user))),
        registered: registered.map(SecretString::from),
        error: None,
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
