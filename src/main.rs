//! The `footfall` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    footfall::cli::run()
}
