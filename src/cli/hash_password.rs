//! `footfall hash-password`

use std::process::ExitCode;

use secrecy::ExposeSecret;

use super::Failure;
use crate::auth::password;

/// Prints the hash of the password that is typed, or sent to standard input.
pub fn run() -> Result<ExitCode, Failure> {
    let password = super::password::read()?;
    let hash = password::hash(password.expose_secret())?;
    super::print(format_args!("{hash}"))?;
    Ok(ExitCode::SUCCESS)
}
