//! Tokens that must not be used any more.

mod pass;

use uuid::Uuid;

pub use self::pass::Pass;

/// What ends tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Those of a session, or an API token.
    Session(Uuid),
    /// Those of a user that were issued in an older generation, but for those of one session.
    User {
        /// Whose.
        id: Uuid,
        /// The first generation that goes on.
        below: i64,
        /// The session that goes on.
        except: Option<Uuid>,
    },
    /// Those of a company's people that were issued in an older generation.
    Company {
        /// Whose.
        id: Uuid,
        /// The first generation that goes on.
        below: i64,
    },
}
