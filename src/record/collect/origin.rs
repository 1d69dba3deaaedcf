//! Which page sends a visit, as its browser says. A page cannot choose what it says; any other program
//! can, and so this keeps nobody from sending visits who means to.

use axum::http::{
    HeaderMap, HeaderValue,
    header::{HeaderName, ORIGIN, REFERER},
};
use url::Url;

/// The origin in `Origin` (Fetch standard, 3.2), where it is one. A page that its browser hides is
/// `null`, which is none.
pub fn sent(headers: &HeaderMap) -> Option<String> {
    let text = once(headers, ORIGIN)?.to_str().ok()?;
    (text != "null").then(|| text.to_owned())
}

/// For images, which browsers send without `Origin`: that of the page in `Referer`, of which a page's
/// policy may have left nothing else.
pub fn of_image(headers: &HeaderMap) -> Option<String> {
    if headers.contains_key(ORIGIN) {
        return sent(headers);
    }
    let page = Url::parse(once(headers, REFERER)?.to_str().ok()?).ok()?;
    let is_page = matches!(page.scheme(), "http" | "https");
    is_page.then(|| page.origin().ascii_serialization())
}

/// A field that must stand once.
fn once(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_an_origin_is_found() {
        const HERE: Option<&str> = Some("https://a.example");
        let (origin, referer) = ("origin", "referer");
        for (headers, of_post, of_image) in [
            (&[(origin, "https://a.example")][..], HERE, HERE),
            (&[(referer, "https://a.example/")], None, HERE),
            (&[(referer, "https://a.example")], None, HERE),
            (&[(referer, "https://a.example:443/p?q=1")], None, HERE),
            (&[(referer, "https://user@a.example/p")], None, HERE),
            (&[(referer, "https://A.EXAMPLE/p")], None, HERE),
            (
                &[(referer, "http://a.example:8080/p")],
                None,
                Some("http://a.example:8080"),
            ),
            (
                &[(origin, "null"), (referer, "https://a.example/")],
                None,
                None,
            ),
            (
                &[
                    (origin, "https://b.example"),
                    (referer, "https://a.example/"),
                ],
                Some("https://b.example"),
                Some("https://b.example"),
            ),
            (
                &[(origin, "https://a.example"), (origin, "https://a.example")],
                None,
                None,
            ),
            (
                &[
                    (referer, "https://a.example/"),
                    (referer, "https://a.example/"),
                ],
                None,
                None,
            ),
            (&[(referer, "about:blank")], None, None),
            (&[(referer, "file:///p")], None, None),
            (&[(referer, "data:text/html,x")], None, None),
            (&[(referer, "a.example")], None, None),
            (&[(referer, "")], None, None),
            (&[], None, None),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(sent(&map).as_deref(), of_post, "{headers:?}");
            assert_eq!(super::of_image(&map).as_deref(), of_image, "{headers:?}");
        }
    }
}
