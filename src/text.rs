//! Text from outside, however it comes: by the environment, a file, standard input.
//!
//! It enters by one function, so that a value means the same wherever it was written down.

use std::fmt;

/// What was to be text and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotText {
    /// UTF-16, by its byte order mark.
    Utf16,
    /// Neither that nor UTF-8, from this line on.
    NotUtf8 {
        /// Counted from 1.
        line: usize,
    },
    /// There is a NUL, as in UTF-16 without its mark. No text of ours needs one.
    Nul {
        /// Counted from 1.
        line: usize,
    },
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, line) = match self {
            Self::Utf16 => return f.write_str("it is UTF-16; save it as UTF-8"),
            Self::NotUtf8 { line } => ("it is not UTF-8 text", line),
            Self::Nul { line } => ("it holds a NUL byte; save it as UTF-8", line),
        };
        match line {
            1 => f.write_str(what),
            line => write!(f, "{what} (line {line})"),
        }
    }
}

impl std::error::Error for NotText {}

/// Takes bytes for text: UTF-8 (RFC 3629) without the byte order mark before it and the line
/// ends after it, which editors, `echo` and `kubectl create secret` put there and nobody means.
/// Nothing else is changed.
///
/// # Errors
///
/// If it is not UTF-8, or holds a NUL. The error shows nothing of the text.
pub fn decode(bytes: &[u8]) -> Result<&str, NotText> {
    let bytes = without_mark(bytes)?;
    let text = std::str::from_utf8(bytes).map_err(|error| NotText::NotUtf8 {
        line: line_of(bytes, error.valid_up_to()),
    })?;
    Ok(text.trim_end_matches(['\r', '\n']))
}

/// The bytes after a byte order mark, if they are not of another encoding.
pub(crate) fn without_mark(bytes: &[u8]) -> Result<&[u8], NotText> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(NotText::Utf16);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Many bytes at once, where there is none: this is done for each visit that carries something.
    if !bytes.contains(&0) {
        return Ok(bytes);
    }
    let before = bytes.iter().take_while(|byte| **byte != 0).count();
    Err(NotText::Nul {
        line: line_of(bytes, before),
    })
}

/// Whether these are 1 to `longest` visible ASCII characters: neither blanks nor control characters.
pub fn is_visible(bytes: &[u8], longest: usize) -> bool {
    (1..=longest).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}

fn line_of(bytes: &[u8], position: usize) -> usize {
    1 + bytes[..position]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_means_is_dropped_and_nothing_else() {
        for (bytes, text) in [
            ("open-sesame", "open-sesame"),
            ("open-sesame\n", "open-sesame"),
            ("open-sesame\r\n\n", "open-sesame"),
            ("\u{feff}open-sesame", "open-sesame"),
            ("\u{feff}\n", ""),
            (" open\nsesame ", " open\nsesame "),
            ("\nopen-sesame\t", "\nopen-sesame\t"),
            ("open\u{feff}sesame", "open\u{feff}sesame"),
            ("Ünïcödé\u{2028}", "Ünïcödé\u{2028}"),
        ] {
            assert_eq!(decode(bytes.as_bytes()), Ok(text));
        }
    }

    #[test]
    fn what_is_no_text_is_said_and_not_shown() {
        for (bytes, message) in [
            (&b"caf\xe9"[..], "it is not UTF-8 text"),
            (b"one\ncaf\xe9", "it is not UTF-8 text (line 2)"),
            (b"\xff\xfeo\0p\0", "it is UTF-16; save it as UTF-8"),
            (b"\xfe\xff\0o\0p", "it is UTF-16; save it as UTF-8"),
            (b"o\0p\0", "it holds a NUL byte; save it as UTF-8"),
        ] {
            assert_eq!(decode(bytes).unwrap_err().to_string(), message);
        }
    }
}
