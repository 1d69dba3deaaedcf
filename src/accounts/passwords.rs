//! Passwords of accounts: the ones that somebody shows beside a link or a token, and new ones.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::sleep;

use super::{Accounts, origin::Origin, user::User};
use crate::{
    audit::{Details, Entry, Outcome},
    auth::{
        password::{Place, Whose},
        throttle::{Charge, Guess, Verdict},
    },
    edge::{Code, Problem},
    mail::{self, Mail, Template},
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// How often one that waits for others of its address asks again: a hash takes some 20 ms.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// How often it asks: as long as a client commonly waits.
const TIMES: u32 = 100;

impl Accounts {
    /// A place in the queue for hashing.
    ///
    /// # Errors
    ///
    /// `login_busy`, if too many wait.
    pub(super) fn place(&self) -> Result<Place, Problem> {
        self.passwords.queue().map_err(|_| Code::LoginBusy.into())
    }

    /// Checks that a password is the one with this hash. Who tries is limited as at a login, so that a link
    /// or a stolen token is no better place to guess: `name` is what the failures of many addresses
    /// are counted under, and `guess` what stands in the audit trail of one that is wrong.
    ///
    /// # Errors
    ///
    /// `invalid_credentials`, `too_many_logins`, `login_busy`.
    pub(super) async fn prove(
        &self,
        origin: &Origin,
        name: &str,
        hash: SecretString,
        password: SecretString,
        guess: Entry,
    ) -> Result<(), Problem> {
        let place = self.place()?;
        let charge = self.charge(origin, name).await?;
        let whose = Whose::User(hash);
        let verified = self.passwords.verify(place, whose, password).await;
        let is_right = verified.map_err(|bug| Problem::from(Code::Internal).with_cause(bug))?;
        if let Some(charge) = charge {
            self.throttle.settle(charge, is_right).await;
        }
        if is_right {
            return Ok(());
        }
        let reason = Some(Code::InvalidCredentials.as_str());
        self.audit
            .note(guess.ended(Outcome::Failure).because(Details {
                reason,
                ..Details::default()
            }));
        Err(Problem::from(Code::InvalidCredentials)
            .with_detail("The password is wrong.")
            .of_field("password"))
    }

    /// Takes the attempt for a failure until it is known to be none, also when its client hangs up;
    /// `None` if the store cannot say.
    async fn charge(&self, origin: &Origin, name: &str) -> Result<Option<Charge>, Problem> {
        for _ in 0..TIMES {
            let guess = Guess::Login {
                client: origin.address,
                username: name,
                device: None,
            };
            match self.throttle.charge(guess).await {
                None => return Ok(None),
                Some(Verdict::Go(charge)) => return Ok(Some(charge)),
                Some(Verdict::Locked(wait)) => {
                    return Err(Problem::from(Code::TooManyLogins).retry_after(wait));
                }
                Some(Verdict::Crowded) => sleep(ASK_AGAIN).await,
            }
        }
        Err(Code::LoginBusy.into())
    }

    /// Checks that a new password is good enough. `context` is what anybody would try first.
    ///
    /// # Errors
    ///
    /// `weak_password` with the field's name, `login_busy`.
    pub(super) async fn check_strength(
        &self,
        password: &SecretString,
        field: &'static str,
        context: &[&str],
    ) -> Result<(), Problem> {
        let context = context.iter().map(|word| (*word).to_owned()).collect();
        let (password, length) = (password.clone(), self.password_min_length);
        let judged = self
            .passwords
            .judge(self.place()?, password, length, context);
        match judged.await {
            Ok(None) => Ok(()),
            Ok(Some(weakness)) => Err(weakness.in_field(field)),
            Err(bug) => Err(Problem::from(Code::Internal).with_cause(bug)),
        }
    }

    /// The hash of a new password.
    ///
    /// # Errors
    ///
    /// `login_busy`, if too many wait.
    pub(super) async fn hashed(&self, password: SecretString) -> Result<String, Problem> {
        let hashed = self.passwords.hash(self.place()?, password).await;
        hashed.map_err(|bug| Problem::from(Code::Internal).with_cause(bug))
    }
}

/// Gives an active user a new password, unless it has changed since they were read.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn set_password(
    connection: &mut Connection<'_>,
    user: &User,
    hash: &str,
) -> Result<bool, DatabaseError> {
    let now = schema::now(connection).await?;
    let set = on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE users SET password_hash = $3, updated_at = $4
             WHERE company_id = $1 AND id = $2 AND state = 'active' AND password_hash = $5",
        ))
        .bind(user.company)
        .bind(user.id)
        .bind(hash)
        .bind(now)
        .bind(user.password_hash.as_ref().map(ExposeSecret::expose_secret))
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(set == 1)
}

/// Tells the owner of an account by mail that it has a new password.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn tell_of_password(
    connection: &mut Connection<'_>,
    user: &User,
) -> Result<(), DatabaseError> {
    let Some(to) = user.email.clone() else {
        return Ok(());
    };
    let mail = Mail {
        to,
        company: Some(user.company),
        template: Template::PasswordChanged,
    };
    mail::enqueue(connection, &mail).await
}
