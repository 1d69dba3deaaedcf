//! Registering: nothing is taken until it is confirmed. An address that has an account already costs
//! and answers the same; its owner gets a mail that says so, and no link.

use secrecy::SecretString;
use uuid::Uuid;

use super::waiting::Waiting;
use crate::{
    accounts::{
        Accounts, fields,
        links::{self, Purpose, Subject},
        metrics::Step,
        names::Name,
        once::{Once, Turn},
        origin::Origin,
        user::User,
    },
    audit::{self, Action, Actor, Entry, Kind},
    auth::throttle::Action as Limited,
    company::DEFAULT_ID,
    config::Registration as Policy,
    edge::{Code, Problem},
    mail::{self, EmailAddress, Mail, Template},
    storage::sql::{Connection, DatabaseError},
};

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

impl Accounts {
    /// Has somebody registered, until they confirm it.
    ///
    /// # Errors
    ///
    /// `registration_closed`, `weak_password`, `too_many_requests`, `login_busy`, and those of the database.
    pub async fn register(&self, origin: &Origin, new: Registration) -> Result<(), Problem> {
        self.may_register()?;
        let once = origin.once("register", &new.email.key());
        if self.was_done(once.as_ref()).await? {
            return Ok(());
        }
        let limit = Limited::Register {
            client: origin.address,
        };
        // First: to judge a password takes longer than all the rest.
        let asked = self.throttle.allow(limit).await?;
        let registering = self.judge_and_write(origin, new, once);
        if self.counted(asked, registering).await? {
            self.metrics.registrations.of(Step::Asked).inc();
            self.wake_mailer();
        }
        Ok(())
    }

    async fn judge_and_write(
        &self,
        origin: &Origin,
        new: Registration,
        once: Option<Once>,
    ) -> Result<bool, Problem> {
        let context = [
            new.company.as_str(),
            new.email.as_str(),
            new.username.as_str(),
        ];
        self.check_strength(&new.password, "password", &context)
            .await?;
        let email_key = new.email.key();
        let limit = Limited::RegisterMail { email: &email_key };
        let mailed = self.throttle.allow(limit).await?;
        let is_told = mailed.is_told;
        let writing = async {
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
                Box::pin(async move { write(connection, waiting, once, &from, is_told).await })
            });
            Ok(done.await?)
        };
        self.counted(mailed, writing).await
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

/// Writes a registration, its link and its mail; whether this was the first time. The same is
/// written whether or not somebody has the address; only the mail is another one.
async fn write(
    connection: &mut Connection<'_>,
    new: Waiting,
    once: Option<Once>,
    origin: &Origin,
    is_told: bool,
) -> Result<bool, DatabaseError> {
    connection.across_companies().await?;
    if Once::begin(once.as_ref(), connection).await? != Turn::First {
        return Ok(false);
    }
    let owner = User::find_by_email(connection, &new.email_key).await?;
    new.insert(connection).await?;
    let subject = Subject::Registration(new.id);
    let link = links::create(connection, Purpose::Registration, subject, None).await?;
    let mail = Mail {
        to: new.email,
        company: None,
        template: match owner {
            Some(_) => Template::AlreadyRegistered,
            None => Template::Confirm {
                link,
                company: new.company,
                username: new.username,
            },
        },
    };
    if is_told {
        mail::enqueue(connection, &mail).await?;
    }
    let entry = Entry::new(DEFAULT_ID, Actor::Anonymous, Action::AccountRegister);
    let entry = origin.of(entry.on(Kind::Registration, new.id));
    audit::record(connection, &entry).await?;
    Ok(true)
}
