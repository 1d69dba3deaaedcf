//! When hours, days, weeks and months begin in a time zone, its daylight saving included.

use jiff::{
    Timestamp, ToSpan,
    civil::Date,
    tz::{Offset, TimeZone},
};
use serde::{Deserialize, Serialize};

/// What a history is divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Begins when the clock shows a full minute.
    Minute,
    /// Begins when the clock shows a full hour; an hour that the clock shows twice is two.
    Hour,
    /// Begins with the first moment of its date.
    Day,
    /// Begins on Monday (ISO 8601).
    Week,
    /// Begins with the first moment of its first day.
    Month,
}

impl Unit {
    /// All of them, the smallest first.
    pub const ALL: [Self; 5] = [Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month];

    /// Its name in the query.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The next larger one; `None` of months.
    pub fn larger(self) -> Option<Self> {
        let place = Self::ALL.iter().position(|unit| *unit == self)?;
        Self::ALL.get(place + 1).copied()
    }

    /// The first day of the week or month that a day is in.
    fn first(self, day: Date) -> Date {
        match self {
            Self::Week => {
                let since = i64::from(day.weekday().to_monday_zero_offset());
                day.checked_sub(since.days()).unwrap_or(day)
            }
            Self::Month => day.first_of_month(),
            _ => day,
        }
    }
}

/// Units in a time zone.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Where the clock is.
    pub zone: TimeZone,
    /// What time is divided into.
    pub unit: Unit,
}

impl Calendar {
    /// The beginning of the unit that a moment is in.
    pub fn floor(&self, moment: Timestamp) -> Timestamp {
        match self.unit {
            Unit::Minute => self.floor_clock(moment, 60),
            Unit::Hour => self.floor_clock(moment, 3600),
            unit => {
                let day = self.zone.to_datetime(moment).date();
                start_of(&self.zone, unit.first(day)).unwrap_or(moment)
            }
        }
    }

    /// The beginning of the next unit after this beginning; `None` at the end of time.
    pub fn next(&self, start: Timestamp) -> Option<Timestamp> {
        match self.unit {
            Unit::Minute => self.next_clock(start, 60),
            Unit::Hour => self.next_clock(start, 3600),
            unit => {
                let mut day = unit.first(self.zone.to_datetime(start).date());
                // A day that the zone never had, or that the clock went back to, begins with another.
                loop {
                    day = match unit {
                        Unit::Day => day.checked_add(1.day()),
                        Unit::Week => day.checked_add(1.week()),
                        _ => day.checked_add(1.month()),
                    }
                    .ok()?;
                    match start_of(&self.zone, day) {
                        Some(next) if next <= start => {}
                        next => return next,
                    }
                }
            }
        }
    }

    /// A moment as the clock shows it, with its offset (RFC 3339).
    pub fn show(&self, moment: Timestamp) -> String {
        let offset = self.zone.to_offset(moment);
        moment.display_with_offset(offset).to_string()
    }

    /// The last moment up to this one at which the clock showed whole units of so many seconds.
    fn floor_clock(&self, moment: Timestamp, seconds: i64) -> Timestamp {
        let mut moment = moment;
        loop {
            let since = shown(moment, self.zone.to_offset(moment)).rem_euclid(seconds);
            let Some(floor) = later(moment, -since) else {
                return moment;
            };
            let changed = self
                .zone
                .preceding(later(moment, 1).unwrap_or(moment))
                .next();
            match changed.map(|change| change.timestamp()) {
                // Before the clock was changed it showed other times.
                Some(change) if change > floor => match later(change, -1) {
                    Some(before) => moment = before,
                    None => return floor,
                },
                _ => return floor,
            }
        }
    }

    /// The first moment after this one at which the clock shows whole units of so many seconds.
    fn next_clock(&self, start: Timestamp, seconds: i64) -> Option<Timestamp> {
        let mut moment = start;
        loop {
            let since = shown(moment, self.zone.to_offset(moment)).rem_euclid(seconds);
            let next = later(moment, seconds - since)?;
            let changed = self.zone.following(moment).next();
            let change = changed.map(|change| change.timestamp());
            let Some(change) = change.filter(|change| *change <= next) else {
                return Some(next);
            };
            if shown(change, self.zone.to_offset(change)).rem_euclid(seconds) == 0 {
                return Some(change);
            }
            moment = change;
        }
    }
}

/// The first moment of a day.
pub fn start_of(zone: &TimeZone, day: Date) -> Option<Timestamp> {
    // Midnight may be shown twice, or never.
    let noon = zone.to_zoned(day.at(12, 0, 0, 0)).ok()?;
    noon.start_of_day().ok().map(|start| start.timestamp())
}

/// What the clock shows, in seconds.
fn shown(moment: Timestamp, offset: Offset) -> i64 {
    moment.as_second() + i64::from(offset.seconds())
}

fn later(moment: Timestamp, seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(moment.as_second().checked_add(seconds)?).ok()
}
