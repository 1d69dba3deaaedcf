//! What is logged and how it looks.

use tracing_subscriber::EnvFilter;

use super::{reader::Reader, values::LogFormat};

/// Logs.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// `FOOTFALL_LOG` (`info`), in `EnvFilter` syntax.
    pub filter: String,
    /// `FOOTFALL_LOG_FORMAT` (`pretty`; `json` in production).
    pub format: LogFormat,
}

impl LogSettings {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let filter = reader.parse::<String>("log");
        let format = reader.parse::<LogFormat>("log_format");
        if let Some(Err(error)) = filter.as_deref().map(EnvFilter::try_new) {
            reader.reject("log", error);
        }
        Some(Self {
            filter: filter?,
            format: format?,
        })
    }
}
