//! How visits are written: lines of JSON, or a table.

use axum::http::{HeaderMap, header};
use mime::Mime;

use super::page::Line;

/// The first line of a table (RFC 4180).
const COLUMNS: &str =
    "number,at,visitor,path,referrer,campaign,country,properties,unrecorded,unrecorded_to\r\n";

/// A media type that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An object on each line.
    Ndjson,
    /// A table.
    Csv,
}

impl Format {
    /// What the client prefers (RFC 9110, 12.5.1); lines of JSON if it does not say so of tables.
    pub fn wanted(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter();
        let ranges = values.filter_map(|value| value.to_str().ok());
        let ranges = ranges.flat_map(|value| value.split(','));
        let (mut lines, mut table) = (0.0_f32, 0.0_f32);
        for range in ranges.filter_map(|range| range.trim().parse::<Mime>().ok()) {
            let weight = range.get_param("q").map(|weight| weight.as_str().parse());
            let weight: f32 = weight.map_or(Ok(1.0), |weight| weight).unwrap_or(0.0);
            match range.essence_str() {
                "text/csv" => table = table.max(weight),
                "application/x-ndjson" => lines = lines.max(weight),
                _ => {}
            }
        }
        match table > lines {
            true => Self::Csv,
            false => Self::Ndjson,
        }
    }

    /// Its name.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// What comes before the first visit.
    pub fn head(self) -> Vec<u8> {
        match self {
            Self::Ndjson => Vec::new(),
            Self::Csv => COLUMNS.into(),
        }
    }

    /// Writes one.
    pub fn write(self, line: &Line, text: &mut Vec<u8>) {
        match self {
            Self::Ndjson => {
                // Text, numbers and JSON: it cannot fail.
                let _ = serde_json::to_writer(&mut *text, line);
                text.push(b'\n');
            }
            Self::Csv => {
                let properties = line.properties.as_ref();
                let cells = [
                    Some(line.number.to_string()),
                    line.at.clone(),
                    line.visitor.clone(),
                    line.path.clone(),
                    line.referrer.clone(),
                    line.campaign.clone(),
                    line.country.clone(),
                    properties.map(|json| json.get().to_owned()),
                    line.unrecorded.map(str::to_owned),
                    line.unrecorded_to.map(|number| number.to_string()),
                ];
                let cells = cells.map(|value| cell(value.as_deref().unwrap_or_default()));
                text.extend_from_slice(cells.join(",").as_bytes());
                text.extend_from_slice(b"\r\n");
            }
        }
    }
}

/// A cell of a table (RFC 4180), as all tables of the service have it. Spreadsheets run what begins with some letters as a formula, which whoever
/// sends visits could choose (OWASP, CSV Injection); those begin with `'` instead.
pub fn cell(value: &str) -> String {
    let is_formula = value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let quote = is_formula || value.contains(['"', ',', '\r', '\n', ' ', '\t', '\'']);
    let escaped = value.replace('"', "\"\"");
    match (is_formula, quote) {
        (true, _) => format!("\"'{escaped}\""),
        (false, true) => format!("\"{escaped}\""),
        (false, false) => escaped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_each_is_one_cell() {
        for (value, expected) in [
            ("", ""),
            ("/a", "/a"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@a", "\"'@a\""),
            ("\ta", "\"'\ta\""),
            ("\ra", "\"'\ra\""),
            ("\na", "\"'\na\""),
            ("=a\"b", "\"'=a\"\"b\""),
            ("a=1", "a=1"),
            ("{\"a\":1}", "\"{\"\"a\"\":1}\""),
        ] {
            assert_eq!(cell(value), expected, "{value:?}");
        }
    }

    #[test]
    fn a_table_is_written_for_who_prefers_it() {
        for (accept, expected) in [
            (&[][..], Format::Ndjson),
            (&["*/*"], Format::Ndjson),
            (&["text/csv"], Format::Csv),
            (&["Text/CSV; charset=utf-8"], Format::Csv),
            (&["text/csv, */*;q=0.1"], Format::Csv),
            (&["text/csv;q=0"], Format::Ndjson),
            (&["text/csv;q=0.5, application/x-ndjson"], Format::Ndjson),
            (
                &["application/x-ndjson;q=0.2", "text/csv;q=0.3"],
                Format::Csv,
            ),
            (&["text/*"], Format::Ndjson),
            (&["nonsense", "text/csv"], Format::Csv),
        ] {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, value.parse().unwrap());
            }
            assert_eq!(Format::wanted(&headers), expected, "{accept:?}");
        }
    }
}
