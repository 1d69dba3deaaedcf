//! Headless Chromium, driven through ChromeDriver.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use fantoccini::{Client, ClientBuilder, wd::WebDriverCompatibleCommand};
use hyper::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

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

pub struct Browser {
    pub page: Client,
    _driver: Process,
    profile: tempfile::TempDir,
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
        }
    }

    /// A command of the DevTools protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.page
            .issue_cmd(Extension {
                path: "goog/cdp/execute",
                body,
            })
            .await
            .unwrap();
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

    /// Keeps a picture for people, under `target/screenshots`.
    pub async fn screenshot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), self.page.screenshot().await.unwrap()).unwrap();
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
        let console = self.log("browser").await;
        let errors: Vec<_> = console
            .iter()
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        let events = self.log("performance").await;
        let messages = events.iter().map(|event| {
            serde_json::from_str::<Value>(event["message"].as_str().unwrap()).unwrap()
        });
        // Those of our pages: the browser's own first page may still be loading, too.
        let requests: Vec<String> = messages
            .map(|message| message["message"].clone())
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            .map(|event| event["params"].clone())
            .filter(|request| request["documentURL"].as_str().unwrap().starts_with(origin))
            .map(|request| request["request"]["url"].as_str().unwrap().to_owned())
            .collect();
        assert!(!requests.is_empty(), "the page itself is a request");
        let foreign = requests
            .iter()
            .find(|url| !url.starts_with(origin) && !url.starts_with("data:"));
        assert_eq!(foreign, None, "another host was asked");
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
