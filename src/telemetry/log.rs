//! The log.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::errors::ErrorLayer;
use crate::config::{LogSettings, values::LogFormat};

/// Starts the log, as the settings want it, on the standard output.
///
/// # Errors
///
/// If the filter cannot be read, or there is a log already.
pub fn start(
    settings: &LogSettings,
    errors: Option<ErrorLayer>,
) -> Result<(), Box<dyn std::error::Error>> {
    let registry = tracing_subscriber::registry()
        .with(EnvFilter::try_new(&settings.filter)?)
        .with(errors);
    match settings.format {
        LogFormat::Pretty => {
            let ansi = settings.color && std::io::stdout().is_terminal();
            registry.with(fmt::layer().with_ansi(ansi)).try_init()?;
        }
        LogFormat::Json => registry
            .with(fmt::layer().json().flatten_event(true))
            .try_init()?,
    }
    Ok(())
}

/// Panics go to the log: one in a handler is answered with a 500 and must not be lost in stderr.
pub fn panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string);
        tracing::error!(panic = message, place, "panic");
    }));
}
