//! Which passwords are good enough: long, and hard to guess (NIST SP 800-63B, 3.1.1.2; OWASP ASVS
//! 5, 6.2). Nothing is asked of which characters they are made, and none expires.

use std::collections::HashSet;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use zxcvbn::{Score, zxcvbn};

use crate::edge::{Code, Problem};

/// Most characters (Unicode scalar values) of a password.
pub const MAX_CHARS: usize = 128;

/// As many characters are judged at a time, at most. What looks like much at once takes the cube of its
/// length: 100 characters half a second, these a third of that.
const JUDGED_CHARS: usize = 64;

/// Passwords that a program finds by fewer tries than this are refused: 10⁸.
const ENOUGH: Score = Score::Three;

/// Words of the context that are looked for, at most.
const CONTEXT_WORDS: usize = 64;

/// Longest part of the context that is looked at.
const CONTEXT_CHARS: usize = 256;

/// Shorter words are in many passwords by accident.
const SHORTEST_WORD: usize = 3;

/// What the product is called: the first that is tried.
const PRODUCT: &str = "footfall";

/// How a password is hashed, and compared with a hash: in the one form (NFC) of what looks and is
/// typed the same, as RFC 8265 (4.2, `OpaqueString`) has it. Keyboards differ in what they
/// send for `é`. All else stays as it is.
pub fn normalized(password: &SecretString) -> SecretString {
    let password = password.expose_secret();
    SecretString::from(password.nfc().collect::<String>())
}

/// Why a password is not good enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It has fewer characters than this.
    #[error(
        "The password must have at least {0} characters: a few words that have nothing to do with each other will do."
    )]
    TooShort(usize),
    /// It has too many characters.
    #[error("The password must not have more than {MAX_CHARS} characters.")]
    TooLong,
    /// A program would soon find it; what helps.
    #[error("The password is too easy to guess. {0}")]
    Guessable(String),
}

impl Weakness {
    /// The problem to answer with, which names the field of the body that had the password.
    pub fn in_field(&self, field: &'static str) -> Problem {
        Problem::from(Code::WeakPassword)
            .with_detail(self.to_string())
            .of_field(field)
    }
}

/// Why this password is not good enough, if it is not. `context` is what anybody would try first: the
/// names and addresses of its owner and of their company.
///
/// Takes up to a fraction of a second: nothing for an async thread. See
/// [`Passwords::judge`](super::password::Passwords::judge).
pub fn weakness(password: &SecretString, min_chars: usize, context: &[String]) -> Option<Weakness> {
    let password = normalized(password);
    // No more than decides it.
    let chars: Vec<char> = password
        .expose_secret()
        .chars()
        .take(MAX_CHARS + 1)
        .collect();
    if chars.len() < min_chars {
        return Some(Weakness::TooShort(min_chars));
    }
    if chars.len() > MAX_CHARS {
        return Some(Weakness::TooLong);
    }
    let words = words_of(context);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut advice = None;
    // What has a part that is hard to guess is hard to guess.
    for part in chars.chunks(JUDGED_CHARS) {
        let rest = SecretString::from(rest_of(part, &words));
        let part = SecretString::from(part.iter().collect::<String>());
        let mut judged = zxcvbn(part.expose_secret(), &words);
        if judged.score() >= ENOUGH && rest.expose_secret() != part.expose_secret() {
            judged = zxcvbn(rest.expose_secret(), &words);
        }
        if judged.score() >= ENOUGH {
            return None;
        }
        advice.get_or_insert_with(|| advice_of(&judged, &words, part.expose_secret()));
    }
    advice.map(Weakness::Guessable)
}

/// What is left to guess without what is tried first: the words of the context, and words that were
/// there before. zxcvbn sees neither behind a blank, and takes `footfall footfall` for a good one.
fn rest_of(password: &[char], words: &[&str]) -> String {
    let mut left = password.to_vec();
    for word in words {
        let mut word: Vec<char> = word.chars().map(plain).collect();
        for _ in 0..2 {
            without(&mut left, &word);
            word.reverse();
        }
    }
    let mut seen = HashSet::new();
    let of_words = |c: &char| c.is_alphanumeric();
    let runs = left.chunk_by(|one, next| of_words(one) == of_words(next));
    let new = runs.filter(|run| seen.insert(run.iter().copied().map(plain).collect::<Vec<_>>()));
    new.flatten().collect()
}

/// Takes each occurrence of a word out.
fn without(text: &mut Vec<char>, word: &[char]) {
    let mut at = 0;
    while at + word.len() <= text.len() {
        let found = text[at..].iter().copied().map(plain);
        match found.zip(word).all(|(found, of_word)| found == *of_word) {
            true => drop(text.drain(at..at + word.len())),
            false => at += 1,
        }
    }
}

/// A character as it is compared: in lower case, and the letter that people write it for.
fn plain(c: char) -> char {
    match c.to_lowercase().next().unwrap_or(c) {
        '0' => 'o',
        '1' | '!' | '|' | 'i' => 'l',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        other => other,
    }
}

fn advice_of(judged: &zxcvbn::Entropy, words: &[&str], password: &str) -> String {
    let lower = password.to_lowercase();
    let mut said = Vec::new();
    if words.iter().any(|word| lower.contains(word)) {
        said.push("It contains your name, that of your company, or the product's.".to_owned());
    }
    if let Some(feedback) = judged.feedback() {
        said.extend(feedback.warning().map(|warning| warning.to_string()));
        said.extend(feedback.suggestions().iter().map(ToString::to_string));
    }
    if said.is_empty() {
        said.push("Add another word or two. Uncommon words are better.".to_owned());
    }
    said.join(" ")
}

/// Each text of the context, each word of it, and what its first words are without what is between
/// them, since nobody writes the dots of an address in a password. In lower case, as they are compared.
fn words_of(context: &[String]) -> Vec<String> {
    let mut words = vec![PRODUCT.to_owned()];
    for text in context {
        let text: String = text.nfc().take(CONTEXT_CHARS).collect();
        let text = text.to_lowercase();
        let mut together = String::new();
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            together.push_str(word);
            words.extend([word.to_owned(), together.clone()]);
        }
        words.push(text);
        words.retain(|word| word.chars().count() >= SHORTEST_WORD);
        words.truncate(CONTEXT_WORDS);
    }
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(password: &str) -> Result<(), &'static str> {
        let context = ["ada.lovelace@example.org", "ada", "Analytical Engines Ltd."];
        let context = context.map(str::to_owned);
        let password = SecretString::from(password);
        match weakness(&password, 15, &context) {
            None => Ok(()),
            Some(Weakness::TooShort(_)) => Err("short"),
            Some(Weakness::TooLong) => Err("long"),
            Some(Weakness::Guessable(_)) => Err("guessable"),
        }
    }

    #[test]
    fn what_is_good_enough() {
        let phrase = "correct horse battery staple";
        let long = |length: usize| phrase.chars().cycle().take(length).collect::<String>();
        let guessable = Err("guessable");
        for (password, expected) in [
            ("", Err("short")),
            ("tR7$kQ9!mZ2@xW", Err("short")),
            ("tR7$kQ9!mZ2@xW5", Ok(())),
            (phrase, Ok(())),
            // Characters, not bytes.
            ("žluťoučký kůň", Err("short")),
            ("žluťoučký kůň úpěl", Ok(())),
            ("😀🐴🔋📎🚪🌧🧦🎻🍋🪜🧲🪁🛶🥁", Err("short")),
            ("😀🐴🔋📎🚪🌧🧦🎻🍋🪜🧲🪁🛶🥁🧵", Ok(())),
            // Two characters that are one to whoever types it.
            ("e\u{301}e\u{301}e\u{301}kQ9!mZ2@xW5", Err("short")),
            ("e\u{301}xe\u{301}ykQ9!mZ2@xW5", Ok(())),
            // Any character.
            ("kQ9\0!mZ2\u{7}@xW5\ntR7", Ok(())),
            ("   kQ9!mZ2@xW5   ", Ok(())),
            // What programs try.
            ("aaaaaaaaaaaaaaa", guessable),
            ("abcabcabcabcabc", guessable),
            ("123456789012345", guessable),
            ("passwordpassword", guessable),
            ("P@ssw0rd12345678", guessable),
            ("qwertyuiopasdfg", guessable),
            ("31.12.199131.12.1991", guessable),
            // What those try who know the owner.
            ("ada.lovelace@example.org", guessable),
            ("AdaLovelace1815", guessable),
            ("analyticalengines", guessable),
            ("AnalyticalEngines1", guessable),
            ("footfallfootfall", guessable),
            ("footfall footfall", guessable),
            ("Footfall-Footfall!", guessable),
            ("footfall footfall footfall", guessable),
            ("f00tf@ll f00tf@ll 1", guessable),
            ("llaftoof llaftoof", guessable),
            ("Analytical Engines, Analytical Engines", guessable),
            ("ada lovelace footfall 2026", guessable),
            (
                "ada.lovelace@example.org ada.lovelace@example.org",
                guessable,
            ),
            // What repeats is there once.
            ("password password password", guessable),
            ("Summer Summer Summer Summer", guessable),
            ("12345 12345 12345 12345", guessable),
            // What is hard to guess without them is so with them.
            ("footfall correct horse battery staple", Ok(())),
            ("ada tR7$kQ9!mZ2@xW5", Ok(())),
        ] {
            assert_eq!(judged(password), expected, "{password:?}");
        }
        for (length, expected) in [
            (15, Ok(())),
            (64, Ok(())),
            (128, Ok(())),
            (129, Err("long")),
        ] {
            assert_eq!(judged(&long(length)), expected, "{length}");
        }
        assert_eq!(judged(&"😀".repeat(100_000)), Err("long"));
    }

    #[test]
    fn what_is_hard_to_guess_in_one_part_is_so_in_all() {
        let easy = "a".repeat(64);
        let hard = "tR7$kQ9!mZ2@xW5";
        assert_eq!(judged(&easy), Err("guessable"));
        assert_eq!(judged(&"a".repeat(128)), Err("guessable"));
        assert_eq!(judged(&format!("{easy}{hard}")), Ok(()));
        assert_eq!(judged(&format!("{hard}{easy}")), Ok(()));
    }

    #[test]
    fn the_limit_is_a_setting() {
        let password = SecretString::from("tR7$kQ9!mZ");
        assert_eq!(weakness(&password, 10, &[]), None);
        assert_eq!(weakness(&password, 11, &[]), Some(Weakness::TooShort(11)));
    }

    #[test]
    fn what_is_wrong_is_said_in_words_without_the_password() {
        for (password, words) in [
            ("short", "at least 15 characters"),
            ("aaaaaaaaaaaaaaaa", "Repeats like \"aaa\""),
            ("footfallfootfall", "the product's"),
            ("AnalyticalEngines1", "your company"),
        ] {
            let context = ["Analytical Engines".to_owned()];
            let weakness = weakness(&SecretString::from(password), 15, &context);
            let said = weakness.unwrap().to_string();
            assert!(said.contains(words), "{password}: {said}");
            assert!(!said.contains(password), "{said}");
        }
    }

    /// What a stranger may send, at its slowest. Bounded in what is judged, whatever is sent.
    #[test]
    fn the_context_is_bounded() {
        let context = vec!["a b c word".repeat(10_000); 1000];
        let words = words_of(&context);
        assert!(words.len() <= CONTEXT_WORDS, "{}", words.len());
        assert!(
            words
                .iter()
                .all(|word| word.chars().count() <= CONTEXT_CHARS)
        );
        let words = words_of(&["Ada Łovelace".to_owned(), "x@y".to_owned()]);
        let expected = [
            "ada",
            "ada łovelace",
            "adałovelace",
            "footfall",
            "x@y",
            "łovelace",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn what_is_typed_the_same_is_the_same() {
        let normal = |text: &str| {
            normalized(&SecretString::from(text))
                .expose_secret()
                .to_owned()
        };
        assert_eq!(normal("caf\u{e9}"), normal("cafe\u{301}"));
        for kept in ["ﬁ Ⅸ ＡＢＣ", " a\u{a0}b ", "\0\u{7f}", ""] {
            assert_eq!(normal(kept), kept);
        }
    }
}
