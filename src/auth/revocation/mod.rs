//! Tokens that must not be used any more.

mod pass;

pub use self::pass::Pass;
