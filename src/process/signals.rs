//! The signals that ask the process to end: SIGTERM, SIGINT, SIGHUP and SIGQUIT.
//!
//! All four mean the same. SIGHUP comes when a terminal is closed, or from who
//! hopes that settings are read again; SIGQUIT is how nginx and others are asked
//! to drain.

use std::{
    fs, io,
    time::{Duration, Instant},
};

use tokio::signal::unix::{self, SignalKind};

/// Two signals within this time are one, sent twice.
const TWIN: Duration = Duration::from_millis(100);

/// A request to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// From an orchestrator.
    Terminate,
    /// From a terminal.
    Interrupt,
    /// From a terminal that is closed.
    HangUp,
    /// From a terminal, or an orchestrator.
    Quit,
}

impl Signal {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::HangUp => "SIGHUP",
            Self::Quit => "SIGQUIT",
        }
    }

    /// Its number.
    pub fn number(self) -> i32 {
        self.kind().as_raw_value()
    }

    fn kind(self) -> SignalKind {
        match self {
            Self::Terminate => SignalKind::terminate(),
            Self::Interrupt => SignalKind::interrupt(),
            Self::HangUp => SignalKind::hangup(),
            Self::Quit => SignalKind::quit(),
        }
    }

    /// Receives it, unless whoever started the process wants it ignored, as
    /// `nohup` does: a handler would undo that.
    fn unless_ignored(self) -> io::Result<Option<unix::Signal>> {
        let ignored = ignored_signals() >> (self.number() - 1) & 1 == 1;
        (!ignored).then(|| unix::signal(self.kind())).transpose()
    }
}

/// The mask of the signals that the process ignores, see proc(5).
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

async fn receive(signal: &mut Option<unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Receives signals from the moment it is made.
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hang_up: Option<unix::Signal>,
    quit: Option<unix::Signal>,
}

impl Signals {
    /// Takes the signals over from their defaults, which would end the process.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hang_up: Signal::HangUp.unless_ignored()?,
            quit: Signal::Quit.unless_ignored()?,
        })
    }

    /// A signal after the one just received. Some supervisors send each signal
    /// twice, to the process and to its group; the twin is not another one.
    pub async fn another(&mut self) -> Signal {
        let first = Instant::now();
        loop {
            let signal = self.next().await;
            if first.elapsed() > TWIN {
                return signal;
            }
        }
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
            () = receive(&mut self.hang_up) => Signal::HangUp,
            () = receive(&mut self.quit) => Signal::Quit,
        }
    }
}
