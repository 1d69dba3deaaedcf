//! `footfall serve`

use std::{process::ExitCode, sync::Arc};

use super::{Failure, REQUESTS_CUT};
use crate::{
    config::Settings,
    process::{self, Ending},
    telemetry::{errors::ErrorReports, log, metrics::Registry},
};

pub fn run(settings: Settings) -> Result<ExitCode, Failure> {
    let registry = Arc::new(Registry::new()?);
    // Dropped at the end, whatever that is: then what is still to be reported is sent.
    let reports = ErrorReports::start(&settings, &registry)?;
    log::start(&settings.log, reports.as_ref().map(ErrorReports::layer))?;
    log::panics();
    raise_open_files_limit();
    let settings = Arc::new(settings);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ending = runtime.block_on(process::serve(settings, registry));
    // What still runs in the background, a password hash perhaps, is not waited for.
    runtime.shutdown_background();
    Ok(match ending? {
        Ending::Clean => ExitCode::SUCCESS,
        Ending::Cut => ExitCode::from(REQUESTS_CUT),
        // As a shell reports a process that a signal ended.
        Ending::Forced(signal) => ExitCode::from(128 + u8::try_from(signal)?),
    })
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
