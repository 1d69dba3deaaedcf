//! Times as JSON has them (RFC 3339), and as the database keeps them: Unix milliseconds.

use std::time::{Duration, UNIX_EPOCH};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The last millisecond of the year 9999, after which RFC 3339 has no times.
const LAST: i64 = 253_402_300_799_999;

/// A time in UTC, to the millisecond.
pub fn format(unix_millis: i64) -> String {
    let since = Duration::from_millis(unix_millis.clamp(0, LAST).unsigned_abs());
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

/// A time as RFC 3339 has it, with `Z` or any offset; `None` if it is none.
pub fn parse(text: &str) -> Option<i64> {
    // The parser takes anything between the date and the time.
    matches!(text.as_bytes().get(10), Some(b'T' | b't')).then_some(())?;
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written() {
        for millis in [0, 1, 999, 1_764_118_800_123, LAST] {
            assert_eq!(parse(&format(millis)), Some(millis));
        }
        assert_eq!(format(1_764_118_800_123), "2025-11-26T01:00:00.123Z");
        // Long ago is a time, too; between two milliseconds is the one before.
        assert_eq!(parse("1969-12-31T23:59:59.9999Z"), Some(-1));
        assert!(parse("0001-01-01T00:00:00Z").unwrap() < 0);
    }

    #[test]
    fn offsets_and_cases_are_those_of_the_rfc() {
        let noon = parse("2026-03-01T12:00:00Z").unwrap();
        for same in [
            "2026-03-01t12:00:00z",
            "2026-03-01T12:00:00.000Z",
            "2026-03-01T12:00:00+00:00",
            "2026-03-01T12:00:00-00:00",
            "2026-03-01T14:00:00+02:00",
            "2026-03-01T06:30:00-05:30",
            "2026-03-02T00:00:00+12:00",
        ] {
            assert_eq!(parse(same), Some(noon), "{same}");
        }
    }

    #[test]
    fn nothing_else_is_a_time() {
        for bad in [
            "",
            "Z",
            "now",
            "2026-03-01",
            "2026-03-01T12:00:00",
            "2026-03-01 12:00:00Z",
            "2026-03-01T12:00Z",
            "2026-13-01T12:00:00Z",
            "2026-02-30T12:00:00Z",
            "2026-03-01T25:00:00Z",
            "2026-03-01T12:00:00+24:00",
            "2026-03-01T12:00:00+02:60",
            "2026-03-01T12:00:00+0200",
            "2026-03-01T12:00:00 02:00",
            "2026-03-01T12:00:00ZZ",
            "1772366400000",
            "10000-01-01T00:00:00Z",
            "2026-03-01T12:00:00ü02:00",
            "ü",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
