//! What a token was issued on, and what ends it.

use uuid::Uuid;

/// What a token was issued on: the session (or the API token), and the generations of its user and
/// company at that moment. When one of these is revoked, the token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pass {
    /// The session, or the API token.
    pub session: Uuid,
    /// Whose it is.
    pub user: Uuid,
    /// Grows when the user's tokens must stop.
    pub user_generation: i64,
    /// The user's company.
    pub company: Uuid,
    /// Grows when the tokens of all the company's people must stop.
    pub company_generation: i64,
}
