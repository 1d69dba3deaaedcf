//! Headless Chromium, driven through ChromeDriver.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use base64::Engine;
use fantoccini::{Client, ClientBuilder, wd::WebDriverCompatibleCommand};
use hyper::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::process::{Process, eventually, free_port};

/// Without these, Chromium itself talks to its maker's hosts.
const ARGUMENTS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

/// A browser takes a core and more while it draws: more of them at once would keep all other tests waiting.
static TURNS: Semaphore = Semaphore::const_new(2);

pub struct Browser {
    pub page: Client,
    _driver: Process,
    profile: tempfile::TempDir,
    _turn: SemaphorePermit<'static>,
}

/// A command of ChromeDriver that WebDriver does not have.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    pub async fn start() -> Self {
        let turn = TURNS.acquire().await.unwrap();
        let (port, profile) = (free_port(), tempfile::tempdir().unwrap());
        let driver = Process::spawn(
            Command::new("chromedriver")
                .arg(format!("--port={port}"))
                .stdout(Stdio::null()),
        );
        eventually("ChromeDriver listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        let profile_argument = format!("--user-data-dir={}", profile.path().display());
        let arguments: Vec<_> = ARGUMENTS
            .iter()
            .copied()
            .chain([profile_argument.as_str()])
            .collect();
        let capabilities = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.as_object().unwrap().clone());
        let page = builder
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self {
            page,
            _driver: driver,
            profile,
            _turn: turn,
        }
    }

    /// A command of the DevTools protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) {
        self.ask(command, parameters).await;
    }

    async fn ask(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        let command = Extension {
            path: "goog/cdp/execute",
            body,
        };
        self.page.issue_cmd(command).await.unwrap()
    }

    /// Shows the page as on a screen of this size.
    pub async fn screen(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Prefers light or dark.
    pub async fn color_scheme(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// As on a `screen`, or on paper: `print`.
    pub async fn media(&self, media: &str) {
        let media = json!({ "media": media });
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// Keeps a picture for people, under `target/screenshots`.
    pub async fn screenshot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), self.page.screenshot().await.unwrap()).unwrap();
    }

    /// A picture of the page from its head to its end, as PNG.
    pub async fn whole_page(&self) -> Vec<u8> {
        let high = "return Math.min(document.documentElement.scrollHeight, 4000)";
        let high = self.script(high).await;
        let wide = self.script("return innerWidth").await;
        let clip = json!({ "x": 0, "y": 0, "width": wide, "height": high, "scale": 1 });
        let parameters = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let taken = self.ask("Page.captureScreenshot", parameters).await;
        let text = taken["data"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self
            .page
            .issue_cmd(Extension {
                path: "se/log",
                body: json!({ "type": kind }),
            })
            .await
            .unwrap();
        entries.as_array().unwrap().clone()
    }

    /// Checks that since the last call the page has written no error to its
    /// console and asked no other host for anything.
    pub async fn assert_clean(&self, origin: &str) {
        let loaded = self.assert_clean_but_for(origin, None).await;
        assert!(!loaded.is_empty(), "the page itself is a request");
    }

    /// The same, where the page at this address may itself be an error, of which browsers make a note. Gives the
    /// addresses of all pages that were asked for since the last call.
    pub async fn assert_clean_but_for(&self, origin: &str, error: Option<&str>) -> Vec<String> {
        let console = self.log("browser").await;
        let noted = error.map(|url| format!("{url} - Failed to load resource"));
        let errors: Vec<_> = console
            .iter()
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .filter(|entry| {
                let message = entry["message"].as_str().unwrap();
                !noted
                    .as_ref()
                    .is_some_and(|noted| message.starts_with(noted))
            })
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        let events = self.log("performance").await;
        let messages = events.iter().map(|event| {
            serde_json::from_str::<Value>(event["message"].as_str().unwrap()).unwrap()
        });
        // Those of our pages: the browser's own first page may still be loading, too.
        let requests: Vec<Value> = messages
            .map(|message| message["message"].clone())
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            .map(|event| event["params"].clone())
            .filter(|request| request["documentURL"].as_str().unwrap().starts_with(origin))
            .collect();
        let url = |request: &Value| request["request"]["url"].as_str().unwrap().to_owned();
        let foreign = requests.iter().map(url).find(|url| {
            // Of a file that a script has made the address is a blob of this origin.
            !url.starts_with(origin)
                && !url.starts_with("data:")
                && !url.starts_with(&format!("blob:{origin}"))
        });
        assert_eq!(foreign, None, "another host was asked");
        let pages = requests
            .iter()
            .filter(|request| request["type"] == "Document");
        pages.map(url).collect()
    }

    /// Runs a script in the page.
    pub async fn script(&self, script: &str) -> Value {
        self.page.execute(script, Vec::new()).await.unwrap()
    }

    pub async fn close(self) {
        self.page.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    /// Ends what Chromium leaves behind when its driver dies, as it does when a test fails.
    fn drop(&mut self) {
        let profile = self.profile.path().display().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let id: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let command = std::fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
            command.contains(&profile).then_some(Pid::from_raw(id)?)
        });
        for process in processes {
            let _ = kill_process(process, Signal::KILL);
        }
    }
}
