//! The token in `Authorization` (RFC 6750), and what is wrong where there is none.

use axum::http::{HeaderMap, header};

use crate::edge::{Code, Problem};

/// The token of the one `Authorization` header. Schemes are case-insensitive (RFC 9110, 11.1).
///
/// # Errors
///
/// What is there in its place.
pub(super) fn token(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Code::MissingToken)?;
    if values.next().is_some() {
        return Err(malformed("There is more than one Authorization header."));
    }
    let value = value.to_str().map_err(|_| {
        Problem::from(Code::InvalidToken)
            .with_detail("Authorization holds characters that are not ASCII, which no token has.")
    })?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        None if value.eq_ignore_ascii_case("bearer") => Ok(""),
        _ => Err(without_token(value)),
    }
}

fn malformed(detail: &'static str) -> Problem {
    Problem::from(Code::InvalidToken)
        .with_detail(detail)
        .malformed_authorization()
}

const QUOTES: [char; 3] = ['"', '\'', '`'];

const NAMED_TWICE: &str = "The value of Authorization begins with the name `Authorization` once more: send `Authorization: Bearer <token>`.";

/// What programs write where they have no value.
const NO_VALUE: [&str; 9] = [
    "null",
    "(null)",
    "undefined",
    "none",
    "nil",
    "<nil>",
    "nan",
    "false",
    "[object object]",
];

/// Whether there is a byte as URLs write it (RFC 3986, 2.1).
fn has_escape(token: &str) -> bool {
    let mut triples = token.as_bytes().windows(3);
    triples.any(|triple| triple[0] == b'%' && triple[1..].iter().all(u8::is_ascii_hexdigit))
}

/// As shells, `cmd` and templates write them. A token has dots.
fn is_variable(token: &str) -> bool {
    let of_cmd = token.starts_with('%') && token.ends_with('%') && !token.contains('.');
    of_cmd || token.starts_with('$') || token.starts_with("{{")
}

/// `Authorization` says something, but not `Bearer`.
fn without_token(value: &str) -> Problem {
    let problem = Problem::from(Code::MissingToken);
    let scheme = value.split([' ', '\t']).next().unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "basic" => problem.with_detail(
            "Authorization uses the scheme Basic, which is not known here: send name and password to POST /auth/login once, and then `Authorization: Bearer <token>`.",
        ),
        "bearer" => problem.with_detail(
            "Authorization has a tab after `Bearer`: a blank belongs there.",
        ),
        scheme if scheme.starts_with(QUOTES) => problem.with_detail(
            "Authorization has quotation marks around its value: send `Authorization: Bearer <token>` without them.",
        ),
        scheme if scheme.starts_with("authorization") => problem.with_detail(NAMED_TWICE),
        scheme if scheme.starts_with("bearer:") => problem.with_detail(
            "Authorization has a colon after `Bearer`: send `Authorization: Bearer <token>`.",
        ),
        scheme if scheme.starts_with("bearer") => problem.with_detail(
            "Authorization has no blank after `Bearer`: send `Authorization: Bearer <token>`.",
        ),
        scheme if scheme.split('.').count() == 3 => problem.with_detail(
            "Authorization holds a token without its scheme: send `Authorization: Bearer <token>`.",
        ),
        "" => problem,
        _ => problem.with_detail(
            "Authorization uses a scheme that is not known here: send `Authorization: Bearer <token>` with a token from POST /auth/login.",
        ),
    }
}

/// Says what is wrong with a token that is not valid, as far as its looks tell. Nothing
/// of it is repeated: it may be somebody's.
pub(super) fn refusal(token: &str) -> Problem {
    let problem = Problem::from(Code::InvalidToken);
    match looks(token) {
        Some(detail) => problem.with_detail(detail),
        None => problem,
    }
}

fn looks(token: &str) -> Option<&'static str> {
    let first = token.split_ascii_whitespace().next().unwrap_or_default();
    // RFC 6750, 2.1.
    let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() {
        Some("Nothing follows `Bearer` in Authorization: send `Authorization: Bearer <token>`.")
    } else if first.trim_end_matches(':').eq_ignore_ascii_case("bearer") {
        Some("Authorization says `Bearer` twice: once belongs there, and then the token.")
    } else if first.to_ascii_lowercase().starts_with("authorization") {
        Some(NAMED_TWICE)
    } else if NO_VALUE.iter().any(|word| token.eq_ignore_ascii_case(word)) {
        Some(
            "In the place of the token there is the word a program writes where it has none: look at what POST /auth/login answered.",
        )
    } else if is_variable(token) {
        Some("In the place of the token there is the name of a variable that was not filled in.")
    } else if has_escape(token) {
        Some(
            "The token has characters as URLs escape them, with % and two digits: a header needs them as they are.",
        )
    } else if token.contains(['{', '}', '[', ']']) {
        Some(
            "The token has braces: send only the value of `token` in what POST /auth/login answers.",
        )
    } else if token.contains(QUOTES) {
        Some("The token has quotation marks, which do not belong to it: send it without them.")
    } else if token.contains(['<', '>']) {
        Some("The token has angle brackets, which do not belong to it: send it without them.")
    } else if token.contains([' ', '\t']) {
        Some("The token has a blank in it: it is one word, and only one is sent.")
    } else if !token.bytes().all(is_token68) {
        Some("The token has a character that no token has: was it copied whole?")
    } else if token.split('.').count() != 3 {
        Some(
            "This is no token of POST /auth/login: these have three parts with a dot between them. Was it copied whole?",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let values = values.iter().copied().map(HeaderValue::from_static);
        values.map(|value| (header::AUTHORIZATION, value)).collect()
    }

    #[test]
    fn one_token_after_its_scheme() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c "] {
            assert_eq!(token(&headers(&[value])).unwrap(), "a.b.c", "{value}");
        }
    }

    #[test]
    fn what_is_no_bearer_is_told_apart() {
        for (values, code, word) in [
            (&[][..], Code::MissingToken, "needs a token"),
            (&[""], Code::MissingToken, "needs a token"),
            (&["Basic YTpi"], Code::MissingToken, "Basic"),
            (&["basic YTpi"], Code::MissingToken, "Basic"),
            (&["Bearer: a.b.c"], Code::MissingToken, "colon"),
            (&["Bearer\ta.b.c"], Code::MissingToken, "tab"),
            (&["a.b.c"], Code::MissingToken, "without its scheme"),
            (&["\"Bearer a.b.c\""], Code::MissingToken, "quotation"),
            (&["'Bearer a.b.c'"], Code::MissingToken, "quotation"),
            (&["\"a.b.c\""], Code::MissingToken, "quotation"),
            (
                &["Authorization: Bearer a.b.c"],
                Code::MissingToken,
                "the name",
            ),
            (&["authorization:a.b.c"], Code::MissingToken, "the name"),
            (&["Bearer:a.b.c"], Code::MissingToken, "colon"),
            (&["Bearer%20a.b.c"], Code::MissingToken, "no blank"),
            (&["Bearer=a.b.c"], Code::MissingToken, "no blank"),
            (&["Token a.b.c"], Code::MissingToken, "scheme"),
            (
                &["Bearer a", "Bearer a"],
                Code::InvalidToken,
                "more than one",
            ),
        ] {
            let problem = token(&headers(values)).unwrap_err();
            assert_eq!(problem.code, code, "{values:?}");
            assert!(
                problem.detail.contains(word),
                "{values:?}: {}",
                problem.detail
            );
        }
    }

    #[test]
    fn what_is_no_token_is_told_apart() {
        for (token, word) in [
            ("", "Nothing"),
            ("Bearer a.b.c", "twice"),
            ("bearer: a.b.c", "twice"),
            ("\"a.b.c\"", "quotation"),
            ("'a.b.c'", "quotation"),
            ("{\"token\":\"a.b.c\"}", "braces"),
            ("{a.b.c}", "braces"),
            ("<a.b.c>", "angle"),
            ("$TOKEN", "variable"),
            ("${TOKEN}", "variable"),
            ("{{token}}", "variable"),
            ("%TOKEN%", "variable"),
            ("%22a.b.c%22", "escape"),
            ("%22TOKEN%22", "escape"),
            ("%7B%22token%22%3A%22a.b.c%22%7D", "escape"),
            ("%a.b.c%", "character"),
            ("Authorization: Bearer a.b.c", "the name"),
            ("[object Object]", "word"),
            ("None", "word"),
            ("<nil>", "word"),
            ("null", "word"),
            ("undefined", "word"),
            ("a.b.c d.e.f", "blank"),
            ("a.b,c", "character"),
            ("rubbish", "three parts"),
        ] {
            let problem = refusal(token);
            assert!(problem.detail.contains(word), "{token}: {}", problem.detail);
        }
        assert_eq!(refusal("a.b.c").detail, Code::InvalidToken.detail());
    }
}
