//! Clocks: those of the store and the database against this machine's.

use std::{
    fmt,
    time::{Duration, Instant, UNIX_EPOCH},
};

use super::Findings;

/// What clocks may differ by: links and sessions that one of them judges and another wrote live for
/// minutes, and limits for seconds.
const DIFFERENCE: Duration = Duration::from_secs(2);

/// Judges a clock that said `theirs` (Unix milliseconds) to a question asked at `asked`.
pub fn judge(whose: impl fmt::Display, theirs: i64, asked: Instant, findings: &mut Findings) {
    // It was looked at somewhere on the way there and back.
    let uncertain = asked.elapsed();
    let ours = i64::try_from(UNIX_EPOCH.elapsed().unwrap_or_default().as_millis());
    let difference = Duration::from_millis(ours.unwrap_or(i64::MAX).abs_diff(theirs));
    if difference > DIFFERENCE + uncertain {
        findings.warning(
            format_args!(
                "{whose} clock and this machine's differ by {}",
                humantime::format_duration(Duration::from_secs(difference.as_secs()))
            ),
            "have both follow a time server (timedatectl set-ntp true)",
        );
    } else {
        findings.good(format_args!("{whose} clock agrees with this machine's"));
    }
}
