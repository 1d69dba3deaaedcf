//! What is said of visits of which nothing is recorded.

/// Why nothing is kept of them: the end of a sentence about some visits.
pub fn why(reason: &str) -> &'static str {
    match reason {
        "before" => "were counted before recording began",
        "off" => "were counted while recording was off",
        "behind" => "were counted while the database was away for too long to remember them all",
        "lost" => "were lost with Redis before they were recorded",
        "older_version" => "were counted by an older version of Footfall, which records nothing",
        "retention" => "are older than this counter keeps what visits carry",
        _ => "are not recorded",
    }
}

/// The numbers of some visits: `visit 7`, or `visits 7 to 9`.
pub fn numbers(first: u64, last: u64) -> String {
    use crate::console::shown::Exact;
    let (from, to) = (Exact::from(first), Exact::from(last));
    match first == last {
        true => format!("Visit {from}"),
        false => format!("Visits {from} to {to}"),
    }
}

/// The same in a sentence: one visit was, some were.
pub fn sentence(first: u64, last: u64, reason: &str) -> String {
    let why = why(reason);
    let why = match first == last {
        true if why.starts_with("were ") => format!("was {}", &why[5..]),
        true if why.starts_with("are ") => format!("is {}", &why[4..]),
        _ => why.to_owned(),
    };
    format!("{} {why}.", numbers(first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_visit_is_one() {
        for (first, last, reason, expected) in [
            (
                1,
                1200,
                "before",
                "Visits 1 to 1,200 were counted before recording began.",
            ),
            (7, 7, "off", "Visit 7 was counted while recording was off."),
            (
                7,
                7,
                "retention",
                "Visit 7 is older than this counter keeps what visits carry.",
            ),
            (7, 8, "new", "Visits 7 to 8 are not recorded."),
        ] {
            assert_eq!(sentence(first, last, reason), expected);
        }
    }
}
