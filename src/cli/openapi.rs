//! `footfall openapi`

use std::process::ExitCode;

use super::Failure;

pub fn run() -> Result<ExitCode, Failure> {
    let description = crate::app::description();
    super::print(format_args!("{}", description.to_pretty_json()))?;
    Ok(ExitCode::SUCCESS)
}
