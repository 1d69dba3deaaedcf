//! Names that people chose, as they stand in a mail to somebody else.
//!
//! Whoever registers chooses names that a stranger then reads in a mail of ours. So they are one
//! line, short, in the order in which they are written, and no mail program makes a link of them.

/// Most characters of a name that are shown.
const LONGEST: usize = 64;

/// Separates characters without a space (U+2060): a mail program sees two words.
const JOINER: char = '\u{2060}';

/// A name in quotation marks.
pub fn quoted(name: &str) -> String {
    let visible = name.chars().map(|char| match char {
        char if char.is_control() || char.is_whitespace() || is_a_break(char) => ' ',
        // They would look like the end of the name.
        '“' | '”' | '"' => '\'',
        char => char,
    });
    let visible: String = visible.filter(|char| !is_invisible(*char)).collect();
    let mut words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(LONGEST) {
        words.truncate(end);
        words.push('…');
    }
    format!("“{}”", unlinked(&words))
}

/// U+2028 and U+2029 end a line, and are no control characters.
fn is_a_break(char: char) -> bool {
    matches!(char, '\u{2028}' | '\u{2029}')
}

/// Nobody sees them, but they turn the text around that follows (UAX 9), or hide what it says.
fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Breaks `www.example.com`, `https://…` and `a@b` where mail programs look for them. A dot at the
/// end of a word, as of "Inc.", is left alone.
fn unlinked(text: &str) -> String {
    let mut broken = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(char) = characters.next() {
        broken.push(char);
        let goes_on = characters.peek().is_some_and(|next| !next.is_whitespace());
        if goes_on
            && matches!(
                char,
                '.' | ':' | '/' | '@' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}'
            )
        {
            broken.push(JOINER);
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_one_line_and_no_link() {
        for (name, shown) in [
            ("Acme Inc.", "“Acme Inc.”"),
            ("Ärzte & Co. <b>", "“Ärzte & Co. <b>”"),
            ("  a \t\r\n b\u{2028}c\u{85}d ", "“a b c d”"),
            ("a\0b\u{1b}[31m", "“a b [31m”"),
            ("\u{202e}moc.live\u{200f}", "“moc.\u{2060}live”"),
            (
                "see https://evil.example/a",
                "“see https:\u{2060}/\u{2060}/\u{2060}evil.\u{2060}example/\u{2060}a”",
            ),
            ("me@evil.example", "“me@\u{2060}evil.\u{2060}example”"),
            ("a” b", "“a' b”"),
            ("", "“”"),
        ] {
            assert_eq!(quoted(name), shown, "{name:?}");
        }
        let long = "名".repeat(1000);
        assert_eq!(quoted(&long), format!("“{}…”", "名".repeat(LONGEST)));
    }

    proptest! {
        #[test]
        fn whatever_it_is(name in ".{0,200}") {
            let shown = quoted(&name);
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert!(!shown.contains("://") && !shown.contains("www.e"));
            prop_assert!(shown.chars().filter(|char| *char != JOINER).count() <= LONGEST + 3);
        }
    }
}
