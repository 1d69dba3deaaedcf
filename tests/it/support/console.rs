//! Somebody who looks at the console in a real browser.

use fantoccini::{Locator, elements::Element, error::CmdError};

use super::{Footfall, browser::Browser, until};

/// Somebody at a browser.
pub struct Visitor {
    pub browser: Browser,
    /// What all addresses begin with.
    pub origin: String,
}

impl Visitor {
    pub async fn start(footfall: &Footfall) -> Self {
        Self {
            browser: Browser::start().await,
            origin: format!("http://{}/", footfall.public()),
        }
    }

    /// Goes to an address of the service.
    pub async fn open(&self, path: &str) {
        let url = format!("{}{path}", self.origin);
        self.browser.page.goto(&url).await.unwrap();
    }

    /// Waits for an element.
    pub async fn find(&self, css: &str) -> Element {
        let found = self
            .browser
            .page
            .wait()
            .for_element(Locator::Css(css))
            .await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// Types into a field, in place of what is there.
    pub async fn fill(&self, id: &str, text: &str) {
        let typed = async |field: Element| {
            field.clear().await?;
            field.send_keys(text).await
        };
        let css = format!("[id='{id}']");
        until(&css, async || settled(typed(self.find(&css).await).await)).await;
    }

    /// Presses a button, or follows a link, by what it says.
    pub async fn press(&self, text: &str) {
        let path =
            format!("//button[normalize-space()='{text}'] | //a[normalize-space()='{text}']");
        let pressed = async || {
            let waiting = self.browser.page.wait();
            let found = waiting.for_element(Locator::XPath(&path)).await;
            let found = found.unwrap_or_else(|error| panic!("{text}: {error}"));
            settled(found.click().await)
        };
        until(text, pressed).await;
    }

    /// Waits until the page shows this.
    pub async fn shows(&self, text: &str) {
        let shown = async || {
            let body = self.browser.page.find(Locator::Css("body")).await.ok()?;
            body.text().await.ok()?.contains(text).then_some(())
        };
        until(&format!("“{text}” is seen"), shown).await;
    }

    /// Where this is.
    pub async fn path(&self) -> String {
        let url = self.browser.page.current_url().await.unwrap();
        url[url::Position::BeforePath..].to_owned()
    }

    /// Logs in at the page that is there, or at the one to log in.
    pub async fn log_in(&self, username: &str, password: &str) {
        if !self.path().await.starts_with("/console/login") {
            self.open("console/login").await;
        }
        self.fill("username", username).await;
        self.fill("password", password).await;
        self.press("Log in").await;
        self.shows("Log out").await;
    }

    /// Keeps pictures of the page, small and wide, light and dark, in `target/tmp/screenshots`, and checks that it
    /// never scrolls sideways and complains of nothing.
    pub async fn picture(&self, name: &str) {
        for (width, height) in [(360, 740), (1280, 900)] {
            for scheme in ["light", "dark"] {
                self.browser.screen(width, height).await;
                self.browser.color_scheme(scheme).await;
                // A phone would show a page that is too wide smaller, and so say that it fits.
                let wide = "return document.documentElement.scrollWidth";
                let wide = self.browser.script(wide).await.as_u64().unwrap();
                assert!(wide <= u64::from(width), "{name} is {wide} wide at {width}");
                let file = format!("{name}-{width}-{scheme}.png");
                self.browser.screenshot(&file).await;
            }
        }
    }
}

/// `None` of an element of the page before, in whose place another has come.
fn settled(done: Result<(), CmdError>) -> Option<()> {
    let is_of_before = |error: &CmdError| error.is_stale_element_reference();
    if done.as_ref().is_err_and(is_of_before) {
        return None;
    }
    done.unwrap();
    Some(())
}
