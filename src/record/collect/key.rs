//! A write key: `ffw_`, and what API tokens have after their beginning.
//!
//! It is public, and long all the same: nobody sends visits in the name of a site whose pages they
//! have not seen, and what was cut or mistyped is known at once.

use crate::auth::api_token;

/// What each begins with: `w` for writing, where API tokens have a `k`.
const PREFIX: &str = "ffw_";

/// Makes one.
///
/// # Errors
///
/// If the system has no randomness.
pub fn generate() -> Result<String, getrandom::Error> {
    api_token::generate(PREFIX)
}

/// Whether a text has the form of one, checksum included.
pub fn is_well_formed(text: &str) -> bool {
    api_token::has_form(PREFIX, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_key_is_no_api_token_and_the_other_way_round() {
        let key = generate().unwrap();
        assert!(
            is_well_formed(&key) && !api_token::is_well_formed(&key),
            "{key}"
        );
        let renamed = key.replacen(PREFIX, api_token::PREFIX, 1);
        assert!(!is_well_formed(&renamed), "{renamed}");
        assert!(!is_well_formed(&key[..key.len() - 1]));
        assert_ne!(key, generate().unwrap());
    }
}
