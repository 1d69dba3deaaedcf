//! Spans of time as clients ask for them: `from`, `to` and `tz`.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::calendar::start_of;
use crate::{
    audit::time,
    company::Zone,
    edge::{Problem, query::invalid},
};

/// Milliseconds of a minute.
pub const MINUTE: i64 = 60_000;

/// Marks that are older than this are those of quarters of an hour, in milliseconds.
pub const MINUTES_KEPT: i64 = 90 * 24 * 60 * MINUTE;

/// The end of a quarter of an hour, in minutes.
pub const QUARTER: i64 = 15;

/// The minute (Unix) from which on each minute has its mark.
pub fn kept_from(now: i64) -> i64 {
    (now - MINUTES_KEPT).div_euclid(MINUTE * QUARTER) * QUARTER
}

/// The time zone of this name; UTC if none was said.
///
/// # Errors
///
/// `invalid_query` if there is none.
pub fn zone(name: Option<&str>) -> Result<TimeZone, Problem> {
    let Some(name) = name else {
        return Ok(TimeZone::UTC);
    };
    let zone = Zone::find(name)
        .ok_or_else(|| invalid("tz must be the name of a time zone (IANA) like Europe/Berlin."))?;
    Ok(zone.clock().clone())
}

/// A time, or the first moment of a date in the time zone, as a Unix minute.
///
/// # Errors
///
/// `invalid_query` if it is neither, or no whole minute.
pub fn minute(name: &'static str, text: &str, zone: &TimeZone) -> Result<i64, Problem> {
    let millis = match text.len() {
        10 => date(text, zone).map(Timestamp::as_millisecond),
        _ => time::parse(text),
    };
    let millis = millis.ok_or_else(|| {
        invalid(format!(
            "{name} must be a date like 2026-03-01, or a time like 2026-03-01T12:00:00Z (RFC 3339); a `+` in it is sent as %2B."
        ))
    })?;
    match millis.rem_euclid(MINUTE) {
        0 => Ok(millis / MINUTE),
        _ => Err(invalid(format!("{name} must be a whole minute."))),
    }
}

fn date(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    // Else years with a sign are dates, too.
    let is_other = |(place, byte): (usize, u8)| matches!(place, 4 | 7) == byte.is_ascii_digit();
    if text.bytes().enumerate().any(is_other) {
        return None;
    }
    start_of(zone, Date::strptime("%Y-%m-%d", text).ok()?)
}

/// Refuses what nobody knows any more: of minutes that are long past only each fifteenth.
///
/// # Errors
///
/// `invalid_query`.
pub fn known(name: &'static str, minute: i64, now: i64) -> Result<(), Problem> {
    match minute >= kept_from(now) || minute.rem_euclid(QUARTER) == 0 {
        true => Ok(()),
        false => Err(invalid(format!(
            "{name} is more than 90 days ago, and must be a whole quarter of an hour."
        ))),
    }
}

/// The moment a minute begins.
pub fn moment(minute: i64) -> Timestamp {
    // A minute of the year 9999 is the last that can be asked for.
    Timestamp::from_second(minute.saturating_mul(60)).unwrap_or(Timestamp::MAX)
}
