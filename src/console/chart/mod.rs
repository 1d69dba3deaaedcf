//! Charts: SVG that is made here, with a title and a description in words, and the same numbers in a table.

use std::fmt::Write;

use askama::{Template, filters::HtmlSafe};

mod axis;
mod spark;

pub use self::spark::Spark;
use super::shown::{Exact, counted};

/// How high a chart is, in units of its own: numbers are drawn this exactly.
const HEIGHT: u64 = 1000;

/// What is not nothing is seen.
const LEAST: u64 = 6;

/// Labels below a chart at most; every other is left out where it is narrow.
const MOST_LABELS: usize = 8;

/// From so many on, bars have no gaps between them.
const MANY: usize = 120;

/// How numbers are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bar for each.
    Bars,
    /// A line from one to the next.
    Line,
}

/// One number of a chart.
#[derive(Debug, Clone)]
pub struct Point {
    /// What it is of, in short, for below the chart; empty where it is not to be named there.
    pub label: String,
    /// The same in full, for the table.
    pub name: String,
    /// Where it begins, as a form has it that asks for a part of the chart.
    pub start: String,
    /// The number.
    pub value: u64,
}

impl Point {
    fn exact(&self) -> Exact {
        self.value.into()
    }
}

/// A chart. In a template: `{{ chart }}`.
#[derive(Debug, Clone, Template)]
#[template(path = "console/parts/chart.html")]
pub struct Chart {
    /// Its id in the page.
    pub id: &'static str,
    /// What it shows, in a few words.
    pub title: String,
    /// What numbers are of: `visits`.
    pub of: &'static str,
    /// What points are: `Day`.
    pub column: &'static str,
    /// How it is drawn.
    pub kind: Kind,
    /// The numbers.
    pub points: Vec<Point>,
    /// The id of a form with the fields `from` and `to`, by which one asks for a part of the chart: a script
    /// fills them in where somebody drags over it.
    pub range: Option<&'static str>,
}

impl HtmlSafe for Chart {}

/// A label below the chart.
struct Label<'a> {
    text: &'a str,
    /// In hundredths of the chart's width.
    place: String,
    anchor: &'static str,
    /// Left out where there is little room.
    is_minor: bool,
}

impl Chart {
    fn greatest(&self) -> u64 {
        let values = self.points.iter().map(|point| point.value);
        values.max().unwrap_or(0)
    }

    /// The numbers beside the lines, from above.
    fn ticks(&self) -> Vec<Exact> {
        let ticks = axis::ticks(self.greatest()).into_iter().rev();
        ticks.map(Exact::from).collect()
    }

    /// Where the lines are, from above.
    fn lines(&self) -> Vec<u64> {
        let intervals = axis::ticks(self.greatest()).len().saturating_sub(1).max(1) as u64;
        let places = (0..=intervals).map(|line| line * HEIGHT / intervals);
        places.collect()
    }

    fn height(&self, value: u64, top: u64) -> u64 {
        let height = u128::from(value) * u128::from(HEIGHT) / u128::from(top.max(1));
        // No more than HEIGHT.
        let height = u64::try_from(height).unwrap_or(HEIGHT);
        if value > 0 { height.max(LEAST) } else { 0 }
    }

    /// What is drawn, where each point is one unit wide.
    fn path(&self) -> String {
        let ticks = axis::ticks(self.greatest());
        let top = ticks.last().copied().unwrap_or(1);
        let heights = self
            .points
            .iter()
            .map(|point| self.height(point.value, top));
        let mut path = String::new();
        match self.kind {
            Kind::Bars => {
                let (before, wide) = match self.points.len() {
                    0..MANY => ("15", ".7"),
                    _ => ("", "1"),
                };
                for (place, height) in heights.enumerate().filter(|(_, height)| *height > 0) {
                    let dot = if before.is_empty() { "" } else { "." };
                    // Into memory: it cannot fail.
                    let _ = write!(
                        path,
                        "M{place}{dot}{before} {HEIGHT}v-{height}h{wide}v{height}z"
                    );
                }
            }
            Kind::Line => {
                for (place, height) in heights.enumerate() {
                    let command = if place == 0 { 'M' } else { 'L' };
                    let _ = write!(path, "{command}{place}.5 {}", HEIGHT - height);
                }
                // One point is a line as well.
                if self.points.len() == 1 {
                    path = path.replace("M0.5", "M0") + "h1";
                }
            }
        }
        path
    }

    fn labels(&self) -> Vec<Label<'_>> {
        let many = self.points.len();
        let points = self.points.iter().enumerate();
        let named = points.filter(|(_, point)| !point.label.is_empty());
        let named: Vec<_> = named.map(|(place, _)| place).collect();
        let places = axis::labelled(named.len(), MOST_LABELS);
        let places: Vec<_> = places.into_iter().map(|place| named[place]).collect();
        let last = places.len().saturating_sub(1);
        let labels = places.iter().enumerate().map(|(index, place)| {
            let middle = (2 * place + 1) * 5000 / many.max(1);
            Label {
                text: &self.points[*place].label,
                place: format!("{}.{:02}%", middle / 100, middle % 100),
                anchor: match middle {
                    9000.. => "end",
                    ..1000 => "start",
                    _ => "middle",
                },
                is_minor: (last - index) % 2 == 1,
            }
        });
        labels.collect()
    }

    /// The sum, the greatest, and where that is: what one sees at a glance.
    fn description(&self) -> String {
        let values = self.points.iter().map(|point| u128::from(point.value));
        let sum = counted(values.sum(), self.of);
        let greatest = self.points.iter().max_by_key(|point| point.value);
        match (self.points.first(), self.points.last(), greatest) {
            (Some(first), Some(last), Some(greatest)) if self.points.len() > 1 => format!(
                "{sum} from {} to {}; at most {} ({}).",
                first.name,
                last.name,
                Exact::from(greatest.value),
                greatest.name
            ),
            (Some(only), ..) => format!("{sum} ({}).", only.name),
            _ => format!("No {} in this time.", self.of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(kind: Kind, values: &[u64]) -> Chart {
        let points = values.iter().enumerate().map(|(place, value)| Point {
            label: format!("<{place}>"),
            name: format!("day \"{place}\""),
            start: place.to_string(),
            value: *value,
        });
        Chart {
            id: "chart",
            title: "<Visits>".into(),
            of: "visits",
            column: "Day",
            kind,
            points: points.collect(),
            range: Some("range"),
        }
    }

    #[test]
    fn bars_are_as_high_as_their_numbers() {
        for (values, expected) in [
            (&[][..], ""),
            (&[0], ""),
            (&[5], "M0.15 1000v-1000h.7v1000z"),
            (
                &[10, 0, 5],
                "M0.15 1000v-1000h.7v1000zM2.15 1000v-500h.7v500z",
            ),
            // What is next to nothing is not nothing.
            (
                &[1_000_000, 1],
                "M0.15 1000v-1000h.7v1000zM1.15 1000v-6h.7v6z",
            ),
        ] {
            assert_eq!(chart(Kind::Bars, values).path(), expected, "{values:?}");
        }
        let many = chart(Kind::Bars, &[1; 120]).path();
        assert!(many.starts_with("M0 1000v-1000h1v1000zM1 1000"), "{many}");
    }

    #[test]
    fn a_line_goes_through_the_middle_of_each() {
        for (values, expected) in [
            (&[][..], ""),
            (&[5], "M0 0h1"),
            (&[0, 5, 10], "M0.5 1000L1.5 500L2.5 0"),
        ] {
            assert_eq!(chart(Kind::Line, values).path(), expected, "{values:?}");
        }
    }

    #[test]
    fn what_it_shows_is_said_in_words() {
        for (values, expected) in [
            (&[][..], "No visits in this time."),
            (&[1], "1 visit (day \"0\")."),
            (&[1234], "1,234 visits (day \"0\")."),
            (
                &[1, 3, 2],
                "6 visits from day \"0\" to day \"2\"; at most 3 (day \"1\").",
            ),
        ] {
            assert_eq!(chart(Kind::Bars, values).description(), expected);
        }
    }

    #[test]
    fn each_number_stands_in_the_table_and_all_is_text() {
        for values in [&[][..], &[7], &[0, 0], &[1, 22_222, 3]] {
            for kind in [Kind::Bars, Kind::Line] {
                let html = chart(kind, values).render().unwrap();
                assert_eq!(html.matches("<td").count(), values.len(), "{html}");
                for value in values {
                    assert!(
                        html.contains(&format!(">{}</td>", Exact::from(*value))),
                        "{html}"
                    );
                }
                assert!(
                    !html.contains("<0>") && !html.contains("<Visits>"),
                    "{html}"
                );
                assert!(!html.contains(" style="), "{html}");
            }
        }
    }
}
