//! Filters: what they mean, however they are written, and what is said of them.

mod forms;
pub mod oracle;
pub mod possible;
mod schema;
mod sentences;
mod writing;
