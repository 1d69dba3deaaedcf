//! Which part of a history is shown: one of some that are ready, or what was asked for.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use crate::{
    company::Zone, console::typed::Typed, edge::query::given, record::history::query::HistoryQuery,
};

/// A span of time that is ready to be chosen.
struct Ready {
    /// Its name in the query.
    name: &'static str,
    label: &'static str,
    /// What it is divided into.
    unit: &'static str,
    begin: Begin,
}

/// Where one begins.
enum Begin {
    /// So many hours ago, the one that is not over yet among them.
    Hours(i64),
    /// So many days ago, today among them.
    Days(i64),
    /// So many months ago, this one among them.
    Months(i64),
    /// With the first visit.
    First,
}

const ALL: [Ready; 6] = [
    Ready {
        name: "24h",
        label: "24 hours",
        unit: "hour",
        begin: Begin::Hours(24),
    },
    Ready {
        name: "7d",
        label: "7 days",
        unit: "hour",
        begin: Begin::Days(7),
    },
    Ready {
        name: "30d",
        label: "30 days",
        unit: "day",
        begin: Begin::Days(30),
    },
    Ready {
        name: "90d",
        label: "90 days",
        unit: "day",
        begin: Begin::Days(90),
    },
    Ready {
        name: "12m",
        label: "12 months",
        unit: "month",
        begin: Begin::Months(12),
    },
    Ready {
        name: "all",
        label: "All",
        unit: "month",
        begin: Begin::First,
    },
];

/// What is shown unless something else is asked for.
const DEFAULT: &str = "30d";

/// Which part is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The name of the one that was chosen; empty if it is none of them.
    pub name: &'static str,
    /// What it is divided into.
    pub unit: String,
    /// From when, as the API has it.
    pub from: Option<String>,
    /// Before when.
    pub to: Option<String>,
    /// In which time zone.
    pub tz: String,
}

impl Range {
    /// What stands in a query; where it names no zone, in this one.
    pub fn of(typed: &Typed, now: Timestamp, zone: &Zone) -> Self {
        let text = |name| given(Some(typed.get(name).trim())).map(str::to_owned);
        let (from, to) = (text("from"), text("to"));
        let tz = text("tz").unwrap_or_else(|| zone.name().to_owned());
        let is_own = from.is_some() || to.is_some();
        let name = given(Some(typed.get("range"))).unwrap_or(DEFAULT);
        let ready = ALL.iter().find(|ready| ready.name == name && !is_own);
        // Another unit is another way to look at the same.
        let unit = text("unit");
        match ready {
            Some(ready) => Self {
                name: ready.name,
                unit: unit.unwrap_or_else(|| ready.unit.to_owned()),
                from: ready.begin.at(now, &clock(&tz)),
                to: None,
                tz,
            },
            None => Self {
                name: "",
                unit: unit.unwrap_or_else(|| fitting(from.as_deref(), to.as_deref(), now)),
                from,
                to,
                tz,
            },
        }
    }

    /// What is asked of the history.
    pub fn query(&self) -> HistoryQuery {
        HistoryQuery {
            unit: Some(self.unit.clone()),
            from: self.from.clone(),
            to: self.to.clone(),
            tz: Some(self.tz.clone()),
            as_of: None,
        }
    }

    /// Names and labels of those that are ready.
    pub fn ready() -> impl Iterator<Item = (&'static str, &'static str)> {
        ALL.iter().map(|ready| (ready.name, ready.label))
    }
}

impl Begin {
    fn at(&self, now: Timestamp, zone: &TimeZone) -> Option<String> {
        let today = now.to_zoned(zone.clone()).date();
        let day = |day: Date| day.strftime("%Y-%m-%d").to_string();
        match self {
            Self::Hours(hours) => {
                let hour = now.as_second().div_euclid(3600) - hours + 1;
                let begin = Timestamp::from_second(hour * 3600).ok()?;
                Some(begin.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
            }
            Self::Days(days) => today.checked_sub((days - 1).days()).ok().map(day),
            Self::Months(months) => {
                let first = today.first_of_month();
                first.checked_sub((months - 1).months()).ok().map(day)
            }
            Self::First => None,
        }
    }
}

/// The zone of this name; that it is none is said by what it is asked of.
fn clock(name: &str) -> TimeZone {
    let zone = Zone::find(name).unwrap_or_default();
    zone.clock().clone()
}

/// A unit of which a span has some tens.
fn fitting(from: Option<&str>, to: Option<&str>, now: Timestamp) -> String {
    let moment = |text: &str| {
        let moment = text.parse::<Timestamp>().ok();
        let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
        moment.or_else(|| day().map(|day| day.timestamp()))
    };
    let Some(from) = from.and_then(moment) else {
        return "month".to_owned();
    };
    let to = to.map_or(Some(now), moment).unwrap_or(now);
    let hours = (to.as_second() - from.as_second()) / 3600;
    let unit = match hours {
        ..4 => "minute",
        4..171 => "hour",
        171..2901 => "day",
        2901..9501 => "week",
        _ => "month",
    };
    unit.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At 11:20 UTC on a Thursday.
    fn range(query: &str) -> Range {
        let now = "2026-11-26T11:20:30Z".parse().unwrap();
        Range::of(&Typed::new(query.as_bytes()), now, &Zone::default())
    }

    #[test]
    fn what_is_asked_for_is_shown() {
        for (query, name, unit, from, to) in [
            ("", "30d", "day", Some("2026-10-28"), None),
            (
                "range=24h",
                "24h",
                "hour",
                Some("2026-11-25T12:00:00Z"),
                None,
            ),
            ("range=7d", "7d", "hour", Some("2026-11-20"), None),
            (
                "range=90d&unit=week",
                "90d",
                "week",
                Some("2026-08-29"),
                None,
            ),
            ("range=12m", "12m", "month", Some("2025-12-01"), None),
            ("range=all", "all", "month", None, None),
            ("range=strange", "", "month", None, None),
            ("from=2026-11-01", "", "day", Some("2026-11-01"), None),
            (
                "range=24h&from=2026-01-01&to=2026-11-01",
                "",
                "week",
                Some("2026-01-01"),
                Some("2026-11-01"),
            ),
            (
                "from=2026-11-26T10%3A00%3A00Z&to=2026-11-26T12%3A00%3A00Z",
                "",
                "minute",
                Some("2026-11-26T10:00:00Z"),
                Some("2026-11-26T12:00:00Z"),
            ),
            (
                "from=nonsense&to=%22%3E",
                "",
                "month",
                Some("nonsense"),
                Some("\">"),
            ),
        ] {
            let range = range(query);
            assert_eq!(range.name, name, "{query}");
            assert_eq!(range.unit, unit, "{query}");
            assert_eq!(range.from.as_deref(), from, "{query}");
            assert_eq!(range.to.as_deref(), to, "{query}");
        }
    }

    /// In Auckland the day after has begun.
    #[test]
    fn days_are_those_of_the_time_zone() {
        let range = range("range=7d&tz=Pacific%2FAuckland");
        assert_eq!(range.from.as_deref(), Some("2026-11-21"));
        assert_eq!(range.tz, "Pacific/Auckland");
        let now = "2026-11-26T11:20:30Z".parse().unwrap();
        let own = Zone::find("Pacific/Auckland").unwrap();
        let of = |query: &str| Range::of(&Typed::new(query.as_bytes()), now, &own);
        assert_eq!(
            of("range=7d"),
            range,
            "that of the company unless another is asked for"
        );
        let utc = of("range=7d&tz=UTC");
        assert_eq!((utc.from.as_deref(), &*utc.tz), (Some("2026-11-20"), "UTC"));
    }
}
