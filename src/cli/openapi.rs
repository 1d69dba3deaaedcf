//! `footfall openapi`

use std::process::ExitCode;

use super::Failure;

pub fn run() -> Result<ExitCode, Failure> {
    super::print(format_args!("{}", crate::app::document().to_pretty_json()?))?;
    Ok(ExitCode::SUCCESS)
}
