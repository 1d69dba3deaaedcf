//! Registrations in the database: each waits for whoever has its link and its password.

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::{
    accounts::links::Purpose,
    storage::sql::{Connection, DatabaseError, on_either, schema},
};

/// The columns of [`Row`].
macro_rules! select {
    () => {
        "SELECT id, company_name, email, email_key, username, password_hash FROM registrations "
    };
}

type Row = (Uuid, String, String, String, String, String);

/// One that waits to be confirmed.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its id.
    pub id: Uuid,
    /// The company's name.
    pub company: String,
    /// The address.
    pub email: String,
    /// The address, as addresses are compared.
    pub email_key: String,
    /// The name of its founder.
    pub username: String,
    /// An Argon2id PHC string.
    pub password_hash: SecretString,
}

impl Waiting {
    /// Adds it.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn insert(&self, connection: &mut Connection<'_>) -> Result<(), DatabaseError> {
        let now = schema::now(connection).await?;
        let lifetime = i64::try_from(Purpose::Registration.lifetime().as_millis());
        on_either!(connection, |database| {
            sqlx::query(
                "INSERT INTO registrations (id, company_name, email, email_key, username, password_hash, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(self.id)
            .bind(&self.company)
            .bind(&self.email)
            .bind(&self.email_key)
            .bind(&self.username)
            .bind(self.password_hash.expose_secret())
            .bind(now)
            .bind(now + lifetime.unwrap_or(i64::MAX))
            .execute(&mut **database)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Has others that confirm one of the same address wait until this transaction is over: each deletes what
    /// the other holds. In SQLite whoever writes is alone.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn lock(&self, connection: &mut Connection<'_>) -> Result<(), DatabaseError> {
        if let Connection::Postgres(postgres) = connection {
            let lock = "SELECT id FROM registrations WHERE email_key = $1 ORDER BY id FOR UPDATE";
            let lock = sqlx::query(lock).bind(&self.email_key);
            lock.fetch_all(&mut **postgres).await?;
        }
        Ok(())
    }

    /// The one with this id.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn find(
        connection: &mut Connection<'_>,
        id: Uuid,
    ) -> Result<Option<Self>, DatabaseError> {
        let row: Option<Row> = on_either!(connection, |database| {
            sqlx::query_as(concat!(select!(), "WHERE id = $1"))
                .bind(id)
                .fetch_optional(&mut **database)
                .await
        })?;
        Ok(row.map(Self::of))
    }

    /// The newest of an address.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn newest_of(
        connection: &mut Connection<'_>,
        email_key: &str,
    ) -> Result<Option<Self>, DatabaseError> {
        let now = schema::now(connection).await?;
        let row: Option<Row> = on_either!(connection, |database| {
            sqlx::query_as(concat!(
                select!(),
                "WHERE email_key = $1 AND expires_at > $2 ORDER BY id DESC LIMIT 1"
            ))
            .bind(email_key)
            .bind(now)
            .fetch_optional(&mut **database)
            .await
        })?;
        Ok(row.map(Self::of))
    }

    /// Takes all of this address out: one of them was confirmed.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn delete_all_of(
        connection: &mut Connection<'_>,
        email_key: &str,
    ) -> Result<(), DatabaseError> {
        on_either!(connection, |database| {
            sqlx::query("DELETE FROM registrations WHERE email_key = $1")
                .bind(email_key)
                .execute(&mut **database)
                .await
                .map(drop)
        })?;
        Ok(())
    }

    fn of((id, company, email, email_key, username, password_hash): Row) -> Self {
        Self {
            id,
            company,
            email,
            email_key,
            username,
            password_hash: password_hash.into(),
        }
    }
}
