//! How a message leaves: to a mail server, or into a folder on a laptop.

mod failure;
mod folder;
mod smtp;

use uuid::Uuid;

use self::folder::Folder;
pub use self::{failure::Failure, smtp::Smtp};
use super::{composer::Composed, metrics::Reason};
use crate::config::MailSettings;

/// Where messages go.
pub enum Transport {
    /// To a mail server.
    Smtp(Smtp),
    /// Into a folder, with the link in the log: there is no server, and this is no production.
    Folder(Folder),
    /// Nowhere: they wait until there is a server.
    Nowhere,
}

/// A message at the point of no return.
pub enum Opened {
    /// The server has taken sender and recipient, and waits for the message.
    Smtp(Box<smtp::Dialogue>),
    /// The folder is there.
    Folder,
}

impl Transport {
    /// As the settings say.
    pub fn new(settings: &MailSettings) -> Self {
        match (&settings.smtp, &settings.folder) {
            (Some(url), _) => Self::Smtp(Smtp::new(url.clone(), settings.public_url.as_ref())),
            (None, Some(folder)) => Self::Folder(Folder::new(folder.clone())),
            (None, None) => Self::Nowhere,
        }
    }

    /// All up to the message itself: until this is over, nothing has been sent, and it can be
    /// dropped at any moment.
    ///
    /// # Errors
    ///
    /// Why it is not taken.
    pub async fn open(&self, composed: &Composed) -> Result<Opened, Failure> {
        match self {
            Self::Smtp(smtp) => {
                let dialogue = smtp.open(composed.message.envelope()).await?;
                Ok(Opened::Smtp(Box::new(dialogue)))
            }
            Self::Folder(_) => Ok(Opened::Folder),
            Self::Nowhere => Err(Failure::later(
                Reason::NoServer,
                "FOOTFALL_SMTP_URL is not set",
            )),
        }
    }

    /// Sends the message. Dropped before its end, it may have been sent or not.
    ///
    /// # Errors
    ///
    /// Why it was not taken.
    pub async fn send(
        &self,
        opened: &mut Opened,
        id: Uuid,
        composed: &Composed,
    ) -> Result<(), Failure> {
        let bytes = composed.message.formatted();
        match (self, opened) {
            (_, Opened::Smtp(dialogue)) => dialogue.send(&bytes).await,
            (Self::Folder(folder), Opened::Folder) => {
                folder.write(id, &bytes, composed.link.as_deref())
            }
            _ => Ok(()),
        }
    }
}

impl Opened {
    /// Says goodbye, once nothing depends on it.
    pub async fn close(self) {
        if let Self::Smtp(dialogue) = self {
            dialogue.close().await;
        }
    }
}
