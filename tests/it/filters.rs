//! Filters: what they mean, however they are written, and what is said of them.

mod forms;
pub mod oracle;
pub mod possible;
pub mod schema;
mod sentences;
pub mod writing;
