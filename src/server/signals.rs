//! SIGTERM and SIGINT.

use std::{
    io,
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
}

impl Signal {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }

    /// Its number.
    pub fn number(self) -> i32 {
        match self {
            Self::Terminate => SignalKind::terminate().as_raw_value(),
            Self::Interrupt => SignalKind::interrupt().as_raw_value(),
        }
    }
}

/// Receives signals from the moment it is made.
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    /// Takes the signals over from their defaults, which would end the process.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
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
        }
    }
}
