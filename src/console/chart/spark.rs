//! A small chart within a line: how something goes, without numbers.

use std::fmt::Write;

use askama::{Template, filters::HtmlSafe};

use crate::console::shown::counted;

/// How high it is, in units of its own.
const HEIGHT: u64 = 20;

/// A small chart. In a template: `{{ spark }}`. A script moves its last point with the live number.
#[derive(Debug, Clone, Template)]
#[template(path = "console/parts/spark.html")]
pub struct Spark {
    /// What it shows, in words.
    pub label: String,
    /// One number after the other.
    pub values: Vec<u64>,
    /// The live number that it goes with, and what that was here: `name`, `count`.
    pub live: Option<(String, u64)>,
}

impl HtmlSafe for Spark {}

impl Spark {
    /// Of these numbers, which all are of this: `visits in the last 24 hours`.
    pub fn new(values: Vec<u64>, of: &str) -> Self {
        let sum = values.iter().map(|value| u128::from(*value)).sum();
        Self {
            label: counted(sum, of),
            values,
            live: None,
        }
    }

    /// It goes on with the live number of this counter, which is this here.
    #[must_use]
    pub fn following(mut self, name: impl ToString, count: u64) -> Self {
        self.live = Some((name.to_string(), count));
        self
    }

    fn width(&self) -> usize {
        self.values.len().saturating_sub(1).max(1)
    }

    /// One number is a line as well.
    fn line(&self) -> String {
        let greatest = self.values.iter().copied().max().unwrap_or(0).max(1);
        let height = |value: u64| {
            let scaled = u128::from(value) * u128::from(HEIGHT * 100) / u128::from(greatest);
            // No more than HEIGHT * 100, which any number has room for.
            HEIGHT as f64 - scaled as f64 / 100.0
        };
        let mut path = String::new();
        let single = [self.values.first().copied().unwrap_or(0); 2];
        let values = match self.values.len() {
            0 | 1 => &single[..],
            _ => &self.values,
        };
        for (place, value) in values.iter().enumerate() {
            let command = if place == 0 { 'M' } else { 'L' };
            // Into memory: it cannot fail.
            let _ = write!(path, "{command}{place} {}", height(*value));
        }
        path
    }

    fn area(&self) -> String {
        format!("{}V{HEIGHT}H0Z", self.line())
    }

    fn listed(&self) -> String {
        let values: Vec<_> = self.values.iter().map(u64::to_string).collect();
        values.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_line_goes_from_0_to_the_greatest() {
        for (values, expected) in [
            (vec![], "M0 20L1 20"),
            (vec![7], "M0 0L1 0"),
            (vec![0, 0], "M0 20L1 20"),
            (vec![0, 1, 4], "M0 20L1 15L2 0"),
            (vec![u64::MAX, 0], "M0 0L1 20"),
        ] {
            let spark = Spark::new(values, "visits");
            assert_eq!(spark.line(), expected);
        }
    }

    #[test]
    fn it_says_what_it_shows_and_nothing_else() {
        let spark = Spark::new(vec![1000, 234], "visits of \"><script>");
        let html = spark.following("a\"b", 7).render().unwrap();
        assert!(
            html.contains("1,234 visits of &#34;&#62;&#60;script&#62;"),
            "{html}"
        );
        assert!(
            !html.contains("<script>") && !html.contains("a\"b"),
            "{html}"
        );
    }
}
