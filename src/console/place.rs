//! Places in the console that a request names: where to go on after a login. Never one elsewhere.

use url::{Url, form_urlencoded};

use super::exchange::Exchange;

/// A host that nobody has: what leads away from it leads elsewhere.
const HERE: &str = "http://console.invalid/console/";

/// Where to go on after a login, by what an address asks for, below `/console/`: `None` where that is not in the
/// console, or is a page that one logs in by.
pub fn after_login(next: &str) -> Option<String> {
    let place = within(next)?;
    let path = place.split('?').next().unwrap_or_default();
    let is_entry = ["login", "logout", "theme"].contains(&path);
    (!is_entry).then_some(place)
}

/// What is left of an address below `/console/`: `None` of one that is not in the console.
pub fn within(next: &str) -> Option<String> {
    let here = Url::parse(HERE).ok()?;
    // As browsers read it: they take a backslash for a slash, and drop tabs and line feeds.
    let url = here.join(next).ok()?;
    if url.origin() != here.origin() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let below = url.path().strip_prefix("/console/")?;
    let is_plain = !below.starts_with('/') && !below.contains("//") && !below.contains(':');
    let query = url.query().map(|query| format!("?{query}"));
    is_plain.then(|| format!("{below}{}", query.unwrap_or_default()))
}

/// The page to log in at, which leads back to this one.
pub fn login(exchange: &Exchange) -> String {
    let path = match exchange.is_look() {
        true => exchange.here(),
        // What was sent is lost, and is not sent again by itself.
        false => exchange.here().split('?').next().unwrap_or_default(),
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !path.is_empty() {
        query.append_pair("next", path);
    }
    if !exchange.is_look() {
        query.append_pair("done", "not-sent");
    }
    match query.finish() {
        query if query.is_empty() => "login".to_owned(),
        query => format!("login?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_places_of_the_console() {
        for (next, expected) in [
            ("", Some("")),
            ("users", Some("users")),
            ("./users", Some("users")),
            ("/console/users", Some("users")),
            ("users?state=active&role=", Some("users?state=active&role=")),
            ("users/019a/remove", Some("users/019a/remove")),
            ("users#x", Some("users")),
            ("a/../users", Some("users")),
            ("?x=//evil.example", Some("?x=//evil.example")),
            (
                "users?next=https://evil.example",
                Some("users?next=https://evil.example"),
            ),
            ("login", None),
            ("logout", None),
            ("theme", None),
            ("..", None),
            ("../", None),
            ("../api/counters", None),
            ("/", None),
            ("/api/count", None),
            ("//evil.example", None),
            ("//evil.example/console/", None),
            ("///evil.example/console/", None),
            ("/\\evil.example/console/", None),
            ("\\\\evil.example/console/", None),
            ("/\t/evil.example/console/", None),
            ("https://evil.example/console/", None),
            ("https:evil.example/console/", None),
            ("http:users", Some("users")),
            ("HTTP://evil.example/console/", None),
            ("http://console.invalid@evil.example/console/", None),
            ("http://evil@console.invalid/console/users", None),
            ("http://console.invalid:81/console/users", None),
            ("http://console.invalid.evil.example/console/", None),
            ("javascript:alert(1)", None),
            ("JavaScript:alert(1)", None),
            ("\u{1}javascript:alert(1)", None),
            ("data:text/html,x", None),
            ("x:y", None),
            ("./x:y", None),
            ("/console//evil.example", None),
            ("/console/a//b", None),
            ("%2f%2fevil.example", Some("%2f%2fevil.example")),
            ("/console/..%2f..", Some("..%2f..")),
            ("/console/%2e%2e/x", None),
            ("a\r\nset-cookie: x=y", None),
        ] {
            assert_eq!(after_login(next).as_deref(), expected, "{next:?}");
        }
    }

    proptest! {
        /// Whatever it is, a browser stays in the console.
        #[test]
        fn a_browser_stays_here(next in r"(?s)[/\\.:@?#%a-z\t\n ]{0,24}|.{0,40}") {
            if let Some(place) = within(&next) {
                let page = Url::parse("https://footfall.example/prefix/console/login?next=x").unwrap();
                let url = page.join(&format!("./{place}")).unwrap();
                prop_assert_eq!(url.host_str(), Some("footfall.example"));
                prop_assert!(url.path().starts_with("/prefix/console/"), "{}", url);
                prop_assert!(place.is_ascii() && !place.contains(['\r', '\n', ' ']));
            }
        }
    }
}
