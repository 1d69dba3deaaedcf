//! `footfall config`

use std::process::ExitCode;

use super::Failure;
use crate::config::Settings;

pub fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let names: Vec<_> = settings
        .shown
        .iter()
        .map(|shown| shown.setting.env_name())
        .collect();
    let name_width = names.iter().map(String::len).max().unwrap_or(0);
    let value_width = settings
        .shown
        .iter()
        .map(|shown| shown.value.len())
        .max()
        .unwrap_or(0);
    let mut lines: Vec<_> = names.iter().zip(&settings.shown).collect();
    // The order of the table, whatever order the sections were read in.
    let position = |key: &str| {
        crate::config::catalog::SETTINGS
            .iter()
            .position(|setting| setting.key == key)
    };
    lines.sort_by_key(|(_, shown)| position(shown.setting.key));
    for (name, shown) in lines {
        super::print(format_args!(
            "{name:name_width$}  {:value_width$}  {}",
            shown.value, shown.origin
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
