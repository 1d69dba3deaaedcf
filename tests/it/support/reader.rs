//! Somebody who reads pages: a browser as far as HTTP goes, with its cookies, which follows no redirect by itself.

use std::collections::BTreeMap;

use hyper::Method;

use super::{Client, Reply};

/// What browsers ask for when they are to show a page.
pub const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Somebody who reads pages.
pub struct Reader {
    client: Client,
    pub cookies: BTreeMap<String, String>,
    /// What the browser says of where it comes from (Fetch Metadata).
    pub site: &'static str,
}

impl Reader {
    pub fn new(client: Client) -> Self {
        Self {
            client,
            cookies: BTreeMap::new(),
            site: "same-origin",
        }
    }

    /// Logs in by the page.
    pub async fn log_in(mut self, username: &str, password: &str) -> Self {
        let fields = [("username", username), ("password", password)];
        let reply = self.submit("/console/login", &fields).await;
        assert_eq!(reply.status, 303, "{}", reply.text());
        self
    }

    /// The same cookies in another tab.
    pub fn tab(&self, client: Client) -> Self {
        Self {
            cookies: self.cookies.clone(),
            ..Self::new(client)
        }
    }

    /// A cookie, by the end of its name.
    pub fn cookie(&self, end: &str) -> Option<&str> {
        let found = self.cookies.iter().find(|(name, _)| name.ends_with(end));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether anything of a session is there. That a device is known stays.
    pub fn is_signed_in(&self) -> bool {
        let of_session = ["footfall-access", "footfall-refresh", "footfall-csrf"];
        of_session.iter().any(|name| self.cookie(name).is_some())
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], "").await
    }

    /// Sends a form, with the csrf token of the session.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let token = self.cookie("footfall-csrf").map(str::to_owned);
        let token = token.as_deref().map(|token| ("csrf_token", token));
        let fields: Vec<_> = fields.iter().copied().chain(token).collect();
        self.submit_bare(path, &fields).await
    }

    /// Sends a form with these fields alone.
    pub async fn submit_bare(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let form = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, path, &form, &body.finish()).await
    }

    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let cookies = self.cookies.iter();
        let cookies: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut all = vec![("accept", ACCEPT), ("sec-fetch-site", self.site)];
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        all.extend(headers);
        let reply = self.client.send(method, path, &all, body).await;
        for cookie in reply.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            match attributes.contains("Max-Age=0") {
                true => drop(self.cookies.remove(name)),
                false => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        reply
    }

    /// Where a redirect leads that answers this path.
    #[track_caller]
    pub fn location(reply: &Reply, path: &str) -> String {
        assert_eq!(reply.status, 303, "{}", reply.text());
        let base = url::Url::parse("http://localhost")
            .unwrap()
            .join(path)
            .unwrap();
        let to = base.join(reply.header("location").unwrap()).unwrap();
        assert_eq!(to.host_str(), Some("localhost"), "{to}");
        to[url::Position::BeforePath..].to_owned()
    }
}

/// What stands in an attribute of the first element of a page whose tag has this in it.
#[track_caller]
pub fn attribute(page: &Reply, within: &str, name: &str) -> String {
    let text = page.text();
    let at = text
        .find(within)
        .unwrap_or_else(|| panic!("no {within}: {text}"));
    let begin = text[..at].rfind('<').unwrap();
    let tag = &text[begin..begin + text[begin..].find('>').unwrap()];
    let (_, rest) = tag
        .split_once(&format!("{name}=\""))
        .unwrap_or_else(|| panic!("{tag}"));
    rest.split('"').next().unwrap().to_owned()
}

/// Checks that this is a page of the console.
#[track_caller]
pub fn assert_is_page(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(
        reply.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(
        reply.header("content-security-policy"),
        Some(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    );
    let text = reply.text();
    assert!(
        !text.contains(" style=") && !text.contains("<style"),
        "{text}"
    );
    let scripts: Vec<_> = text.match_indices("<script").collect();
    assert!(
        scripts
            .iter()
            .all(|(at, _)| text[*at..].starts_with("<script type=\"module\" src=\"./")),
        "{text}"
    );
}
