//! Users, as the database has them.

use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    auth::role::Role,
    company::Zone,
    edge::page::{Cursor, Page},
    storage::sql::{Connection, DatabaseError, of_company, on_either},
};

/// A company, as far as its people see it.
#[derive(Serialize, ToSchema)]
pub struct OfCompany {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    #[schema(example = "Acme")]
    pub name: String,
}

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UserState)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Invited, and has not come yet.
    Invited,
    /// May log in.
    Active,
    /// May not log in.
    Disabled,
    /// Was here once: what is left says nothing of who it was.
    Deleted,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Invited, Self::Active, Self::Disabled, Self::Deleted];

    /// Its name in the database and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
        }
    }
}

/// A user, and of the company what decides whether its people are let in.
#[derive(Debug, Clone)]
pub struct User {
    /// Their id.
    pub id: Uuid,
    /// Their company's.
    pub company: Uuid,
    /// Their e-mail address as they wrote it; `None` of the settings' account and of who was deleted.
    pub email: Option<String>,
    /// Their name, unique in the company; `None` likewise.
    pub username: Option<String>,
    /// What they may do.
    pub role: Role,
    /// What they are.
    pub state: State,
    /// An Argon2id PHC string.
    pub password_hash: Option<SecretString>,
    /// Grows when the tokens that were issued before must stop.
    pub generation: i64,
    /// When they were invited or registered, in Unix milliseconds.
    pub created_at: i64,
    /// When they last logged in.
    pub last_login_at: Option<i64>,
    /// The company's name.
    pub company_name: String,
    /// Whether nobody of the company is let in.
    pub company_suspended: bool,
    /// Grows when the tokens of all its people must stop.
    pub company_generation: i64,
    /// By which the company's days begin.
    pub company_zone: Zone,
}

/// How somebody who logs in says who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginName<'a> {
    /// By e-mail address.
    Email(&'a str),
    /// `company/username`, or only the name in the company `default`.
    Name {
        /// The company's name.
        company: &'a str,
        /// The user's.
        username: &'a str,
    },
}

impl<'a> LoginName<'a> {
    /// What a text is taken for: no name has an `@` or a `/`.
    pub fn new(text: &'a str) -> Self {
        if text.contains('@') {
            return Self::Email(text);
        }
        let (company, username) = text.split_once('/').unwrap_or(("default", text));
        Self::Name { company, username }
    }
}

/// By what the address of somebody is compared who is invited into a company: within it alone, since no
/// address has a blank in it. Anybody can invite any address, so an invitation must not take it: whoever
/// confirms first, here or elsewhere, proves to own it and has it from then on. The database reads the
/// address out of this key (`users.invited_key`).
pub fn invited_key(company: Uuid, email_key: &str) -> String {
    format!("{} {email_key}", company.simple())
}

/// The columns of [`Row`].
macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT u.id, u.company_id, u.email, u.username, u.role, u.state, u.password_hash, u.generation, \
             u.created_at, u.last_login_at, c.name, c.state, c.generation, c.time_zone \
             FROM users u JOIN companies c ON c.id = u.company_id ",
            $where
        )
    };
}

type Row = (
    Uuid,
    Uuid,
    Option<String>,
    Option<String>,
    String,
    String,
    Option<String>,
    i64,
    i64,
    Option<i64>,
    String,
    String,
    i64,
    String,
);

impl User {
    fn of(row: Row) -> Result<Self, DatabaseError> {
        let (
            id,
            company,
            email,
            username,
            role,
            state,
            password_hash,
            generation,
            created_at,
            last_login_at,
            company_name,
            company_state,
            company_generation,
            company_zone,
        ) = row;
        let unreadable = |column| {
            DatabaseError::Refused(format!("the {column} of user {id} is none that is known"))
        };
        let known = State::ALL.into_iter().find(|known| known.as_str() == state);
        Ok(Self {
            id,
            company,
            email,
            username,
            role: role.parse().map_err(|_| unreadable("role"))?,
            state: known.ok_or_else(|| unreadable("state"))?,
            password_hash: password_hash.map(SecretString::from),
            generation,
            created_at,
            last_login_at,
            company_name,
            company_suspended: company_state != "active",
            company_generation,
            company_zone: Zone::find(&company_zone).unwrap_or_default(),
        })
    }

    /// The user of a company with this id.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn find(
        connection: &mut Connection<'_>,
        company: Uuid,
        id: Uuid,
    ) -> Result<Option<Self>, DatabaseError> {
        let row: Option<Row> = on_either!(connection, |database| {
            sqlx::query_as(of_company(select!("WHERE u.company_id = $1 AND u.id = $2")))
                .bind(company)
                .bind(id)
                .fetch_optional(&mut **database)
                .await
        })?;
        row.map(Self::of).transpose()
    }

    /// A page of those of a company, in the order of their ids, so that who came first is first, and where the
    /// next one begins. Nobody who was deleted is among them; a state and a role may be asked for.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn page(
        connection: &mut Connection<'_>,
        company: Uuid,
        (state, role): (Option<State>, Option<Role>),
        page: Page<Uuid>,
    ) -> Result<(Vec<Self>, Option<Cursor<Uuid>>), DatabaseError> {
        let mut rows: Vec<Row> = on_either!(connection, |database| {
            sqlx::query_as(of_company(select!(
                "WHERE u.company_id = $1 AND u.id > $2 AND u.state <> 'deleted'
                 AND ($3 = '' OR u.state = $3) AND ($4 = '' OR u.role = $4) ORDER BY u.id LIMIT $5"
            )))
            .bind(company)
            .bind(page.after.unwrap_or(Uuid::nil()))
            .bind(state.map_or("", State::as_str))
            .bind(role.map_or("", Role::as_str))
            .bind(page.rows())
            .fetch_all(&mut **database)
            .await
        })?;
        let next = page.cut(&mut rows, |row| row.0);
        let users = rows.into_iter().map(Self::of).collect::<Result<_, _>>();
        Ok((users?, next))
    }

    /// The user with this e-mail address, as addresses are compared. Whoever is invited does not have theirs
    /// before they accept ([`invited_key`]).
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn find_by_email(
        connection: &mut Connection<'_>,
        email_key: &str,
    ) -> Result<Option<Self>, DatabaseError> {
        let row: Option<Row> = on_either!(connection, |database| {
            sqlx::query_as(select!("WHERE u.email_key = $1"))
                .bind(email_key)
                .fetch_optional(&mut **database)
                .await
        })?;
        row.map(Self::of).transpose()
    }

    /// Who was last invited with this address and may still accept.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn find_invited(
        connection: &mut Connection<'_>,
        email_key: &str,
    ) -> Result<Option<Self>, DatabaseError> {
        let row: Option<Row> = on_either!(connection, |database| {
            sqlx::query_as(select!(
                "WHERE u.invited_key = $1 AND u.state = 'invited' AND c.state = 'active' ORDER BY u.id DESC LIMIT 1"
            ))
            .bind(email_key)
            .fetch_optional(&mut **database)
            .await
        })?;
        row.map(Self::of).transpose()
    }

    /// The user with this address; if nobody has confirmed it, who was invited with it by the one company that
    /// has. `None` also if several have: then nobody says which of them is meant.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn find_by_email_or_invited(
        connection: &mut Connection<'_>,
        email_key: &str,
    ) -> Result<Option<Self>, DatabaseError> {
        if let Some(user) = Self::find_by_email(connection, email_key).await? {
            return Ok(Some(user));
        }
        let rows: Vec<Row> = on_either!(connection, |database| {
            sqlx::query_as(select!("WHERE u.invited_key = $1 LIMIT 2"))
                .bind(email_key)
                .fetch_all(&mut **database)
                .await
        })?;
        match <[Row; 1]>::try_from(rows) {
            Ok([row]) => Self::of(row).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The user with this name, as names are compared.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn find_by_name(
        connection: &mut Connection<'_>,
        company_key: &str,
        username_key: &str,
    ) -> Result<Option<Self>, DatabaseError> {
        let row: Option<Row> = on_either!(connection, |database| {
            sqlx::query_as(select!("WHERE c.name_key = $1 AND u.username_key = $2"))
                .bind(company_key)
                .bind(username_key)
                .fetch_optional(&mut **database)
                .await
        })?;
        row.map(Self::of).transpose()
    }

    /// What they and their company are called: what anybody would try first as their password.
    pub fn names(&self) -> [&str; 3] {
        [
            self.company_name.as_str(),
            self.email.as_deref().unwrap_or_default(),
            self.username.as_deref().unwrap_or_default(),
        ]
    }

    /// Whether they administer their company now.
    pub fn is_active_admin(&self) -> bool {
        self.state == State::Active && self.role >= Role::Admin
    }

    /// Whether they are let in.
    pub fn may_log_in(&self) -> bool {
        self.state == State::Active && !self.company_suspended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::EmailAddress;

    #[test]
    fn keys_of_one_address_in_several_companies_are_apart() {
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        let key = invited_key(one, "anna@example.com");
        assert_ne!(key, invited_key(other, "anna@example.com"));
        assert!(
            key.parse::<EmailAddress>().is_err(),
            "nobody can ask for it"
        );
        // As the database cuts it.
        assert_eq!(&key[33..], "anna@example.com");
    }
}
