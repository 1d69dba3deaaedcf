//! People in the database, as registrations and invitations will make them.

use argon2::{Algorithm, Argon2, Params, Version, password_hash::phc::Output};
use footfall::{
    accounts::names,
    company,
    storage::sql::{Connection, DatabaseError, on_either},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::support::TestApp;

/// Everyone's.
pub const PASSWORD: &str = "correct horse battery staple";

#[derive(Debug, Clone)]
pub struct Person {
    pub id: Uuid,
    pub company: Uuid,
    pub company_name: &'static str,
    pub username: &'static str,
    pub email: String,
}

impl Person {
    /// By what they log in.
    pub fn name(&self) -> String {
        match self.company == company::DEFAULT_ID {
            true => self.username.to_owned(),
            false => format!("{}/{}", self.company_name, self.username),
        }
    }
}

/// A hash of this password with parameters that cost nothing.
pub fn cheap_hash(password: &str) -> String {
    let parameters = "m=8,t=1,p=1";
    let params: Params = parameters.parse().unwrap();
    let mut output = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), b"somesaltsomesalt", &mut output)
        .unwrap();
    let output = Output::new(&output).unwrap();
    format!("$argon2id$v=19${parameters}$c29tZXNhbHRzb21lc2FsdA${output}")
}

/// `anna` and `berta` of the company `Acme`, `carla` of `default`, who are members.
pub async fn people(app: &TestApp) -> [Person; 3] {
    let acme = Uuid::now_v7();
    write(app, move |connection| Box::pin(found(connection, acme))).await;
    let person = |company, company_name, username: &'static str| Person {
        id: Uuid::now_v7(),
        company,
        company_name,
        username,
        email: format!("{username}@example.org"),
    };
    let people = [
        person(acme, "Acme", "anna"),
        person(acme, "Acme", "berta"),
        person(company::DEFAULT_ID, "default", "carla"),
    ];
    for person in people.clone() {
        write(app, move |connection| Box::pin(insert(connection, person))).await;
    }
    people
}

async fn write<W>(app: &TestApp, work: W)
where
    W: for<'c> FnOnce(
            &'c mut Connection<'_>,
        ) -> futures_util::future::BoxFuture<'c, Result<(), DatabaseError>>
        + Send
        + 'static,
{
    let database = app.database.as_ref().unwrap();
    let done = database.write("people", |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            work(connection).await
        })
    });
    done.await.unwrap();
}

async fn found(connection: &mut Connection<'_>, id: Uuid) -> Result<(), DatabaseError> {
    on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO companies (id, name, name_key, state, generation, created_at, updated_at)
             VALUES ($1, 'Acme', $2, 'active', 1, 0, 0)",
        )
        .bind(id)
        .bind(names::key("Acme"))
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}

async fn insert(connection: &mut Connection<'_>, person: Person) -> Result<(), DatabaseError> {
    on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO users (id, company_id, email, email_key, username, username_key, role, state,
                                password_hash, generation, created_at, updated_at)
             VALUES ($1, $2, $3, $3, $4, $5, 'member', 'active', $6, 1, 0, 0)",
        )
        .bind(person.id)
        .bind(person.company)
        .bind(&person.email)
        .bind(person.username)
        .bind(names::key(person.username))
        .bind(cheap_hash(PASSWORD))
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Changes rows behind the service's back.
pub async fn execute(app: &TestApp, sql: impl Into<String>) {
    let sql = sql.into();
    write(app, move |connection| {
        Box::pin(async move {
            on_either!(connection, |database| {
                let statement = sqlx::query(AssertSqlSafe(sql));
                statement.execute(&mut **database).await.map(drop)
            })?;
            Ok(())
        })
    })
    .await;
}

/// A number that the database answers.
pub async fn number(app: &TestApp, sql: &'static str) -> i64 {
    let database = app.database.as_ref().unwrap();
    let number = database.read("number", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            Ok(on_either!(connection, |database| {
                sqlx::query_scalar(sql).fetch_one(&mut **database).await
            })?)
        })
    });
    number.await.unwrap()
}

/// Forgets failed logins, and how often something was done.
pub async fn unlock(stack: &super::Stack) {
    match &stack.redis {
        Some(redis) => {
            for pattern in ["login", "attempts", "limit"] {
                let each = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end";
                redis.command(&format!("EVAL \"{each}\" 0 footfall:{pattern}:*"));
            }
        }
        None => execute(&stack.apps[0], "DELETE FROM login_failures").await,
    }
}
