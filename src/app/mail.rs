//! The links in mails, of which the room of mails knows nothing.

use uuid::Uuid;

use crate::{
    accounts::links::{self, Purpose},
    auth::keys::Keys,
    mail::Page,
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
