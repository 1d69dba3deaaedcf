//! Mail: an outbox in the database, and the one who empties it.
//!
//! A mail is written to the outbox in the transaction of what causes it ([`enqueue`]), so that there
//! is one exactly if there is the other. Each replica has a [`Sender`] that takes one mail at a time
//! by a lease, so that no two have the same. What the outbox keeps is a template and what it is
//! about, never a link: whoever could read the database could open accounts. Links are made when a
//! mail is sent.
//!
//! **Once, or a second time after a crash.** SMTP has no way to ask whether a message was taken. A
//! process that dies between the server's last answer and the note of it leaves a mail that is sent
//! again when its lease ends: one mail too many is a smaller evil than a password that cannot be
//! reset. Both have the same `Message-ID`, by which most mailboxes know the second for the first.

pub mod address;
mod composer;
mod failed;
mod letter;
mod mailer;
mod metrics;
mod outbox;
mod quote;
mod sender;
mod template;
mod transport;

pub use self::{
    address::{EmailAddress, InvalidEmail},
    composer::Tokens,
    failed::failed,
    mailer::Mailer,
    metrics::{MailMetrics, Reason},
    outbox::{Mail, enqueue},
    sender::{OnFailure, Sender, TRY, Undelivered},
    template::{Page, Template},
    transport::{Failure, Smtp},
};
