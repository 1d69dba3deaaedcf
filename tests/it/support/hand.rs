//! What is done in a browser by mouse, and by the keyboard alone as well.

use std::{cell::RefCell, collections::BTreeSet};

use fantoccini::{
    Locator,
    actions::{InputSource, KeyAction, KeyActions},
    elements::Element,
    error::CmdError,
    key::Key,
};
use serde_json::{Value, json};

use super::{Footfall, console::Visitor, until};

/// By what somebody uses a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Mouse,
    /// Tab, Enter, Space, arrows, and what is typed.
    Keyboard,
    /// The mouse, where no script runs.
    WithoutScripts,
}

/// More than any page has to go through.
const MOST_STOPS: usize = 300;

/// Where the focus is: whether there, whether it is seen to be, and on what.
const FOCUS: &str = "
    const found = document.evaluate(arguments[0], document, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE, null);
    const wanted = Array.from({ length: found.snapshotLength }, (_, place) => found.snapshotItem(place));
    const at = document.activeElement ?? document.body;
    const ring = (of) => { const { outlineStyle, outlineWidth } = getComputedStyle(of); return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2; };
    const { top, bottom, left, right } = at.getBoundingClientRect();
    return {
        there: wanted.includes(at),
        within: wanted.some((one) => one.closest('main')),
        nowhere: at === document.body,
        skip: document.querySelector('.skip') !== null,
        skips: at.matches('.skip'),
        seen: at === document.body || ([at, ...at.children].some(ring)
            && bottom > 0 && right > 0 && top < innerHeight && left < innerWidth),
        what: at.outerHTML.slice(0, 200),
    };";

/// Somebody at a browser.
pub struct Hand {
    pub visitor: Visitor,
    pub way: Way,
    been: RefCell<BTreeSet<String>>,
}

impl Hand {
    pub async fn start(footfall: &Footfall, way: Way) -> Self {
        let visitor = Visitor::start(footfall).await;
        // A page that nobody looks at has no focus, whatever has it within.
        let focused = json!({ "enabled": true });
        let command = "Emulation.setFocusEmulationEnabled";
        visitor.browser.devtools(command, focused).await;
        if way == Way::WithoutScripts {
            let off = json!({ "value": true });
            let command = "Emulation.setScriptExecutionDisabled";
            visitor.browser.devtools(command, off).await;
        }
        visitor.browser.screen(1280, 900).await;
        Self {
            visitor,
            way,
            been: RefCell::default(),
        }
    }

    async fn key(&self, key: Key) {
        let value = char::from(key);
        let keys = KeyActions::new("keyboard".to_owned());
        let keys = keys.then(KeyAction::Down { value });
        let keys = keys.then(KeyAction::Up { value });
        self.visitor
            .browser
            .page
            .perform_actions(keys)
            .await
            .unwrap();
    }

    async fn type_over(&self, text: &str) {
        let (control, all) = (char::from(Key::Control), 'a');
        let keys = KeyActions::new("keyboard".to_owned());
        let keys = keys.then(KeyAction::Down { value: control });
        let keys = keys.then(KeyAction::Down { value: all });
        let keys = keys.then(KeyAction::Up { value: all });
        let keys = keys.then(KeyAction::Up { value: control });
        let page = &self.visitor.browser.page;
        page.perform_actions(keys).await.unwrap();
        match text {
            "" => self.key(Key::Delete).await,
            text => {
                let field = page.active_element().await.unwrap();
                field.send_keys(text).await.unwrap();
            }
        }
    }

    async fn focus(&self, xpath: &str) -> Value {
        let page = &self.visitor.browser.page;
        page.execute(FOCUS, vec![json!(xpath)]).await.unwrap()
    }

    /// Where the focus is, which is seen: that of a page which has just come a moment after it has one.
    async fn seen(&self, xpath: &str) -> Value {
        until(
            &format!("the focus is seen on the way to {xpath}"),
            async || {
                let focus = self.focus(xpath).await;
                (focus["seen"] == true).then_some(focus)
            },
        )
        .await
    }

    /// Goes on with Tab until one of these elements has the focus, which is seen all the way.
    async fn reach(&self, xpath: &str) {
        self.found(xpath).await;
        // Without its style a page shows the focus as the browser likes.
        let whole = "return document.readyState === 'complete'";
        let browser = &self.visitor.browser;
        until("the page is loaded", async || {
            (browser.script(whole).await == true).then_some(())
        })
        .await;
        let mut focus = self.focus(xpath).await;
        // From the top of a page one need not go through all of the navigation.
        if focus["nowhere"] == true && focus["skip"] == true && focus["within"] == true {
            self.key(Key::Tab).await;
            focus = self.focus(xpath).await;
            if focus["skips"] == true {
                self.key(Key::Enter).await;
                focus = self.focus(xpath).await;
            }
        }
        for _ in 0..MOST_STOPS {
            if focus["there"] == true {
                self.seen(xpath).await;
                return;
            }
            self.key(Key::Tab).await;
            focus = self.seen(xpath).await;
        }
        panic!("{xpath} is not reached by Tab");
    }

    async fn found(&self, xpath: &str) -> Element {
        let waiting = self.visitor.browser.page.wait();
        let found = waiting.for_element(Locator::XPath(xpath)).await;
        found.unwrap_or_else(|error| panic!("{xpath}: {error}"))
    }

    /// Does this to an element once it is there. One that was of the page before is looked for in this one.
    async fn with(&self, xpath: &str, deed: impl AsyncFn(Element) -> Result<(), CmdError>) {
        until(xpath, async || match deed(self.found(xpath).await).await {
            Ok(()) => Some(()),
            Err(error) if error.is_stale_element_reference() => None,
            Err(error) => panic!("{xpath}: {error}"),
        })
        .await;
    }

    /// Presses one of these.
    pub async fn push(&self, xpath: &str) {
        match self.way {
            Way::Keyboard => {
                self.reach(xpath).await;
                self.key(Key::Enter).await;
            }
            _ => self.with(xpath, async |it| it.click().await).await,
        }
    }

    /// Presses a button, or follows a link, by what it says.
    pub async fn press(&self, text: &str) {
        let of = |name: &str| format!("//{name}[normalize-space()='{text}']");
        let any = ["button", "a", "summary"].map(of).join(" | ");
        self.push(&any).await;
    }

    /// The same, to another page with this title.
    pub async fn go(&self, text: &str, title: &str) {
        self.press(text).await;
        self.at(title).await;
    }

    /// Waits for a page with this title.
    pub async fn at(&self, title: &str) {
        let title = format!("{title} · Footfall");
        let is_there = async || {
            let shown = self.visitor.browser.page.title().await.ok()?;
            (shown == title).then_some(())
        };
        until(&title, is_there).await;
    }

    /// Waits until this is in the address.
    pub async fn comes_to(&self, part: &str) {
        let is_there = async || self.visitor.path().await.contains(part).then_some(());
        until(part, is_there).await;
    }

    /// Opens what somebody gave: a bookmark, the link of a mail.
    pub async fn open(&self, path: &str) {
        self.visitor.open(path).await;
    }

    pub async fn shows(&self, text: &str) {
        self.visitor.shows(text).await;
    }

    /// Types into a field, in place of what is there.
    pub async fn fill(&self, id: &str, text: &str) {
        match self.way {
            Way::Keyboard => {
                self.reach(&format!("//*[@id='{id}']")).await;
                self.type_over(text).await;
            }
            _ => {
                let field = format!("//*[@id='{id}']");
                let typed = async |field: Element| {
                    field.clear().await?;
                    field.send_keys(text).await
                };
                self.with(&field, typed).await;
            }
        }
    }

    /// Ticks a box.
    pub async fn tick(&self, id: &str) {
        let xpath = format!("//*[@id='{id}']");
        match self.way {
            Way::Keyboard => {
                self.reach(&xpath).await;
                self.key(Key::Space).await;
            }
            _ => self.with(&xpath, async |it| it.click().await).await,
        }
    }

    /// Chooses one of the options of a field.
    pub async fn choose(&self, id: &str, value: &str) {
        let xpath = format!("//select[@id='{id}']");
        if self.way != Way::Keyboard {
            let chosen = async |select: Element| select.select_by_value(value).await;
            return self.with(&xpath, chosen).await;
        }
        self.reach(&xpath).await;
        self.key(Key::Home).await;
        self.arrow_to(value, "return document.activeElement.value")
            .await;
    }

    /// Chooses one of several that are all seen.
    pub async fn pick(&self, name: &str, value: &str) {
        let of = format!("//input[@type='radio' and @name='{name}'");
        if self.way != Way::Keyboard {
            let one = format!("{of} and @value='{value}']");
            return self.with(&one, async |it| it.click().await).await;
        }
        self.reach(&format!("{of}]")).await;
        self.arrow_to(value, "return document.activeElement.value")
            .await;
    }

    async fn arrow_to(&self, value: &str, now: &str) {
        for _ in 0..MOST_STOPS {
            if self.visitor.browser.script(now).await == value {
                return;
            }
            self.key(Key::Down).await;
        }
        panic!("{value} is not reached by arrows");
    }

    /// Checks that no page since the last call complained of anything or asked anybody else, and takes down which
    /// these were.
    pub async fn look_back(&self) {
        self.look_back_at(None).await;
    }

    /// The same, where the page at this path is itself an error.
    pub async fn look_back_at(&self, error: Option<&str>) {
        let origin = &self.visitor.origin;
        let error = error.map(|path| format!("{origin}{path}"));
        let browser = &self.visitor.browser;
        let pages = browser.assert_clean_but_for(origin, error.as_deref()).await;
        let paths = pages.iter().map(|url| {
            let url = url::Url::parse(url).unwrap();
            url.path().to_owned()
        });
        self.been.borrow_mut().extend(paths);
    }

    /// The paths of all pages so far.
    pub fn been(&self) -> BTreeSet<String> {
        self.been.borrow().clone()
    }
}
