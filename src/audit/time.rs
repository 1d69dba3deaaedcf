//! Times as JSON has them (RFC 3339), and as the database keeps them: Unix milliseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last millisecond of the year 9999, after which RFC 3339 has no times.
const LAST: i64 = 253_402_300_799_999;

/// A time in UTC, to the millisecond.
pub fn format(unix_millis: i64) -> String {
    let since = Duration::from_millis(unix_millis.clamp(0, LAST).unsigned_abs());
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

/// A time as RFC 3339 has it, with `Z` or any offset; `None` if it is none, or before 1970.
pub fn parse(text: &str) -> Option<i64> {
    let upper = text.to_ascii_uppercase();
    let (local, offset) = match upper.strip_suffix('Z') {
        Some(local) => (local, 0),
        None => {
            let (local, offset) = upper.split_at_checked(upper.len().checked_sub(6)?)?;
            (local, offset_minutes(offset)?)
        }
    };
    // humantime takes other things for times, too.
    let has_form = local.len() >= 19 && local.as_bytes()[10] == b'T' && !local.ends_with('Z');
    let time = humantime::parse_rfc3339(&format!("{local}Z")).ok();
    let millis = time
        .filter(|_| has_form)?
        .duration_since(SystemTime::UNIX_EPOCH);
    let millis = i64::try_from(millis.ok()?.as_millis()).ok()?;
    let utc = millis - offset * 60_000;
    (0..=LAST).contains(&utc).then_some(utc)
}

/// `+02:00`
fn offset_minutes(text: &str) -> Option<i64> {
    let &[sign, h1, h2, b':', m1, m2] = text.as_bytes() else {
        return None;
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let (hours, minutes) = (digit(h1)? * 10 + digit(h2)?, digit(m1)? * 10 + digit(m2)?);
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
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
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-00:01",
            "1772366400000",
            "2026-03-01T12:00:00ü02:00",
            "ü",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
