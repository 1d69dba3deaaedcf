//! What requests say of who asks and for what: paths, queries, headers, and the body of a login.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::http::{HeaderMap, HeaderValue, Method};
use footfall::{
    counting::{
        Company, CounterId, CounterName, Identity,
        identity::{IdentityKind, is_valid_key},
    },
    edge::{Peer, page::Cursor},
};
use ipnet::IpNet;
use serde_json::Value;

use super::{
    SHORT, answer, authorized,
    service::{Answer, COUNTERS, Question, TOKEN},
};

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
