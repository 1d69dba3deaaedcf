//! Founding a company: who registers gets a link, and whoever has the link and the password is its
//! first admin.
//!
//! Until then nothing is taken. An address that has an account already costs and answers the same;
//! its owner gets a mail that says so, and no link.

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{
    Accounts, fields,
    links::{self, Purpose, Subject},
    metrics::Step,
    names::Name,
    once::{Once, Turn},
    origin::Origin,
    user::User,
};
use crate::{
    audit::{self, Action, Actor, Entry, Kind},
    auth::throttle::{Action as Limited, Refusal},
    company::DEFAULT_ID,
    config::Registration as Policy,
    edge::{Code, Problem},
    mail::{self, EmailAddress, Mail, Template},
    storage::sql::{Connection, DatabaseError, on_either, schema},
};

/// The columns of [`Row`].
macro_rules! select {
    () => {
        "SELECT id, company_name, email, email_key, username, password_hash FROM registrations "
    };
}

type Row = (Uuid, String, String, String, String, String);

/// Who wants to found a company.
pub struct Registration {
    /// The company's name.
    pub company: Name,
    /// Where they can be written to.
    pub email: EmailAddress,
    /// What they are called in it.
    pub username: Name,
    /// How they log in.
    pub password: SecretString,
}

impl Registration {
    /// Looks at what somebody typed.
    ///
    /// # Errors
    ///
    /// What is wrong with the first field that is.
    pub fn new(
        company: &str,
        email: &str,
        username: &str,
        password: SecretString,
    ) -> Result<Self, Problem> {
        Ok(Self {
            company: fields::name(Name::of_company(company), "company")?,
            email: fields::email(email, "email")?,
            username: fields::name(Name::of_user(username), "username")?,
            password,
        })
    }
}

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

impl Accounts {
    /// Has somebody registered, until they confirm it.
    ///
    /// # Errors
    ///
    /// `registration_closed`, `weak_password`, `too_many_requests`, `login_busy`, and those of the database.
    pub async fn register(&self, origin: &Origin, new: Registration) -> Result<(), Problem> {
        self.may_register()?;
        let email_key = new.email.key();
        let once = origin.once("register", &email_key);
        if self.was_done(once.as_ref()).await? {
            return Ok(());
        }
        let context = [
            new.company.as_str(),
            new.email.as_str(),
            new.username.as_str(),
        ];
        let limit = Limited::Register {
            client: origin.address,
        };
        // First: to judge a password takes longer than all the rest.
        self.throttle.allow(limit).await?;
        self.check_strength(&new.password, "password", &context)
            .await?;
        let limit = Limited::RegisterMail { email: &email_key };
        // Who has asked too often for this address sees what anybody sees, and no mail is sent.
        let is_told = match self.throttle.allow(limit).await {
            Err(Refusal::Quietly) => false,
            allowed => allowed.map(|()| true)?,
        };
        let waiting = Waiting {
            id: Uuid::now_v7(),
            company: new.company.as_str().to_owned(),
            email: new.email.as_str().to_owned(),
            email_key,
            username: new.username.as_str().to_owned(),
            password_hash: self.hashed(new.password).await?.into(),
        };
        let from = origin.clone();
        let done = self.database()?.write("register", move |connection| {
            Box::pin(async move { waiting.write(connection, once, &from, is_told).await })
        });
        if done.await? {
            self.metrics.registrations.of(Step::Asked).inc();
            self.wake_mailer();
        }
        Ok(())
    }

    /// Whether anybody can found a company.
    ///
    /// # Errors
    ///
    /// `no_database`, `registration_closed`.
    pub fn may_register(&self) -> Result<(), Problem> {
        self.database()?;
        match self.registration {
            Policy::Open => Ok(()),
            Policy::Invite | Policy::Closed => Err(Code::RegistrationClosed.into()),
        }
    }
}

impl Waiting {
    /// Writes it, its link and its mail; whether this was the first time. The same is
    /// written whether or not somebody has the address; only the mail is another one.
    async fn write(
        self,
        connection: &mut Connection<'_>,
        once: Option<Once>,
        origin: &Origin,
        is_told: bool,
    ) -> Result<bool, DatabaseError> {
        connection.across_companies().await?;
        if Once::begin(once.as_ref(), connection).await? != Turn::First {
            return Ok(false);
        }
        let owner = User::find_by_email(connection, &self.email_key).await?;
        self.insert(connection).await?;
        let subject = Subject::Registration(self.id);
        let link = links::create(connection, Purpose::Registration, subject, None).await?;
        let mail = Mail {
            to: self.email,
            company: None,
            template: match owner {
                Some(_) => Template::AlreadyRegistered,
                None => Template::Confirm {
                    link,
                    company: self.company,
                    username: self.username,
                },
            },
        };
        if is_told {
            mail::enqueue(connection, &mail).await?;
        }
        let entry = Entry::new(DEFAULT_ID, Actor::Anonymous, Action::AccountRegister);
        let entry = origin.of(entry.on(Kind::Registration, self.id));
        audit::record(connection, &entry).await?;
        Ok(true)
    }

    async fn insert(&self, connection: &mut Connection<'_>) -> Result<(), DatabaseError> {
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
