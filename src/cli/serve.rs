//! `footfall serve`

use std::{io::IsTerminal, process::ExitCode, sync::Arc};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::{Failure, REQUESTS_CUT};
use crate::{
    config::{LogSettings, Settings, values::LogFormat},
    ops::metrics::Metrics,
    server::{self, Ending},
    telemetry::errors::{ErrorLayer, ErrorReports},
};

pub fn run(settings: Settings) -> Result<ExitCode, Failure> {
    let metrics = Arc::new(Metrics::new()?);
    // Dropped at the end, whatever that is: then what is still to be reported is sent.
    let reports = ErrorReports::start(&settings, &metrics)?;
    init_logging(&settings.log, reports.as_ref().map(ErrorReports::layer))?;
    log_panics();
    raise_open_files_limit();
    let settings = Arc::new(settings);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ending = runtime.block_on(server::serve(settings, metrics));
    // What still runs in the background, a password hash perhaps, is not waited for.
    runtime.shutdown_background();
    Ok(match ending? {
        Ending::Clean => ExitCode::SUCCESS,
        Ending::Cut => ExitCode::from(REQUESTS_CUT),
        // As a shell reports a process that a signal ended.
        Ending::Forced(signal) => ExitCode::from(128 + u8::try_from(signal)?),
    })
}

fn init_logging(settings: &LogSettings, errors: Option<ErrorLayer>) -> Result<(), Failure> {
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

/// A panic in a handler is answered with a 500 and must not be lost in stderr.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string);
        tracing::error!(panic = message, place, "panic");
    }));
}

/// Each connection takes a descriptor, and the customary soft limit of 1024 is
/// for programs that use `select`.
fn raise_open_files_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    ) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
