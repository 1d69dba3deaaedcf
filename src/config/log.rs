//! What is logged and how it looks.

use std::ffi::OsStr;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{Sources, reader::Reader, values::LogFormat};

/// Logs.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// `FOOTFALL_LOG` (`info`), in `EnvFilter` syntax.
    pub filter: String,
    /// `FOOTFALL_LOG_FORMAT` (`pretty`; `json` in production).
    pub format: LogFormat,
    /// Whether a terminal may be given colours: not with `NO_COLOR` (<https://no-color.org>), and
    /// not one that knows nothing but text (`TERM=dumb`).
    pub color: bool,
}

impl LogSettings {
    pub(super) fn read(reader: &mut Reader, sources: &Sources) -> Option<Self> {
        let filter = reader.parse::<String>("log");
        let format = reader.parse::<LogFormat>("log_format");
        if let Some(Err(error)) = filter.as_deref().map(EnvFilter::try_new) {
            reader.reject("log", error);
        } else if let Some(word) = filter.as_deref().and_then(no_level) {
            let what = format!(
                "`{word}` is no level (off, error, warn, info, debug, trace); for a target write {word}=debug"
            );
            reader.reject("log", what);
        }
        Some(Self {
            filter: filter?,
            format: format?,
            color: sources.variable("NO_COLOR").is_none_or(OsStr::is_empty)
                && sources.variable("TERM").is_none_or(|term| term != "dumb"),
        })
    }
}

/// A directive that is neither a level nor has one. `EnvFilter` takes it for a
/// target, and a misspelt level would silence everything else.
fn no_level(filter: &str) -> Option<&str> {
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    filter
        .split(',')
        .map(str::trim)
        .find(|word| !word.is_empty() && !word.contains(['=', '[']) && !is_level(word))
}
