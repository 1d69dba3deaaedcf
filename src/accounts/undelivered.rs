//! Mails that were given up, in the audit trail: nobody else would notice that one never came.

use futures_util::future::BoxFuture;

use crate::{
    audit::{Action, Actor, Details, Entry, Kind, Outcome, record},
    company::DEFAULT_ID,
    mail::{OnFailure, Undelivered},
    storage::sql::{Connection, DatabaseError},
};

/// Records them, in the transaction that gives them up.
#[derive(Debug, Clone, Copy)]
pub struct RecordUndelivered;

impl OnFailure for RecordUndelivered {
    fn record<'c>(
        &'c self,
        connection: &'c mut Connection<'_>,
        mail: &'c Undelivered,
    ) -> BoxFuture<'c, Result<(), DatabaseError>> {
        let company = mail.company.unwrap_or(DEFAULT_ID);
        let details = Details {
            reason: Some(mail.reason),
            ..Details::default()
        };
        let entry = Entry::new(company, Actor::System, Action::MailFailed)
            .on(Kind::Mail, mail.mail)
            .ended(Outcome::Failure)
            .because(details);
        Box::pin(async move { record(connection, &entry).await })
    }
}
