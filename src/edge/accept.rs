//! Which kind of answer a client would rather have (RFC 9110, 12.5.1).

use axum::http::{HeaderMap, header};

/// What a browser asks for when it is to show a page.
const PAGES: [&str; 2] = ["text/html", "application/xhtml+xml"];

/// What programs ask for.
const DOCUMENTS: [&str; 2] = ["application/problem+json", "application/json"];

/// Whether a page is wanted, by its own name and no less than a document for programs. `*/*`, which
/// every tool sends, is no such wish.
pub fn prefers_page(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter();
    let ranges: Vec<_> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(range)
        .collect();
    let quality = |names: [&str; 2]| {
        let named = ranges.iter().filter(|(name, _)| {
            let same = |wanted: &&str| name.eq_ignore_ascii_case(wanted);
            names.iter().any(same)
        });
        named.map(|(_, quality)| *quality).fold(0.0, f32::max)
    };
    let page = quality(PAGES);
    page > 0.0 && page >= quality(DOCUMENTS)
}

/// A media range and its quality, which is 1 unless it says otherwise (RFC 9110, 12.4.2).
fn range(text: &str) -> Option<(&str, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next()?;
    let quality = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("q")
            .then_some(value.trim())
    });
    let quality = match quality {
        Some(text) => text.parse().ok().filter(|q| (0.0..=1.0).contains(q))?,
        None => 1.0,
    };
    Some((name, quality))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn who_wants_a_page() {
        const CHROMIUM: &str =
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
        for (accept, expected) in [
            (&[CHROMIUM][..], true),
            (&["text/html"], true),
            (&["TEXT/HTML; charset=utf-8"], true),
            (&["application/xhtml+xml"], true),
            (&["text/html, application/json"], true),
            (&["application/json", "text/html"], true),
            (&["text/html;q=0.5, */*;q=0.8"], true),
            (&["text/html;q=0.5, application/json"], false),
            (&["text/html;q=0.5, application/problem+json;q=0.6"], false),
            (&["text/html;q=0"], false),
            (&["text/html; Q = 0.000"], false),
            (&["text/html;q=2"], false),
            (&["text/html;q="], false),
            (&["*/*"], false),
            (&["text/*"], false),
            (&["application/json"], false),
            (&["text/event-stream"], false),
            (&[""], false),
            (&[], false),
        ] {
            let lines = accept.iter().copied().map(HeaderValue::from_static);
            let headers = lines.map(|line| (header::ACCEPT, line)).collect();
            assert_eq!(prefers_page(&headers), expected, "{accept:?}");
        }
    }
}
