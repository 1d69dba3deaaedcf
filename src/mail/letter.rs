//! The words of a mail as plain text and as HTML.

use std::fmt::Write;

use super::template::Words;

/// Paragraphs with the link on a line of its own, where every mail program makes it one.
pub fn as_text(words: &Words, link: Option<&str>, site: &str) -> String {
    let opening = words.opening.iter().map(String::as_str);
    let paragraphs = opening.chain(link).chain(words.closing.iter().copied());
    let mut text = paragraphs.collect::<Vec<_>>().join("\n\n");
    // What mail programs take for the beginning of a signature (RFC 3676, 4.3).
    let _ = write!(text, "\n\n-- \nFootfall, {site}\n");
    text.replace('\n', "\r\n")
}

/// The same without pictures, styles from elsewhere or anything that would be fetched.
pub fn as_html(words: &Words, link: Option<&str>, site: &str) -> String {
    let mut html =
        String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    html.push_str(&escaped(words.subject));
    html.push_str("</title></head>\n<body style=\"font-family: sans-serif; line-height: 1.5; max-width: 40em\">\n");
    let paragraph = |text: &str| format!("<p>{}</p>\n", escaped(text));
    html.extend(words.opening.iter().map(|text| paragraph(text)));
    if let (Some(link), Some(action)) = (link, words.action) {
        let (link, action) = (escaped(link), escaped(action));
        let _ = write!(
            html,
            "<p><a href=\"{link}\"><b>{action}</b></a></p>\n<p>{link}</p>\n"
        );
    }
    html.extend(words.closing.iter().map(|text| paragraph(text)));
    let _ = write!(html, "<p>Footfall, {}</p>\n</body></html>\n", escaped(site));
    html.replace('\n', "\r\n")
}

/// What may stand between tags and in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}
