//! What holds for everything that reads outside input, whatever comes in.
//!
//! A property takes bytes and panics where it does not hold. Each is a fuzz target
//! (`fuzz_targets/`) and a property test (`tests/it/parsing.rs`), so it is said
//! once. What a parser should accept is said a second time, in other words.

use std::{
    cell::RefCell,
    collections::HashSet,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue, Method};
use footfall::{
    config::{
        PostgresUrl, RedisUrl, Settings, Sources,
        catalog::SETTINGS,
        dotenv,
        redis_url::Topology,
        values::{HumanDuration, List, ListenAddress},
    },
    counting::{
        Company, CounterId, CounterName, Identity,
        identity::{IdentityKind, is_valid_key},
    },
    edge::{Peer, page::Cursor},
};
use ipnet::IpNet;
use serde_json::Value;

mod filter;
mod service;

use self::service::{Answer, COUNTERS, Question, Service};
pub use self::{filter::filter, service::TOKEN};

/// What must hold for all bytes.
pub type Property = fn(&[u8]);

/// Every property, by the name of its fuzz target and of its folder in `seeds/`.
pub const PROPERTIES: &[(&str, Property)] = &[
    ("bearer", bearer),
    ("counter_name", counter_name),
    ("cursor", cursor),
    ("dotenv", dotenv),
    ("duration", duration),
    ("filter", filter),
    ("forwarded", forwarded),
    ("identity", identity),
    ("listen_address", listen_address),
    ("login", login),
    ("postgres_url", postgres_url),
    ("redis_url", redis_url),
    ("request_id", request_id),
    ("settings", settings),
    ("settings_file", settings_file),
    ("visit", visit),
];

/// Below every limit of the edge on targets and heads.
const SHORT: usize = 2048;

fn answer(question: &Question<'_>) -> Option<Answer> {
    thread_local!(static SERVICE: RefCell<Service> = RefCell::new(Service::start()));
    SERVICE.with_borrow_mut(|service| service.answer(question))
}

/// Like [`answer`], with a valid token.
fn authorized(target: &str, headers: &[(&str, &[u8])]) -> Option<Answer> {
    let authorization = format!("Bearer {TOKEN}");
    let mut all = vec![("authorization", authorization.as_bytes())];
    all.extend(headers);
    answer(&Question::get(target, &all))
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

/// `[a-z0-9][a-z0-9._-]{0,63}`
fn is_counter_name(bytes: &[u8]) -> bool {
    let inner = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    matches!(bytes, [b'a'..=b'z' | b'0'..=b'9', rest @ ..] if rest.len() < 64 && rest.iter().all(inner))
}

/// 1 to 255 visible ASCII characters.
fn is_key(bytes: &[u8]) -> bool {
    matches!(bytes.len(), 1..=255) && bytes.iter().all(|byte| matches!(byte, b'!'..=b'~'))
}

/// What stores know a counter by: its name in the company `default`, and what no name can be in
/// any other.
fn counter_text(name: CounterName, text: &str) {
    let of = |company| {
        let name = name.clone();
        CounterId { company, name }.to_string()
    };
    assert_eq!(of(Company::Default), text);
    for id in [
        "0192d4a5-7b1c-7def-8a90-0123456789ab",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ] {
        let other = of(Company::Id(id.parse().expect("a UUID")));
        assert_eq!(other.split_once('/'), Some((id, text)));
        assert!(other.parse::<CounterName>().is_err(), "{other}");
    }
}

/// The name of a counter: in a text, and in a path.
pub fn counter_name(data: &[u8]) {
    let valid = is_counter_name(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let name = text.parse::<CounterName>();
        assert_eq!(name.is_ok(), valid, "{text:?}");
        if let Ok(name) = name {
            assert_eq!(name.as_str(), text);
            assert_eq!(name.to_string().parse(), Ok(name.clone()));
            assert_eq!(
                serde_json::to_value(&name).expect("JSON"),
                Value::from(text)
            );
            counter_text(name, text);
        }
    }
    if data.is_empty() || data.len() > SHORT {
        return;
    }
    let target = format!("/api/counters/{}", percent_encoded(data));
    let answer = authorized(&target, &[]).expect("a target");
    if valid && COUNTERS.iter().any(|name| name.as_bytes() == data) {
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.json()["name"].as_str().map(str::as_bytes),
            Some(data)
        );
    } else if valid {
        assert_eq!(answer.code(), "counter_not_found");
    } else {
        assert_eq!(answer.status, 400);
        answer.code();
    }
}

/// Who a visit is: the client's `Idempotency-Key`.
pub fn identity(data: &[u8]) {
    let valid = is_key(data);
    assert_eq!(is_valid_key(data), valid);

    // However user and value are cut from the same bytes, and whoever vouches, it is another.
    let mut identities = HashSet::new();
    for kind in [IdentityKind::Request, IdentityKind::Key] {
        let text = String::from_utf8_lossy(data);
        let cuts = text.char_indices().map(|(cut, _)| cut).take(32);
        for cut in cuts {
            let identity = Identity::new(kind, &text[..cut], &text.as_bytes()[cut..]);
            assert_eq!(
                identity,
                Identity::new(kind, &text[..cut], &text.as_bytes()[cut..])
            );
            assert!(identities.insert(identity), "{kind:?}, cut at {cut}");
        }
    }

    if data.len() > SHORT {
        return;
    }
    let once = [("idempotency-key", data)];
    let Some(answer) = authorized("/api/count", &once) else {
        assert!(!valid, "a key that cannot be sent");
        return;
    };
    // The store of these tests is away: only a visit that may be counted is told so.
    let expected = match valid {
        true => "store_unavailable",
        false => "invalid_idempotency_key",
    };
    assert_eq!(answer.code(), expected);
    let twice = authorized("/api/count", &[once[0], once[0]]).expect("it was sent once");
    assert_eq!(twice.code(), "invalid_idempotency_key");
}

/// `X-Request-ID`: the proxy's is kept if it is one and well-formed, a stranger's never.
pub fn request_id(data: &[u8]) {
    if data.len() > SHORT {
        return;
    }
    let headers = [("x-request-id", data)];
    let proxy = Question::get("/api/ping", &headers);
    let stranger = Question {
        peer: Peer::tcp(SocketAddr::from(([192, 0, 2, 1], 5000)), Arc::from([])),
        ..Question::get("/api/ping", &headers)
    };
    let Some(trusted) = answer(&proxy) else {
        assert!(!is_key(data), "an id that cannot be sent");
        return;
    };
    let stranger = answer(&stranger).expect("it was sent before");
    let is_one = is_key(data) && !data.contains(&b',');
    for (answer, believed) in [(trusted, is_one), (stranger, false)] {
        let id = answer.header("x-request-id").expect("an id");
        assert_eq!(id == data, believed, "{:?}", data.escape_ascii());
        if !believed {
            let id = std::str::from_utf8(id).expect("ASCII");
            let id = uuid::Uuid::parse_str(id).expect("an id of ours");
            assert_eq!(id.get_version_num(), 7);
        }
    }
}

/// `Authorization`: one token is accepted, and nothing that is only like it.
pub fn bearer(data: &[u8]) {
    if data.len() > SHORT {
        return;
    }
    let header = ("authorization", data);
    let Some(answer_once) = answer(&Question::get("/api/count", &[header])) else {
        return;
    };
    let printable = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    let expected = match data.iter().position(|byte| *byte == b' ') {
        _ if !data.iter().all(printable) => "invalid_token",
        Some(space) if data[..space].eq_ignore_ascii_case(b"bearer") => {
            match data[space..].trim_ascii() {
                token if token == TOKEN.as_bytes() => "store_unavailable",
                _ => "invalid_token",
            }
        }
        None if data.eq_ignore_ascii_case(b"bearer") => "invalid_token",
        _ => "missing_token",
    };
    match answer_once.code() {
        // A changed token may be one of another time, never one of now.
        code if code == "expired_token" => assert_eq!(expected, "invalid_token"),
        code => assert_eq!(code, expected, "{:?}", data.escape_ascii()),
    }
    let challenge = answer_once.header("www-authenticate").unwrap_or_default();
    assert_eq!(
        challenge.starts_with(b"Bearer"),
        answer_once.status == 401,
        "{:?}",
        challenge.escape_ascii()
    );
    let twice = answer(&Question::get("/api/count", &[header, header]));
    assert_eq!(twice.expect("it was sent once").code(), "invalid_token");
}

/// The cursor that leads on after this counter.
pub fn cursor_of(name: &str) -> String {
    Cursor::<CounterName>(name.parse().expect("a name")).to_string()
}

/// Where a page of counters begins, how long it is, and the query that says so.
pub fn cursor(data: &[u8]) {
    if data.len() > SHORT {
        return;
    }
    let encoded = percent_encoded(data);
    let page = |query: &str| authorized(&format!("/api/counters?{query}"), &[]);
    let names = |answer: &Answer| -> Vec<String> {
        let page = answer.json();
        let counters = page["counters"].as_array().expect("a list").iter();
        counters
            .map(|counter| counter["name"].as_str().expect("a name").to_owned())
            .collect()
    };

    // What comes back as a cursor leads on; nothing that is only like one does.
    let text = std::str::from_utf8(data).unwrap_or("not text");
    let sent = page(&format!("cursor={encoded}")).expect("a target");
    match text.parse::<Cursor<CounterName>>() {
        _ if text.is_empty() => assert_eq!(names(&sent), COUNTERS),
        Ok(parsed) => {
            assert_eq!(parsed.to_string(), text);
            assert_eq!(sent.status, 200);
        }
        Err(_) => assert_eq!(sent.code(), "invalid_query", "{text:?}"),
    }
    if is_counter_name(data) {
        let after = page(&format!("cursor={}", cursor_of(text))).expect("a target");
        let expected: Vec<_> = COUNTERS
            .iter()
            .copied()
            .filter(|name| *name > text)
            .collect();
        assert_eq!(names(&after), expected);
        assert_eq!(after.json()["next"], Value::Null);
    }

    let limited = page(&format!("limit={encoded}")).expect("a target");
    let limit = match data {
        b"" => Some(100),
        _ => text.parse().ok(),
    };
    match limit {
        Some(limit @ 1..=1000) => {
            let expected = &COUNTERS[..COUNTERS.len().min(limit)];
            assert_eq!(names(&limited), expected);
            let next = (limit < COUNTERS.len()).then(|| cursor_of(expected[limit - 1]));
            assert_eq!(limited.json()["next"].as_str(), next.as_deref());
        }
        _ => assert_eq!(limited.code(), "invalid_query"),
    }

    let text = String::from_utf8_lossy(data);
    if let Some(raw) = page(&text) {
        assert!(
            raw.status == 200 || raw.code() == "invalid_query",
            "{text:?}"
        );
    }
}

/// A length of time.
pub fn duration(data: &[u8]) {
    const YEAR: Duration = Duration::from_hours(365 * 24);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = text.parse::<HumanDuration>();
    if let Ok(HumanDuration(duration)) = parsed {
        assert!(duration <= YEAR, "{text:?}");
        let printed = humantime::format_duration(duration).to_string();
        assert_eq!(printed.parse(), Ok(HumanDuration(duration)));
    }

    // The documented form, a whole number and a unit, means exactly what it says.
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return,
    };
    let expected = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(millis))
        .map(Duration::from_millis)
        .filter(|duration| *duration <= YEAR);
    assert_eq!(parsed.ok().map(|duration| duration.0), expected, "{text:?}");
}

/// An address to listen on, and a list of them.
pub fn listen_address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = text.parse::<ListenAddress>();
    assert_eq!(parsed.is_ok(), is_listen_address(text), "{text:?}");
    if let Ok(address) = &parsed {
        assert_eq!(
            address.to_string().parse().as_ref(),
            Ok(address),
            "{text:?}"
        );
        if let ListenAddress::Unix(template) = address {
            let path = template.expand("web1", 42, 3);
            assert!(!path.contains('{'), "{path:?}");
            let numbered = ["{pid}", "{slot}"].iter().any(|name| text.contains(name));
            let fixed = (!numbered).then(|| path.clone());
            assert_eq!(template.fixed("web1"), fixed, "{text:?}");
            assert!(template.matches("web1", &path), "{text:?}");
        }
    }
    if let Ok(List(addresses)) = text.parse::<List<ListenAddress>>() {
        let printed: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(printed.join(",").parse(), Ok(List(addresses)));
    }
}

/// `tcp:HOST:PORT` or `unix:PATH`
fn is_listen_address(text: &str) -> bool {
    let is_port = |port: &str| {
        !port.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok()
    };
    let is_ipv6 = |text: &str| {
        let address = text.split('%').next().unwrap_or_default();
        let zone = text
            .strip_prefix(address)
            .and_then(|zone| zone.strip_prefix('%'));
        address.parse::<Ipv6Addr>().is_ok() && (address == text || zone.is_some_and(is_word))
    };
    if let Some(path) = text.strip_prefix("unix:") {
        let without = ["{hostname}", "{pid}", "{slot}"]
            .iter()
            .fold(path.to_owned(), |path, name| path.replace(name, "x"));
        let slot_in_a_directory = path.rsplit('/').skip(1).any(|name| name.contains("{slot}"));
        return !path.is_empty()
            && !path.ends_with('/')
            && !without.contains('{')
            && !slot_in_a_directory;
    }
    let address = text.strip_prefix("tcp:").unwrap_or_default();
    match address
        .strip_prefix('[')
        .and_then(|address| address.split_once("]:"))
    {
        Some((host, port)) => is_ipv6(host) && is_port(port),
        None => {
            matches!(address.split_once(':'), Some((host, port)) if is_word(host) && is_port(port))
        }
    }
}

/// What a name or a zone is made of; the resolver knows more about it.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && !"[]:/%".contains(c))
}

/// The address of a client: its own claim never counts, and each spelling of an
/// address is that address.
pub fn forwarded(data: &[u8]) {
    const CLIENT: &str = "198.51.100.7";
    let stranger: IpAddr = CLIENT.parse().expect("an address");
    let proxy: SocketAddr = ([10, 0, 0, 1], 5000).into();
    let networks: Arc<[IpNet]> = Arc::from(["10.0.0.0/8".parse().expect("a network")]);
    let Ok(claim) = HeaderValue::from_bytes(data) else {
        return;
    };
    let client = |peer: &Peer, forwarded_for: &[&HeaderValue], real_ip: &HeaderValue| {
        let mut headers = HeaderMap::new();
        for value in forwarded_for {
            headers.append("x-forwarded-for", (*value).clone());
        }
        headers.insert("x-real-ip", real_ip.clone());
        peer.client(&headers)
    };

    let unknown = Peer::tcp(SocketAddr::new(stranger, 5000), networks.clone());
    assert_eq!(client(&unknown, &[&claim], &claim), Some(stranger));

    // The proxy appends what it saw, to the claim or in a line of its own.
    let trusted = [
        Peer::tcp(proxy, networks.clone()),
        Peer::unix(networks.clone()),
    ];
    let seen = HeaderValue::from_static(CLIENT);
    let appended = [data, b", ", CLIENT.as_bytes()].concat();
    let relayed = [data, b",", CLIENT.as_bytes(), b", 10.0.0.2"].concat();
    for line in [&appended, &relayed] {
        let line = HeaderValue::from_bytes(line).expect("only more of the same");
        for peer in &trusted {
            assert_eq!(client(peer, &[&line], &claim), Some(stranger), "{line:?}");
            assert_eq!(client(peer, &[&claim, &seen], &claim), Some(stranger));
        }
    }

    let alone = Peer::unix(Arc::from([]));
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", claim);
    if let Some(address) = alone.client(&headers) {
        assert_eq!(address, address.to_canonical());
        for spelling in [
            address.to_string(),
            format!("[{address}]"),
            format!(" {address}\t"),
            SocketAddr::new(address, 80).to_string(),
        ] {
            let value = HeaderValue::from_str(&spelling).expect("ASCII");
            headers.insert("x-forwarded-for", value);
            assert_eq!(alone.client(&headers), Some(address), "{spelling}");
        }
    }
}

/// The body of a login.
pub fn login(data: &[u8]) {
    if data.len() > SHORT {
        return;
    }
    let question = Question {
        method: Method::POST,
        body: data,
        ..Question::get("/auth/login", &[("content-type", b"application/json")])
    };
    let answer = answer(&question).expect("any body can be sent");
    // The mark that some editors write at the beginning is no part of it.
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let body = serde_json::from_slice::<Value>(data);
    let given = |name: &str| body.as_ref().ok().and_then(|body| body[name].as_str());
    match answer.status.as_u16() {
        200 => assert_eq!(
            (given("username"), given("password")),
            (Some("admin"), Some("password"))
        ),
        401 => {
            assert_eq!(answer.code(), "invalid_credentials");
            assert_ne!(
                (given("username"), given("password")),
                (Some("admin"), Some("password"))
            );
            assert!(given("username").is_some() && given("password").is_some());
        }
        400 => {
            assert_eq!(answer.code(), "invalid_json");
            assert!(body.is_err());
        }
        // Fields may be wrong before the end is.
        422 => assert_eq!(answer.code(), "invalid_body"),
        status => panic!("{status}"),
    }
}

/// What a visit carries: as the body of a request, and as the lines of another.
pub fn visit(data: &[u8]) {
    if data.len() > 2 * SHORT {
        return;
    }
    let authorization = format!("Bearer {TOKEN}");
    let post = |target: &str, media_type: &[u8]| {
        let headers = [
            ("authorization", authorization.as_bytes()),
            ("content-type", media_type),
        ];
        let question = Question {
            method: Method::POST,
            body: data,
            ..Question::get(target, &headers)
        };
        answer(&question).expect("any body can be sent")
    };
    let alone = post("/api/counters/a", b"application/json");
    match alone.status.as_u16() {
        // It is right, and would have been counted.
        503 => assert!(data.is_empty() || is_visit(data)),
        422 => assert_eq!(alone.code(), "invalid_visit"),
        400 => {
            assert_eq!(alone.code(), "invalid_json");
            let without_mark = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
            assert!(serde_json::from_slice::<Value>(without_mark).is_err());
        }
        status => panic!("{status}"),
    }

    let lines = data.split(|byte| *byte == b'\n');
    let is_blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
    let numbers = (1..).zip(lines).filter(|(_, line)| !is_blank(line));
    let numbers: Vec<u64> = numbers.map(|(number, _)| number).collect();
    let answer = post("/api/visits", b"application/x-ndjson");
    if numbers.len() > 1000 {
        return assert_eq!(answer.code(), "invalid_visit");
    }
    assert_eq!(answer.status, 200);
    let answers = answer.body.split(|byte| *byte == b'\n');
    let answered = answers.filter(|line| !line.is_empty()).map(|line| {
        let line: Value = serde_json::from_slice(line).expect("JSON");
        let code = line["code"].as_str().expect("nothing is counted here");
        assert!(code == "invalid_visit" || line["status"] == 503, "{line}");
        line["line"].as_u64().expect("a number")
    });
    assert_eq!(answered.collect::<Vec<_>>(), numbers);
}

/// Whether a text may be what a visit carries. That no member is there twice is not seen here.
fn is_visit(data: &[u8]) -> bool {
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let members = match serde_json::from_slice(data) {
        Ok(Value::Object(members)) => members,
        Ok(Value::Null) => return true,
        _ => return false,
    };
    let is_text = |text: &str| text.len() <= 512 && !text.contains('\0');
    let is_scalar = |value: &Value| match value {
        Value::String(text) => is_text(text),
        Value::Array(_) | Value::Object(_) => false,
        _ => true,
    };
    let is_country = |text: &str| {
        text.is_empty() || text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    data.trim_ascii_end().len() <= 2048
        && members
            .iter()
            .all(|(name, value)| match (name.as_str(), value) {
                (
                    "visitor" | "path" | "referrer" | "campaign" | "country" | "properties",
                    Value::Null,
                ) => true,
                ("visitor" | "path" | "referrer" | "campaign", Value::String(text)) => {
                    is_text(text)
                }
                ("country", Value::String(text)) => is_country(text),
                ("properties", Value::Object(properties)) => {
                    let is_key = |key: &String| key.len() <= 64 && !key.contains('\0');
                    properties.len() <= 20
                        && properties.keys().all(is_key)
                        && properties.values().all(is_scalar)
                }
                _ => false,
            })
}

/// Part of every secret here: nothing that is shown may hold it.
const MARK: &str = "s3cr3t-";

/// The schemes of `REDIS_URL`.
pub const SCHEMES: &[&str] = &[
    "redis",
    "rediss",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
    "valkey",
    "unix",
    "Redis+Unix",
    "VALKEYS+sentinel",
];

/// `.env`. Without quotes, variables and line ends of its own kind, each line stands alone.
pub fn dotenv(data: &[u8]) {
    let environment = [("HOST".into(), "127.0.0.1".into())];
    let Ok(statements) = dotenv::read(data, &environment) else {
        let is_utf16 = data.starts_with(b"\xff\xfe") || data.starts_with(b"\xfe\xff");
        assert!(is_utf16 || data.contains(&0) || data.contains(&b'\r'));
        return;
    };
    assert!(statements.is_sorted_by_key(|statement| statement.line));
    let lines = data.split(|byte| *byte == b'\n').count();
    for statement in &statements {
        assert!((1..=lines).contains(&statement.line), "{statement:?}");
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if text.contains(['"', '\'', '$', '\r']) {
        return;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let expected: Vec<_> = (1..)
        .zip(text.split('\n'))
        .filter_map(|(number, line)| Some((number, line_alone(line)?)))
        .collect();
    let read: Vec<_> = statements
        .into_iter()
        .map(|statement| {
            let value = statement.value.ok().map(|value| value.text);
            let name = value.is_some().then_some(statement.name);
            (statement.line, name.zip(value))
        })
        .collect();
    assert_eq!(read, expected, "{text:?}");
}

/// The name and the value of a line of `.env` without quotes and variables. `None` of one that
/// says nothing, and within it of one that cannot be read.
fn line_alone(line: &str) -> Option<Option<(String, String)>> {
    let is_blank = |c: char| "\t\u{b}\u{c}\r \u{85}\u{a0}".contains(c);
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let statement = match line.split_once(is_blank) {
        Some(("export", rest)) => rest.trim_start_matches(is_blank),
        _ => line,
    };
    let is_name = |name: &str| {
        name.chars()
            .all(|c| c.is_alphanumeric() || "_.-[]".contains(c))
    };
    match statement.split_once(['=', ':']) {
        Some((name, value)) if is_name(name.trim_end()) => {
            let value = value.trim_start_matches(is_blank);
            let value = value.split(" #").next().unwrap_or_default().trim_end();
            Some(Some((name.trim_end().to_owned(), value.to_owned())))
        }
        None if is_name(statement) => None,
        _ => Some(None),
    }
}

/// `REDIS_URL`: as it stands, and as what stands around a secret in a password that
/// nobody has escaped.
pub fn redis_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(url) = text.parse::<RedisUrl>() {
        let (scheme, _) = text.split_once("://").expect("a scheme");
        let scheme = scheme.to_lowercase().replace("valkey", "redis");
        assert!(!url.nodes.is_empty(), "{text}");
        match url.topology {
            Topology::Single => assert!(
                matches!(&*scheme, "redis" | "rediss" | "unix" | "redis+unix"),
                "{text}"
            ),
            Topology::Sentinel(_) => assert!(
                matches!(&*scheme, "redis+sentinel" | "rediss+sentinel"),
                "{text}"
            ),
            Topology::Cluster => assert!(
                matches!(&*scheme, "redis+cluster" | "rediss+cluster"),
                "{text}"
            ),
        }
    }
    if text.contains(MARK) {
        return;
    }
    let middle = text.ceil_char_boundary(text.len() / 2);
    let (before, after) = text.split_at(middle);
    for scheme in SCHEMES {
        for path in ["", "/0", "/main", "/main/0"] {
            let url = format!("{scheme}://user:{before}{MARK}{after}@localhost{path}");
            let shown = match url.parse::<RedisUrl>() {
                Ok(url) => {
                    let addresses = url.nodes.iter().map(|node| node.addr().to_string());
                    let addresses: Vec<_> = addresses.collect();
                    format!("{url:?} {} {addresses:?}", url.topology)
                }
                Err(message) => message,
            };
            assert!(!shown.contains(MARK), "{url}: {shown}");
        }
    }
}

/// `DATABASE_URL` of PostgreSQL, likewise.
pub fn postgres_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(url) = text.parse::<PostgresUrl>() {
        assert!(text.contains("://"), "{text}");
        assert!(url.port > 0 && !url.user.is_empty(), "{text}");
        assert!(!url.database.is_empty(), "{text}");
        // What PostgreSQL reads ends at a zero byte.
        let texts = [&url.user, &url.database, &url.application_name];
        assert!(texts.iter().all(|text| !text.contains('\0')), "{text}");
    }
    if text.contains(MARK) {
        return;
    }
    let middle = text.ceil_char_boundary(text.len() / 2);
    let (before, after) = text.split_at(middle);
    for rest in [
        "localhost",
        "localhost/db",
        "[::1]:1/db?sslmode=require",
        "/db?host=/run",
    ] {
        for url in [
            format!("postgres://user:{before}{MARK}{after}@{rest}"),
            // What follows a '&' is another option.
            format!("postgres://user@localhost/db?password={MARK}{after}"),
        ] {
            let shown = match url.parse::<PostgresUrl>() {
                Ok(url) => format!("{url:?} {}", url.server()),
                Err(message) => message,
            };
            assert!(!shown.contains(MARK), "{url}: {shown}");
        }
    }
}

/// Loads settings; whatever comes of it, no secret is shown.
fn load(sources: &Sources) -> Result<Settings, String> {
    match Settings::load(sources) {
        Ok(settings) => {
            for shown in &settings.shown {
                assert!(!shown.value.contains(MARK), "{shown:?}");
            }
            assert!(!format!("{settings:?}").contains(MARK), "{settings:?}");
            Ok(settings)
        }
        Err(error) => {
            let message = error.to_string();
            assert!(!message.contains(MARK), "{message}");
            Err(message)
        }
    }
}

/// The value of any one setting: its first byte says of which.
pub fn settings(data: &[u8]) {
    let Some((first, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    if text.contains(MARK) {
        return;
    }
    let setting = SETTINGS[usize::from(*first) % SETTINGS.len()];
    let value = match setting.key {
        "redis_url" => format!("redis://user:{MARK}{text}{MARK}@localhost:6379"),
        _ if setting.secret => format!("{MARK}{text}"),
        _ => text.to_owned(),
    };
    in_folder(|folder| {
        let sources = Sources {
            environment: vec![(setting.env_name().into(), value.into())],
            directory: folder.to_owned(),
            ..Sources::default()
        };
        match setting.key {
            // The path of a file has no credentials, and is shown.
            "database_url" => drop(Settings::load(&sources)),
            // These decide what else is read, and so what else may be wrong.
            "env" | "config" => drop(load(&sources)),
            _ => {
                if let Err(message) = load(&sources) {
                    assert!(message.contains(&setting.env_name()), "{message}");
                }
            }
        }
    });
}

/// In a folder without settings.
fn in_folder(test: impl FnOnce(&Path)) {
    thread_local!(static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder"));
    FOLDER.with(|folder| test(folder.path()));
}

/// A line of `.env`, or of the settings file, that begins with a secret.
pub fn settings_file(data: &[u8]) {
    // `.env` may put one variable into another, and so a secret where it is shown.
    if data.contains(&b'$') || String::from_utf8_lossy(data).contains(MARK) {
        return;
    }
    for (name, line) in [
        (".env", "SECRET_KEY="),
        ("footfall.toml", "[default]\nsecret_key = \""),
    ] {
        in_folder(|folder| {
            let file = folder.join(name);
            let text = [line.as_bytes(), MARK.as_bytes(), data].concat();
            std::fs::write(&file, text).expect("a file");
            let options = match name {
                ".env" => Vec::new(),
                name => vec![("config".to_owned(), name.to_owned())],
            };
            let _ = load(&Sources {
                options,
                directory: folder.to_owned(),
                ..Sources::default()
            });
            std::fs::remove_file(&file).expect("it was written");
        });
    }
}
