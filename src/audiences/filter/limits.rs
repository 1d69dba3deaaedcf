//! How much a filter may say.

/// Longest JSON of a filter, as it is sent and in its canonical form: what is read from one answer can be sent
/// again.
pub const MAX_FILTER_BYTES: usize = 16 * 1024;

/// Groups within each other; `include` is the first.
pub const MAX_DEPTH: usize = 5;

/// Conditions of a filter as it is sent, each of a `where` among them.
pub const MAX_LEAVES: usize = 50;

/// Values of one `in` or `not_in`.
pub const MAX_VALUES: usize = 100;

/// Most that `at_least` and `at_most` can say.
pub const MAX_TIMES: u16 = 1000;

/// Longest time a filter looks at, in days.
pub const MAX_DAYS: u16 = 400;

/// Most errors that are named at once.
pub const MAX_ERRORS: usize = 20;
