//! One error as the receiver sees it, and what of it may leave this machine.
//!
//! Nothing is searched for secrets: only what is listed here is taken. An error's message is a text of
//! the source (a test below sees to it), so what was met is in the fields beside it, and of these the
//! few in [`Fields`] are told: numbers, matched routes, places in the source, request ids. The text of
//! a panic, causes, counters, users, addresses and the host's name stay in the log.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value, json};
use tracing::{
    Event, Level,
    field::{Field, Visit},
};
use uuid::Uuid;

use crate::{
    config::values::Environment,
    release::{REVISION, VERSION},
};

/// Numbers that may be told.
const NUMBERS: &[&str] = &["status", "before", "now", "requests"];

/// Methods that may be told (RFC 9110, RFC 5789): a client can make up others.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The longest request id that may be told: a UUID or a proxy's, and no more.
const MAX_ID_BYTES: usize = 64;

/// Which program reports.
pub struct Origin {
    release: String,
    environment: &'static str,
}

impl Origin {
    /// This build, under this profile.
    pub fn new(environment: Environment) -> Self {
        Self {
            release: format!("footfall@{VERSION}+{REVISION}"),
            environment: environment.name(),
        }
    }
}

/// An error that was met.
pub struct Report {
    id: Uuid,
    at: SystemTime,
    logger: &'static str,
    fields: Fields,
}

impl Report {
    /// The report of an event of the log, if it is an error of ours: what a library says is not known.
    pub fn of(event: &Event<'_>) -> Option<Self> {
        let metadata = event.metadata();
        let target = metadata.target();
        let ours = target == "footfall" || target.starts_with("footfall::");
        if *metadata.level() != Level::ERROR || !ours {
            return None;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        if fields.source.is_none()
            && let (Some(file), Some(line)) = (metadata.file(), metadata.line())
        {
            fields.source = Some(format!("{}:{line}", shortened(file)));
        }
        Some(Self {
            id: Uuid::now_v7(),
            at: SystemTime::now(),
            logger: target,
            fields,
        })
    }

    /// The report in an envelope: a line about it, a line about the one item, the item.
    ///
    /// <https://develop.sentry.dev/sdk/foundations/envelopes/>
    pub fn envelope(&self, origin: &Origin) -> Vec<u8> {
        let event = self.event(origin).to_string();
        let header = json!({
            "event_id": self.id.simple().to_string(),
            "sent_at": humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        });
        let item = json!({ "type": "event", "length": event.len() });
        format!("{header}\n{item}\n{event}\n").into_bytes()
    }

    /// <https://develop.sentry.dev/sdk/data-model/event-payloads/>
    fn event(&self, origin: &Origin) -> Value {
        let Fields {
            message,
            source,
            route,
            tags,
            numbers,
        } = &self.fields;
        let mut tags = tags.clone();
        tags.extend(
            source
                .iter()
                .map(|source| ("source".to_owned(), json!(source))),
        );
        tags.extend(route.iter().map(|route| ("route".to_owned(), json!(route))));
        // One issue per message, and of panics and failed requests one per place and route.
        let fingerprint: Vec<_> = [Some(message), route.as_ref().or(source.as_ref())]
            .into_iter()
            .flatten()
            .collect();
        json!({
            "event_id": self.id.simple().to_string(),
            "timestamp": self.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            "platform": "native",
            "level": "error",
            "logger": self.logger,
            "logentry": { "formatted": message },
            "release": origin.release,
            "environment": origin.environment,
            "tags": tags,
            "extra": numbers,
            "fingerprint": fingerprint,
            "sdk": { "name": "footfall", "version": VERSION },
        })
    }
}

/// What may be told of an event's fields.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    source: Option<String>,
    route: Option<String>,
    tags: Map<String, Value>,
    numbers: Map<String, Value>,
}

impl Fields {
    fn number(&mut self, field: &Field, value: Value) {
        if NUMBERS.contains(&field.name()) {
            self.numbers.insert(field.name().to_owned(), value);
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "message" => self.message = text.to_owned(),
            // The pattern that matched, never the path.
            "route" if !text.is_empty() => self.route = Some(text.to_owned()),
            "place" => self.source = Some(shortened(text).to_owned()),
            "method" if METHODS.contains(&text) => {
                self.tags.insert("method".to_owned(), json!(text));
            }
            "request_id" if is_plain_id(text) => {
                self.tags.insert("request_id".to_owned(), json!(text));
            }
            _ => {}
        }
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }
}

/// Whether a request id is one a proxy makes, rather than a text someone sends as one.
fn is_plain_id(id: &str) -> bool {
    let of_an_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(of_an_id)
}

/// A place in the source without the directories of the machine it was built on.
fn shortened(place: &str) -> &str {
    if let Some((_, package)) = place.split_once("/registry/src/") {
        return package.split_once('/').map_or(package, |(_, rest)| rest);
    }
    if let Some((_, library)) = place.split_once("/library/") {
        return library;
    }
    match place.strip_prefix('/') {
        Some(rest) => rest.rsplit('/').next().unwrap_or(rest),
        None => place,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::Path,
        sync::{Arc, Mutex},
    };

    use tracing::Subscriber;
    use tracing_subscriber::{
        Layer,
        layer::{Context, SubscriberExt},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Collected(Arc<Mutex<Vec<Report>>>);

    impl<S: Subscriber> Layer<S> for Collected {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().extend(Report::of(event));
        }
    }

    /// The event that is sent of the one that is logged.
    fn sent(log: impl FnOnce()) -> Value {
        let collected = Collected::default();
        let subscriber = tracing_subscriber::registry().with(collected.clone());
        tracing::subscriber::with_default(subscriber, log);
        let origin = Origin::new(Environment::Testing);
        let reports = collected.0.lock().unwrap();
        reports[0].event(&origin)
    }

    #[test]
    fn what_is_told() {
        let event = sent(|| {
            tracing::error!(
                target: "footfall::access",
                request_id = "019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e",
                method = %"POST",
                route = "/auth/login",
                status = 500,
                "request"
            );
        });
        assert_eq!(event["logentry"]["formatted"], "request");
        assert_eq!(event["logger"], "footfall::access");
        assert_eq!(event["level"], "error");
        assert_eq!(event["environment"], "testing");
        assert_eq!(event["release"], format!("footfall@{VERSION}+{REVISION}"));
        let tags = &event["tags"];
        assert_eq!(tags["request_id"], "019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e");
        assert_eq!(
            (&tags["method"], &tags["route"]),
            (&json!("POST"), &json!("/auth/login"))
        );
        assert!(
            tags["source"]
                .as_str()
                .unwrap()
                .starts_with("src/telemetry/errors/report.rs:")
        );
        assert_eq!(event["extra"], json!({ "status": 500 }));
        assert_eq!(event["fingerprint"], json!(["request", "/auth/login"]));
    }

    /// Fields that hold, or may hold, what is nobody else's business: of whatever type, under
    /// whatever name that is not listed, and under those listed if it is not what they are for.
    #[test]
    fn what_is_not_told() {
        let event = sent(|| {
            tracing::error!(
                panic = "hunter2 at 192.0.2.7",
                cause = Some("hunter2"),
                client = %"192.0.2.7",
                counter = %"hunter2",
                user = "hunter2",
                url = ?"redis://hunter2@192.0.2.7",
                port = 4711,
                error = &std::io::Error::other("hunter2") as &(dyn std::error::Error + 'static),
                "message"
            );
        });
        let text = event.to_string();
        for secret in ["hunter2", "192.0.2.7", "4711"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert_eq!(event["extra"], json!({}));
        let event = sent(|| {
            tracing::error!(
                method = %"HUNTER2",
                request_id = "hunter2.example/?password=hunter2",
                place = "/home/hunter2/footfall/src/main.rs:3:5",
                route = "",
                status = "hunter2",
                "message"
            );
        });
        assert!(
            !event.to_string().to_lowercase().contains("hunter2"),
            "{event}"
        );
        assert_eq!(event["tags"], json!({ "source": "main.rs:3:5" }));
        let long = "1".repeat(MAX_ID_BYTES + 1);
        let event = sent(|| tracing::error!(request_id = long, "message"));
        assert_eq!(event["tags"].get("request_id"), None);
    }

    #[test]
    fn places_without_the_machine_they_were_built_on() {
        for (place, expected) in [
            ("src/app.rs:1:2", "src/app.rs:1:2"),
            (
                "/home/anna/.cargo/registry/src/index.crates.io-1949/tokio-1.54.1/src/a.rs:7:1",
                "tokio-1.54.1/src/a.rs:7:1",
            ),
            (
                "/rustc/59807616e1fa/library/core/src/option.rs:4:5",
                "core/src/option.rs:4:5",
            ),
            ("/home/anna/src/x.rs:1:1", "x.rs:1:1"),
            ("", ""),
        ] {
            assert_eq!(shortened(place), expected);
        }
    }

    #[test]
    fn an_envelope_is_three_lines() {
        let collected = Collected::default();
        let subscriber = tracing_subscriber::registry().with(collected.clone());
        tracing::subscriber::with_default(subscriber, || tracing::error!("one\nmessage"));
        let envelope = collected.0.lock().unwrap()[0].envelope(&Origin::new(Environment::Testing));
        let text = String::from_utf8(envelope).unwrap();
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        let [header, item, event] = lines[..] else {
            panic!("{text}");
        };
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(
            json(item),
            json!({ "type": "event", "length": event.len() })
        );
        assert_eq!(json(header)["event_id"], json(event)["event_id"]);
        assert_eq!(json(header)["event_id"].as_str().unwrap().len(), 32);
    }

    fn sources(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries
            .flat_map(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    return sources(&path);
                }
                vec![fs::read_to_string(path).unwrap()]
            })
            .collect()
    }

    /// A message is told as it is, so nothing may be written into it.
    #[test]
    fn messages_of_errors_are_texts_of_the_source() {
        let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        let production = sources
            .iter()
            .map(|text| text.split("#[cfg(test)]\nmod tests").next().unwrap());
        let calls: Vec<&str> = production
            .flat_map(|text| text.split("tracing::error!(").skip(1))
            .map(|call| call.split(");").next().unwrap())
            .collect();
        assert!(calls.len() > 2, "they are found");
        for call in calls {
            assert!(
                !call.contains('{'),
                "a field instead: tracing::error!({call})"
            );
        }
    }
}
