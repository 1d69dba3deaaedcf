//! How numbers, times and code are shown.

use std::fmt;

use askama::{Template, filters::HtmlSafe};
use jiff::Timestamp;

use crate::{company::Zone, edge::Problem};

/// A number with all its digits, in groups of three: `1,234,567`. In a template: `{{ Exact(number) }}`, or
/// a field of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact(pub i128);

impl<N: Into<i128>> From<N> for Exact {
    fn from(number: N) -> Self {
        Self(number.into())
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.unsigned_abs().to_string();
        if self.0 < 0 {
            f.write_str("\u{2212}")?;
        }
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A number of something: `1 visit`, `1,234 visits in the last hour`.
pub fn counted(number: u128, of: &str) -> String {
    let exact = Exact(i128::try_from(number).unwrap_or(i128::MAX));
    let (first, rest) = of.split_at(of.find(' ').unwrap_or(of.len()));
    match number {
        1 => format!("{exact} {}{rest}", first.trim_end_matches('s')),
        _ => format!("{exact} {of}"),
    }
}

/// What a problem says to who sees a page, and not the head of its answer.
pub fn said(problem: &Problem) -> String {
    let wait = match problem.wait() {
        None => "try again later".to_owned(),
        Some(seconds @ ..=90) => format!("try again in {}", counted(seconds.into(), "seconds")),
        Some(seconds) => {
            let minutes = counted(seconds.div_ceil(60).into(), "minutes");
            format!("try again in {minutes}")
        }
    };
    let of_head = "wait as long as Retry-After says";
    problem.detail.replace(of_head, &wait)
}

/// A moment, wherever the clock is by which it is shown. In a template: `{{ frame.at(moment) }}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    rfc3339: String,
}

impl Moment {
    /// Of a time as the API has it (RFC 3339).
    pub fn new(rfc3339: impl Into<String>) -> Self {
        Self {
            rfc3339: rfc3339.into(),
        }
    }

    /// Of a time as the database has it.
    pub fn of_millis(unix_millis: i64) -> Self {
        Self::new(crate::audit::time::format(unix_millis))
    }

    /// As the clocks of a zone showed it.
    pub fn seen_in(&self, zone: &Zone) -> Seen {
        let text = match self.rfc3339.parse::<Timestamp>() {
            Ok(time) => {
                let time = time.to_zoned(zone.clock().clone());
                time.strftime("%-d %b %Y, %H:%M %Z").to_string()
            }
            Err(_) => self.rfc3339.clone(),
        };
        Seen {
            rfc3339: self.rfc3339.clone(),
            text,
        }
    }
}

/// A moment in a time zone, with which it is. A script shows it in the zone of who reads it.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<time datetime="{{ rfc3339 }}">{{ text }}</time>"#
)]
pub struct Seen {
    rfc3339: String,
    text: String,
}

impl HtmlSafe for Seen {}

/// Code with a button that copies it. In a template: `{{ code }}`.
#[derive(Debug, Clone, Template)]
#[template(path = "console/parts/code.html")]
pub struct Code {
    /// Its id in the page.
    pub id: String,
    /// What it is, for the button.
    pub label: String,
    /// The code itself.
    pub text: String,
}

impl HtmlSafe for Code {}

impl Code {
    /// This code.
    pub fn new(id: impl Into<String>, label: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            label: label.into(),
            text: text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge;

    #[test]
    fn how_long_to_wait_is_said_in_words() {
        let problem = |seconds| {
            let wait = std::time::Duration::from_secs(seconds);
            said(&Problem::from(edge::Code::TooManyLogins).retry_after(wait))
        };
        for (seconds, words) in [
            (1, "try again in 1 second."),
            (90, "try again in 90 seconds."),
            (91, "try again in 2 minutes."),
            (3600, "try again in 60 minutes."),
        ] {
            let said = problem(seconds);
            assert!(
                said.ends_with(words) && said.starts_with("Too many failed logins"),
                "{said}"
            );
        }
        let none = said(&edge::Code::TooManyRequests.into());
        assert!(none.ends_with("try again later."), "{none}");
        assert_eq!(
            said(&edge::Code::NotFound.into()),
            Problem::from(edge::Code::NotFound).detail
        );
    }

    #[test]
    fn all_digits_are_shown() {
        for (number, text) in [
            (0_i128, "0"),
            (7, "7"),
            (999, "999"),
            (1000, "1,000"),
            (12_345, "12,345"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
            (-1, "\u{2212}1"),
            (-1000, "\u{2212}1,000"),
            (i128::from(u64::MAX), "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(Exact(number).to_string(), text);
        }
    }

    #[test]
    fn a_moment_is_shown_in_a_zone_and_kept_exactly() {
        for (rfc3339, zone, text) in [
            ("2025-11-26T01:00:00.123Z", "UTC", "26 Nov 2025, 01:00 UTC"),
            (
                "2025-11-25T23:30:00.000Z",
                "Europe/Berlin",
                "26 Nov 2025, 00:30 CET",
            ),
            // The hour that there is twice.
            (
                "2026-10-25T00:30:00.000Z",
                "Europe/Berlin",
                "25 Oct 2026, 02:30 CEST",
            ),
            (
                "2026-10-25T01:30:00.000Z",
                "Europe/Berlin",
                "25 Oct 2026, 02:30 CET",
            ),
            (
                "2026-03-29T01:00:00.000Z",
                "Europe/Berlin",
                "29 Mar 2026, 03:00 CEST",
            ),
            (
                "2026-01-01T00:00:00.000Z",
                "America/Sao_Paulo",
                "31 Dec 2025, 21:00 -03",
            ),
        ] {
            let seen = Moment::new(rfc3339).seen_in(&Zone::find(zone).unwrap());
            let expected = format!("<time datetime=\"{rfc3339}\">{text}</time>");
            assert_eq!(seen.render().unwrap(), expected);
        }
        let strange = Moment::new("\"><script>").seen_in(&Zone::default());
        assert!(!strange.render().unwrap().contains("<script>"));
    }
}
