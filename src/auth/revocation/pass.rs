//! What a token was given out for.

use uuid::Uuid;

/// What makes a token good beside its signature and its time: a session of a user of a company, as
/// they stood when it was issued. [`Revocation`](super::Revocation) says what ends it early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The session, or the API token.
    pub session: Uuid,
    /// Whose it is.
    pub user: Uuid,
    /// The user's generation at the time. It grows with each change that ends what was issued before.
    pub user_generation: i64,
    /// The company of the user.
    pub company: Uuid,
    /// The company's generation at the time.
    pub company_generation: i64,
}
