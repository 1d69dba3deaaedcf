//! How much is sent: no more than is useful, and no more than the receiver wants.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode, header};

/// Reports per minute: an error that comes with each request tells no more by the hundredth.
const PER_MINUTE: u32 = 30;

const MINUTE: Duration = Duration::from_secs(60);

/// What a receiver wants that says "too many" and no more.
const UNSAID: Duration = MINUTE;

/// The longest a receiver is left alone for; then it is asked again.
const LONGEST: Duration = Duration::from_hours(24);

/// The limits in force.
pub struct Limits {
    minute: Instant,
    in_this_minute: u32,
    silent_until: Instant,
}

impl Limits {
    /// Nothing sent, nothing asked for.
    pub fn new(now: Instant) -> Self {
        Self {
            minute: now,
            in_this_minute: 0,
            silent_until: now,
        }
    }

    /// Whether one more may be sent now; if so, it counts as sent.
    pub fn allow(&mut self, now: Instant) -> bool {
        if now < self.silent_until {
            return false;
        }
        if now.saturating_duration_since(self.minute) >= MINUTE {
            (self.minute, self.in_this_minute) = (now, 0);
        }
        self.in_this_minute += 1;
        self.in_this_minute <= PER_MINUTE
    }

    /// Notes what an answer asks for.
    ///
    /// <https://develop.sentry.dev/sdk/foundations/transport/rate-limiting/>
    pub fn heed(&mut self, status: StatusCode, headers: &HeaderMap, now: Instant) {
        let lines = headers.get_all("x-sentry-rate-limits").iter();
        // Several lines are one list (RFC 9110, 5.3).
        let limits: Vec<_> = lines.filter_map(|line| line.to_str().ok()).collect();
        let pause = match limits.is_empty() {
            false => pause_for_errors(&limits.join(",")),
            true if status == StatusCode::TOO_MANY_REQUESTS => {
                let seconds = headers.get(header::RETRY_AFTER);
                let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
                Some(seconds.map_or(UNSAID, Duration::from_secs))
            }
            true => None,
        };
        if let Some(pause) = pause {
            self.silent_until = now + pause.min(LONGEST);
        }
    }
}

/// The longest pause that is for errors among `SECONDS:CATEGORIES:…, …`; no category means all.
fn pause_for_errors(limits: &str) -> Option<Duration> {
    let pauses = limits.split(',').filter_map(|limit| {
        let mut parts = limit.trim().split(':');
        let seconds = parts.next()?.parse().ok()?;
        let categories = parts.next().unwrap_or_default();
        let errors = categories.is_empty() || categories.split(';').any(|name| name == "error");
        errors.then_some(Duration::from_secs(seconds))
    });
    pauses.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_minute() {
        let start = Instant::now();
        let mut limits = Limits::new(start);
        for minute in 0..3 {
            let now = start + MINUTE * minute;
            let allowed = (0..100).filter(|_| limits.allow(now)).count();
            assert_eq!(allowed, PER_MINUTE as usize);
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let now = Instant::now();
        let mut limits = Limits::new(now);
        let lines = ["5:transaction", "7:error", "6:error"];
        let name = "x-sentry-rate-limits";
        let lines = lines.map(|line| (name.parse().unwrap(), line.parse().unwrap()));
        limits.heed(StatusCode::OK, &HeaderMap::from_iter(lines), now);
        assert_eq!(limits.silent_until - now, Duration::from_secs(7));
    }

    #[test]
    fn what_a_receiver_asks_for() {
        for (status, header, value, seconds) in [
            (429, "retry-after", "7", 7),
            (429, "retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", 60),
            (429, "retry-after", "-1", 60),
            (429, "retry-after", "99999999999999999999", 60),
            (429, "retry-after", "9999999999", 24 * 60 * 60),
            (429, "x-other", "", 60),
            (503, "retry-after", "7", 0),
            (200, "x-other", "", 0),
            (200, "x-sentry-rate-limits", "5::organization", 5),
            (200, "x-sentry-rate-limits", "5", 5),
            (200, "x-sentry-rate-limits", "5:error:key", 5),
            (
                200,
                "x-sentry-rate-limits",
                "9:session, 5:default;error:key:why",
                5,
            ),
            (200, "x-sentry-rate-limits", "5:error, 8:error", 8),
            (200, "x-sentry-rate-limits", "5:transaction;session:key", 0),
            (429, "x-sentry-rate-limits", "5:transaction:key", 0),
            (200, "x-sentry-rate-limits", "rubbish, ::, 5;6:error", 0),
            (
                200,
                "x-sentry-rate-limits",
                "99999999999:error",
                24 * 60 * 60,
            ),
        ] {
            let now = Instant::now();
            let mut limits = Limits::new(now);
            let headers = HeaderMap::from_iter([(header.parse().unwrap(), value.parse().unwrap())]);
            limits.heed(StatusCode::from_u16(status).unwrap(), &headers, now);
            let pause = limits.silent_until - now;
            assert_eq!(pause.as_secs(), seconds, "{status} {header}: {value}");
            assert_eq!(
                limits.allow(now),
                seconds == 0,
                "{status} {header}: {value}"
            );
            assert!(limits.allow(now + pause), "{status} {header}: {value}");
        }
    }
}
