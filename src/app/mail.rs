//! What mails have to do with accounts and with the audit trail, of which they know nothing.

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::{
    accounts::links::{self, Purpose},
    audit::{self, Action, Actor, Details, Entry, Kind, Outcome},
    auth::keys::Keys,
    company,
    mail::{OnFailure, Page, Undelivered},
    storage::sql::{Connection, DatabaseError},
};

/// The token of the link that leads to a page.
pub fn link_token(keys: &Keys, page: Page, id: Uuid) -> String {
    let purpose = match page {
        Page::Confirm => Purpose::Registration,
        Page::Invitation => Purpose::Invitation,
        Page::Reset => Purpose::Reset,
        Page::Email => Purpose::Email,
    };
    links::token(keys, purpose, id)
}

/// Has a mail that could not be sent told in the audit trail.
pub struct FailedMails;

impl OnFailure for FailedMails {
    fn record<'c>(
        &'c self,
        connection: &'c mut Connection<'_>,
        mail: &'c Undelivered,
    ) -> BoxFuture<'c, Result<(), DatabaseError>> {
        let company = mail.company.unwrap_or(company::DEFAULT_ID);
        let entry = Entry::new(company, Actor::System, Action::MailFailed)
            .on(Kind::Mail, mail.mail)
            .ended(Outcome::Failure)
            .because(Details {
                reason: Some(mail.reason),
                ..Details::default()
            });
        Box::pin(async move { audit::record(connection, &entry).await })
    }
}
