//! Settings: in the environment, in files, and their values.

use std::{net::Ipv6Addr, path::Path, time::Duration};

use footfall::config::{
    PostgresUrl, RedisUrl, Settings, Sources,
    catalog::SETTINGS,
    dotenv,
    redis_url::Topology,
    values::{HumanDuration, List, ListenAddress},
};

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
