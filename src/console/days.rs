//! Days, as a time zone has them.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};

use crate::{company::Zone, record::calendar::start_of};

/// Of a day, by how many days it is from today: the minute that it began, and the minute that its clocks showed, or
/// will show, what they show now. Minutes are those since the beginning of 1970.
pub fn near(zone: &Zone, now: i64, from_today: i64) -> (i64, i64) {
    let clock = Timestamp::from_second(now * 60).unwrap_or_default();
    let clock = clock.to_zoned(zone.clock().clone());
    let day = clock.date().saturating_add(from_today.days());
    let minute = |time: Timestamp| time.as_second().div_euclid(60);
    let begin = start_of(zone.clock(), day).map_or(now, minute);
    // What the clocks never showed that day, as they were changed, they showed that much later.
    let same = zone.clock().to_timestamp(day.to_datetime(clock.time()));
    (begin, same.map_or(begin, minute).max(begin))
}

/// The first and the last millisecond of a day as browsers send it, like 2026-03-01; `None` of anything else.
pub fn all_of(zone: &Zone, text: &str) -> Option<(Timestamp, Timestamp)> {
    if text.len() != "2026-03-01".len() {
        return None;
    }
    let day = Date::strptime("%Y-%m-%d", text).ok()?;
    let begin = start_of(zone.clock(), day)?;
    let next = start_of(zone.clock(), day.checked_add(1.day()).ok()?)?;
    let last = next.checked_sub(SignedDuration::from_millis(1)).ok()?;
    Some((begin, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_zone() {
        let minute = |text: &str| {
            let time: Timestamp = text.parse().unwrap();
            time.as_second() / 60
        };
        for (zone, now, from_today, begin, same) in [
            (
                "UTC",
                "2026-11-26T11:20Z",
                0,
                "2026-11-26T00:00Z",
                "2026-11-26T11:20Z",
            ),
            (
                "UTC",
                "2026-11-26T11:20Z",
                -7,
                "2026-11-19T00:00Z",
                "2026-11-19T11:20Z",
            ),
            (
                "Europe/Berlin",
                "2026-11-25T23:30Z",
                0,
                "2026-11-25T23:00Z",
                "2026-11-25T23:30Z",
            ),
            (
                "Europe/Berlin",
                "2026-11-25T22:30Z",
                -1,
                "2026-11-23T23:00Z",
                "2026-11-24T22:30Z",
            ),
            // A day of 25 hours, and one of 23.
            (
                "Europe/Berlin",
                "2026-10-26T11:00Z",
                -1,
                "2026-10-24T22:00Z",
                "2026-10-25T11:00Z",
            ),
            (
                "Europe/Berlin",
                "2026-03-30T10:00Z",
                -1,
                "2026-03-28T23:00Z",
                "2026-03-29T10:00Z",
            ),
            (
                "Europe/Berlin",
                "2026-10-25T12:00Z",
                1,
                "2026-10-25T23:00Z",
                "2026-10-26T12:00Z",
            ),
            // At half past two, which was not there the day before.
            (
                "Europe/Berlin",
                "2026-03-30T00:30Z",
                -1,
                "2026-03-28T23:00Z",
                "2026-03-29T01:30Z",
            ),
            // A day that begins at one, and a zone of quarters of an hour.
            (
                "America/Asuncion",
                "2022-10-02T12:00Z",
                0,
                "2022-10-02T04:00Z",
                "2022-10-02T12:00Z",
            ),
            (
                "Asia/Kathmandu",
                "2026-11-26T18:20Z",
                0,
                "2026-11-26T18:15Z",
                "2026-11-26T18:20Z",
            ),
        ] {
            let found = near(&Zone::find(zone).unwrap(), minute(now), from_today);
            assert_eq!(
                found,
                (minute(begin), minute(same)),
                "{zone} {now} {from_today}"
            );
        }
    }

    #[test]
    fn a_day_is_all_of_it() {
        for (zone, text, first, last) in [
            (
                "UTC",
                "2026-03-01",
                "2026-03-01T00:00:00Z",
                "2026-03-01T23:59:59.999Z",
            ),
            (
                "Europe/Berlin",
                "2026-03-29",
                "2026-03-28T23:00:00Z",
                "2026-03-29T21:59:59.999Z",
            ),
            (
                "Europe/Berlin",
                "2026-10-25",
                "2026-10-24T22:00:00Z",
                "2026-10-25T22:59:59.999Z",
            ),
            // The day that Samoa left out.
            (
                "Pacific/Apia",
                "2011-12-29",
                "2011-12-29T10:00:00Z",
                "2011-12-30T09:59:59.999Z",
            ),
        ] {
            let zone = Zone::find(zone).unwrap();
            let time = |text: &str| text.parse::<Timestamp>().unwrap();
            assert_eq!(
                all_of(&zone, text),
                Some((time(first), time(last))),
                "{text}"
            );
        }
        for text in [
            "",
            "2026-02-30",
            "2026-3-1",
            "2026-03-01T00:00:00Z",
            "today",
            "9999-12-31",
        ] {
            assert_eq!(all_of(&Zone::default(), text), None, "{text}");
        }
    }
}
