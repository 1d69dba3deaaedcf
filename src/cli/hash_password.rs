//! `footfall hash-password`

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use super::Failure;
use crate::auth::password;

/// Reads the password from the terminal, unseen, or from standard input, one line.
pub fn run() -> Result<ExitCode, Failure> {
    let password = if io::stdin().is_terminal() {
        rpassword::prompt_password("Password: ")?
    } else {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if password.is_empty() {
        return Err("the password is empty; type one, or send one line to standard input".into());
    }
    super::print(format_args!("{}", password::hash(&password)?))?;
    Ok(ExitCode::SUCCESS)
}
