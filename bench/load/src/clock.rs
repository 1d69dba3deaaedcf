//! Time to the microsecond: tokio's own timers round up to the next millisecond, which is more than
//! most of what is measured here.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// A moment, as time since the machine started.
pub type Moment = Duration;

/// Now.
pub fn now() -> Moment {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Rings at a moment, and then perhaps again and again.
pub struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    /// An alarm that is not set.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // SAFETY: an `OwnedFd` has one open descriptor for as long as it lives, and always the same.
        #[expect(unsafe_code)]
        let timer = unsafe { AsyncFd::register(timer)? };
        Ok(Self(timer))
    }

    /// Rings at this moment, and after it each time `every` has passed, if that is not zero.
    pub fn set(&self, at: Moment, every: Duration) -> io::Result<()> {
        let times = Itimerspec {
            it_interval: timespec(every),
            it_value: timespec(at),
        };
        timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &times)?;
        Ok(())
    }

    /// Waits until it rings; how often it has since this was asked last.
    pub async fn rung(&self) -> io::Result<u64> {
        let mut times = [0; 8];
        loop {
            let mut ready = self.0.readable().await?;
            match rustix::io::read(&self.0, &mut times) {
                Ok(_) => return Ok(u64::from_ne_bytes(times)),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: time.as_secs() as i64,
        tv_nsec: time.subsec_nanos().into(),
    }
}
