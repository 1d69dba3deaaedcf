//! Following the link of a mail, whether a program does or the form of a page.

use secrecy::SecretString;
use uuid::Uuid;

use crate::{
    accounts::{
        Accounts,
        links::{self, Purpose},
        origin::Origin,
    },
    edge::{Code, Problem},
};

/// What links confirm.
pub const CONFIRMED: &[Purpose] = &[Purpose::Registration, Purpose::Invitation, Purpose::Email];

impl Accounts {
    /// Which link a token is of, if it is for one of these purposes. Whether it can still be used is not looked at.
    pub fn link_of(&self, purposes: &[Purpose], token: &str) -> Option<(Purpose, Uuid)> {
        purposes.iter().find_map(|purpose| {
            let id = links::verify(&self.keys, *purpose, token)?;
            Some((*purpose, id))
        })
    }

    /// Does what a link is for, if it is for one of these purposes and the password is right, or good enough to be
    /// a new one.
    ///
    /// # Errors
    ///
    /// `link_invalid`, `invalid_credentials`, `weak_password`, `too_many_logins`, `login_busy`, and those of the database.
    pub async fn follow(
        &self,
        origin: &Origin,
        purposes: &[Purpose],
        token: &str,
        password: SecretString,
    ) -> Result<(), Problem> {
        self.database()?;
        match self.link_of(purposes, token).ok_or(Code::LinkInvalid)? {
            (Purpose::Reset, link) => self.reset(origin, link, password).await,
            confirmed => self.confirm(origin, confirmed, password).await,
        }
    }
}
