//! The history of a counter as a chart, and what of it no chart can show.

use jiff::civil::DateTime;

use super::words;
use crate::{
    console::chart::{Chart, Kind, Point},
    record::history::{History, View},
};

/// What a history is to be divided into.
pub const UNITS: [(&str, &str); 6] = [
    ("", "What fits"),
    ("minute", "Minutes"),
    ("hour", "Hours"),
    ("day", "Days"),
    ("week", "Weeks"),
    ("month", "Months"),
];

/// A history as a chart.
pub fn chart(history: &History, unit: &str) -> Chart {
    let recorded = history.buckets.iter();
    let recorded = recorded.filter(|bucket| bucket.unrecorded.is_none());
    let points = recorded.filter_map(|bucket| point(bucket, unit)).collect();
    let points = named(points);
    Chart {
        id: "history",
        title: "Visits".to_owned(),
        of: "visits",
        column: column(unit),
        kind: match points.len() {
            ..=400 => Kind::Bars,
            _ => Kind::Line,
        },
        points,
        range: Some("range"),
    }
}

/// What is said of visits that no bucket has.
pub fn gaps(history: &History) -> Vec<String> {
    let gaps = history.buckets.iter().filter_map(|bucket| {
        let reason = bucket.unrecorded?;
        Some(words::sentence(bucket.first, bucket.last, reason))
    });
    gaps.collect()
}

/// From so many hours on, days are named below the chart, and no hours; and of so many minutes, each tenth.
const MANY: usize = 60;

fn named(mut points: Vec<Point>) -> Vec<Point> {
    let is_many = points.len() > MANY;
    let is_time = |label: &str| label.contains(':');
    let has_days = points.iter().any(|point| !is_time(&point.label));
    for point in &mut points {
        let is_odd = match has_days {
            true => is_time(&point.label),
            false => !point.label.ends_with('0'),
        };
        if is_many && is_odd {
            point.label.clear();
        }
    }
    points
}

fn column(unit: &str) -> &'static str {
    match unit {
        "minute" => "Minute",
        "hour" => "Hour",
        "week" => "Week from",
        "month" => "Month",
        _ => "Day",
    }
}

/// A bucket, as the clock of the history's time zone shows it.
fn point(bucket: &View, unit: &str) -> Option<Point> {
    let start = bucket.start.clone()?;
    let clock: DateTime = start.get(..19)?.parse().ok()?;
    let (label, name) = match unit {
        "minute" => ("%H:%M", "%-d %b %Y, %H:%M"),
        "hour" if clock.hour() == 0 => ("%-d %b", "%-d %b %Y, %H:%M"),
        "hour" => ("%H:%M", "%-d %b %Y, %H:%M"),
        "month" => ("%b %Y", "%B %Y"),
        "week" => ("%-d %b", "%-d %b %Y"),
        _ => ("%-d %b", "%a, %-d %b %Y"),
    };
    let is_day = !matches!(unit, "minute" | "hour");
    Some(Point {
        label: clock.strftime(label).to_string(),
        name: clock.strftime(name).to_string(),
        start: match is_day {
            true => clock.strftime("%Y-%m-%d").to_string(),
            false => start,
        },
        value: bucket.visits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(start: &str, first: u64, last: u64, unrecorded: Option<&'static str>) -> View {
        View {
            start: (!start.is_empty()).then(|| start.to_owned()),
            first,
            last,
            visits: last + 1 - first,
            unrecorded,
            end: None,
        }
    }

    #[test]
    fn each_bucket_is_drawn_or_said() {
        let history = History {
            buckets: vec![
                bucket("", 1, 10, Some("before")),
                bucket("2026-03-29T00:00:00+01:00", 11, 12, None),
                bucket("2026-03-29T12:00:00+02:00", 13, 13, Some("off")),
                bucket("2026-03-30T00:00:00+02:00", 14, 13, None),
            ],
            visits: 13,
            as_of: 13,
        };
        let chart = chart(&history, "day");
        let points = chart.points.iter();
        let points: Vec<_> = points
            .map(|point| (point.name.as_str(), point.start.as_str(), point.value))
            .collect();
        assert_eq!(
            points,
            [
                ("Sun, 29 Mar 2026", "2026-03-29", 2),
                ("Mon, 30 Mar 2026", "2026-03-30", 0)
            ]
        );
        assert_eq!(
            gaps(&history),
            [
                "Visits 1 to 10 were counted before recording began.",
                "Visit 13 was counted while recording was off."
            ]
        );
    }

    /// In a week of hours, the time of day of every twentieth says nothing.
    #[test]
    fn below_many_hours_are_days() {
        let labels = |unit: &str, clocks: &mut dyn Iterator<Item = String>| {
            let buckets = clocks.map(|clock| bucket(&format!("2026-03-{clock}Z"), 1, 1, None));
            let history = History {
                buckets: buckets.collect(),
                visits: 0,
                as_of: 0,
            };
            let points = chart(&history, unit).points.into_iter();
            let labels = points.map(|point| point.label);
            labels.filter(|label| !label.is_empty()).collect::<Vec<_>>()
        };
        let hour = |hour: u32| format!("{:02}T{:02}:00:00", 1 + hour / 24, hour % 24);
        let minute = |minute: u32| format!("01T{:02}:{:02}:00", minute / 60, minute % 60);
        assert_eq!(
            labels("hour", &mut (20..92).map(hour)),
            ["2 Mar", "3 Mar", "4 Mar"]
        );
        assert_eq!(
            labels("hour", &mut (22..26).map(hour)),
            ["22:00", "23:00", "2 Mar", "01:00"]
        );
        let tenths = [
            "00:30", "00:40", "00:50", "01:00", "01:10", "01:20", "01:30",
        ];
        assert_eq!(labels("minute", &mut (27..95).map(minute)), tenths);
        assert_eq!(
            labels("minute", &mut (1..3).map(minute)),
            ["00:01", "00:02"]
        );
    }

    #[test]
    fn small_units_keep_the_moment_they_begin() {
        let hour = bucket("2026-03-29T03:00:00+02:00", 1, 1, None);
        let point = point(&hour, "hour").unwrap();
        assert_eq!(point.label, "03:00");
        assert_eq!(point.start, "2026-03-29T03:00:00+02:00");
    }
}
