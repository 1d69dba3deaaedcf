//! Passwords that are typed, unseen, or sent to standard input: never an argument, which others see.

use std::io::{self, IsTerminal, Read};

use secrecy::SecretString;

use super::Failure;
use crate::text;

/// Longer than any password. What does not end is not read to its end.
const MAX_BYTES: u64 = 64 * 1024;

/// Reads a password from the terminal, or one line of standard input.
pub fn read() -> Result<SecretString, Failure> {
    let typed = if io::stdin().is_terminal() {
        rpassword::prompt_password("Password: ")?.into_bytes()
    } else {
        let mut piped = Vec::new();
        io::stdin().take(MAX_BYTES + 1).read_to_end(&mut piped)?;
        piped
    };
    if typed.len() as u64 > MAX_BYTES {
        return Err("the password is longer than 64 KiB".into());
    }
    let password = text::decode(&typed).map_err(|error| format!("the password: {error}"))?;
    if password.is_empty() {
        return Err("the password is empty; type one, or send one line to standard input".into());
    }
    if password.contains(['\n', '\r']) {
        return Err("there is more than one line; a password is one".into());
    }
    Ok(SecretString::from(password))
}
