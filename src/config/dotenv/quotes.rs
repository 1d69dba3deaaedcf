//! Values in quotes, and what a backslash means in them.

/// The text up to the closing quote, and how long it is in the file. A backslash keeps the quote
/// from closing, and stands for itself elsewhere.
pub(super) fn unquote(text: &str, quote: char) -> Option<(String, usize)> {
    let mut unquoted = String::new();
    let mut is_escaped = false;
    for (position, c) in text.char_indices() {
        match c {
            '\\' if !is_escaped => is_escaped = true,
            c if c == quote && !is_escaped => return Some((unquoted, position)),
            c => {
                if is_escaped && c != quote {
                    unquoted.push('\\');
                }
                unquoted.push(c);
                is_escaped = false;
            }
        }
    }
    None
}

/// Replaces the escape sequences of double quotes. `\$` becomes `$$`, which is no variable.
pub(super) fn unescape(text: &str) -> String {
    let mut unescaped = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        unescaped.push_str(before);
        rest = after;
        let Some(c) = after.chars().next() else {
            unescaped.push('\\');
            break;
        };
        let replaced = match c {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '"' | '\\' => c,
            '$' => {
                unescaped.push('$');
                '$'
            }
            '0' => match octal(after) {
                Some(code) => {
                    rest = &after[3..];
                    code
                }
                None => '\\',
            },
            _ => {
                unescaped.push('\\');
                continue;
            }
        };
        unescaped.push(replaced);
        rest = &rest[1..];
    }
    unescaped + rest
}

/// `0NNN`: a character by its number in octal.
fn octal(text: &str) -> Option<char> {
    let digits = text.get(1..4)?;
    let is_octal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let code = u8::from_str_radix(digits, 8).ok();
    code.filter(|_| is_octal).map(char::from)
}
