//! What looks like a visit and is none: pages that a browser fetches ahead, and robots that say so.

use axum::http::{HeaderMap, HeaderName, header::USER_AGENT};

use super::metrics::Reason;

/// Fields by which browsers say that nobody has asked for a page yet: `Sec-Purpose` (Fetch standard),
/// and what older ones send.
const PURPOSES: [(HeaderName, &str); 4] = [
    (HeaderName::from_static("sec-purpose"), "prefetch"),
    (HeaderName::from_static("purpose"), "prefetch"),
    (HeaderName::from_static("x-moz"), "prefetch"),
    (HeaderName::from_static("x-purpose"), "preview"),
];

/// What robots have in their `User-Agent`, in small letters. `+http` comes before the page that tells
/// about a robot, which is how most of them introduce themselves.
const MARKS: [&str; 16] = [
    "+http",
    "adsbot",
    "apis-google",
    "archiver",
    "bot",
    "crawl",
    "externalagent",
    "facebookexternalhit",
    "feedfetcher",
    "google-inspectiontool",
    "googleother",
    "lighthouse",
    "mediapartners-google",
    "preview",
    "slurp",
    "spider",
];

/// Telephones of a maker whose name has `bot` in it.
const NO_ROBOT: &str = "cubot";

/// Why a request is no visit of a person, if it says so.
pub fn reason(headers: &HeaderMap) -> Option<Reason> {
    if is_ahead(headers) {
        return Some(Reason::Prefetch);
    }
    let agents = headers.get_all(USER_AGENT).iter();
    let is_robot = agents.map(|agent| agent.as_bytes()).any(is_robot);
    is_robot.then_some(Reason::Robot)
}

fn is_ahead(headers: &HeaderMap) -> bool {
    PURPOSES.iter().any(|(name, purpose)| {
        let values = headers.get_all(name).iter();
        // A list, each with its parameters: `prefetch;prerender`.
        let mut words =
            values.flat_map(|value| value.as_bytes().split(|byte| b",;".contains(byte)));
        words.any(|word| word.trim_ascii().eq_ignore_ascii_case(purpose.as_bytes()))
    })
}

fn is_robot(agent: &[u8]) -> bool {
    let agent = String::from_utf8_lossy(agent).to_ascii_lowercase();
    let agent = agent.replace(NO_ROBOT, "");
    MARKS.iter().any(|mark| agent.contains(mark))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(name: &'static str, value: &str) -> Option<Reason> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        reason(&headers)
    }

    #[test]
    fn robots_say_that_they_are() {
        for robot in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0) Chrome/120.0.0.0 Safari/537.36",
            "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
            "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
            "facebookexternalhit/1.1",
            "meta-externalagent/1.1",
            "ia_archiver",
            "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/534+ BingPreview/1.0b",
            "Mozilla/5.0 AppleWebKit/537.36 (compatible; GPTBot/1.2)",
            "Mozilla/5.0 (compatible; ClaudeBot/1.0)",
            "Mozilla/5.0 (Linux; Android 11) Chrome/119.0 Mobile Safari/537.36 Chrome-Lighthouse",
            "Mediapartners-Google",
            "APIs-Google (+https://developers.google.com/webmasters/APIs-Google.html)",
            "GoogleOther",
            "Mozilla/5.0 (compatible; Google-InspectionTool/1.0;)",
            "SomeCrawler/1",
            "Mozilla/5.0 (compatible; Thing; +https://thing.example)",
        ] {
            assert_eq!(of("user-agent", robot), Some(Reason::Robot), "{robot}");
        }
        for person in [
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 10; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36",
            "Lynx/2.9.0dev.12 libwww-FM/2.14",
            "curl/8.5.0",
            "",
        ] {
            assert_eq!(of("user-agent", person), None, "{person}");
        }
        assert_eq!(of("user-agent", "CUBOT Googlebot"), Some(Reason::Robot));
    }

    #[test]
    fn what_is_fetched_ahead_is_no_visit() {
        for (name, value, is_ahead) in [
            ("sec-purpose", "prefetch", true),
            ("sec-purpose", "prefetch;prerender", true),
            ("sec-purpose", "Prefetch; prerender", true),
            ("sec-purpose", "prefetch;anonymous-client-ip", true),
            ("purpose", "prefetch", true),
            ("x-moz", "prefetch", true),
            ("x-purpose", "preview", true),
            ("sec-purpose", "prefetched", false),
            ("sec-purpose", "", false),
            ("purpose", "other", false),
            ("x-moz", "livebookmarks", false),
            ("sec-fetch-mode", "prefetch", false),
        ] {
            let expected = is_ahead.then_some(Reason::Prefetch);
            assert_eq!(of(name, value), expected, "{name}: {value}");
        }
    }
}
