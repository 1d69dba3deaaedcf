//! Everything that reads outside input: arbitrary bytes, texts that are nearly
//! right, and the seeds of the fuzz targets, against the same properties.
//!
//! `PROPTEST_CASES=100000 cargo test --test it parsing::` tries harder, and
//! `fuzz/run.sh` harder still.

use std::{collections::BTreeSet, fs, path::Path};

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    string::string_regex,
    test_runner::{TestCaseError, TestRunner},
};

use crate::filters::{
    possible,
    schema::changed,
    writing::{Choices, rewritten},
};

#[path = "../../fuzz/src/lib.rs"]
mod properties;

use properties::{PROPERTIES, Property, SCHEMES, TOKEN};

const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");

/// Checks a property for arbitrary bytes and for texts near to what is accepted.
fn check(property: Property, near: impl Strategy<Value = String>) {
    let bytes = prop_oneof![
        1 => vec(any::<u8>(), 0..80),
        3 => near.prop_map(String::into_bytes),
    ];
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&bytes, |data| {
        property(&data);
        Ok::<_, TestCaseError>(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// One of these texts, with at most one character inserted, removed or replaced.
fn near(texts: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let change = prop_oneof![
        2 => Just(None),
        1 => (any::<prop::sample::Index>(), 0..2_usize, "[ -~]|.|").prop_map(Some),
    ];
    (texts, change).prop_map(|(text, change)| {
        let Some((at, removed, inserted)) = change else {
            return text;
        };
        let mut characters: Vec<char> = text.chars().collect();
        let from = at.index(characters.len() + 1);
        let to = (from + removed).min(characters.len());
        characters.splice(from..to, inserted.chars());
        characters.into_iter().collect()
    })
}

#[test]
fn bearer_headers() {
    let token = prop_oneof![
        Just(TOKEN.to_owned()),
        "[A-Za-z0-9_-]{0,20}(\\.[A-Za-z0-9_-]{0,20}){0,3}",
    ];
    let scheme = select(vec!["Bearer", "bearer", "BEARER", "Basic", ""]);
    let value = (scheme, "[ \t]{0,3}", token, "[ \t]{0,2}")
        .prop_map(|(scheme, space, token, end)| format!("{scheme}{space}{token}{end}"));
    check(properties::bearer, near(value));
}

#[test]
fn counter_names() {
    let name = prop_oneof!["[a-z0-9][a-z0-9._-]{0,63}", "[a-z0-9._-]{60,70}"];
    check(properties::counter_name, near(name));
}

#[test]
fn cursors() {
    let opaque = "[a-z0-9][a-z0-9._-]{0,4}";
    let opaque = opaque.prop_map(|name| properties::cursor_of(&name));
    let cursor = prop_oneof![
        opaque,
        "[a-z0-9][a-z0-9._-]{0,4}",
        "[+-]?[0-9]{1,5}|0|1|1000|1001",
        "(cursor|limit)=[a-z0-9%]{0,4}(&(cursor|limit)=[a-z0-9%]{0,4})?",
    ];
    check(properties::cursor, near(cursor));
}

#[test]
fn dotenv_files() {
    let line = prop_oneof![
        "(export )?[A-C]{1,2} ?[=:] ?[ -~é]{0,9}",
        "[A-C]=(\"[^\"\\\\]{0,9}\"|'[^']{0,9}')( #.{0,3})?",
        "[A-C]=[a-z]{0,2}\\$(\\{[A-C](:?[-?+][a-z]{0,3})?\\}|[A-C]|\\$)[a-z]{0,2}",
        "#.{0,9}|[ \t]{0,3}|[A-Z]{1,4}",
    ];
    let file =
        (vec(line, 0..6), select(vec!["\n", "\r\n"])).prop_map(|(lines, end)| lines.join(end));
    check(properties::dotenv, near(file));
}

#[test]
fn durations() {
    let duration = prop_oneof![
        "[0-9]{1,20}(ms|s|m|h)",
        "([0-9]{1,5}(us|ms|s|min|h|d|w)? ?){0,4}"
    ];
    check(properties::duration, near(duration));
}

#[test]
fn filters() {
    let filter = possible::filter(possible::audience_ids().to_vec());
    let written = (filter, any::<u64>(), 0..3_usize).prop_map(|(filter, seed, changes)| {
        let mut choices = Choices::of(seed);
        let changed = (0..changes).fold(filter, |filter, _| changed(&filter, &mut choices));
        match changes {
            0 => rewritten(&changed, &mut choices),
            _ => changed.to_string(),
        }
    });
    let text = prop_oneof!["[A-Za-z]{1,3}", "[0-9a-f-]{36}", "ä{31,33}", "ä{255,257}"];
    check(
        properties::filter,
        near(prop_oneof![3 => written, 1 => text]),
    );
}

/// Addresses as they stand in `X-Forwarded-For`.
fn addresses() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|address| address.to_string()),
        any::<std::net::SocketAddr>().prop_map(|address| address.to_string()),
        any::<std::net::Ipv4Addr>().prop_map(|address| format!("::ffff:{address}")),
        "10\\.0\\.0\\.[0-9]|unknown|_[a-z]{1,5}|",
    ]
}

#[test]
fn forwarded_addresses() {
    let list = vec(addresses(), 0..4).prop_map(|list| list.join(", "));
    check(properties::forwarded, near(list));
}

#[test]
fn identities() {
    let key = prop_oneof!["[!-~]{1,40}", "[!-~]{250,260}"];
    check(properties::identity, near(key));
}

#[test]
fn listen_addresses() {
    let address = || {
        prop_oneof![
            "tcp:[a-z0-9.-]{1,20}:[0-9]{1,6}",
            any::<std::net::SocketAddr>().prop_map(|address| format!("tcp:{address}")),
            any::<std::net::Ipv6Addr>().prop_map(|address| format!("tcp:{address}:80")),
            "unix:(/[a-z{}]{0,6}|\\{(hostname|pid|slot)\\}){0,4}",
        ]
    };
    let list = vec(address(), 0..4).prop_map(|list| list.join(","));
    check(
        properties::listen_address,
        near(prop_oneof![address(), list]),
    );
}

#[test]
fn logins() {
    let value = "\"(admin|password|[a-z]{0,9})\"|-?[0-9]{1,3}|null|\\[\\]";
    let body = vec(("username|password|more", value), 0..4).prop_map(|fields| {
        let fields = fields
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    });
    let right = Just("{\"username\":\"admin\",\"password\":\"password\"}".to_owned());
    check(properties::login, near(prop_oneof![body, right]));
}

#[test]
fn postgres_urls() {
    let scheme = select(vec!["postgres", "postgresql", "postgres+x"]);
    let credentials = "([a-z%0-9]{0,4}(:[!-~]{0,5})?@)?";
    let host = "([a-z0-9]{0,3}|\\[::1\\]|%2Frun)(:[0-9]{1,5})?(/[a-z]{0,3})?";
    let options = "(\\?(host|port|user|sslmode|options|connect_timeout|jit)=[a-z0-9/.-]{0,8})?";
    let url = (scheme, credentials, host, options)
        .prop_map(|(scheme, user, host, options)| format!("{scheme}://{user}{host}{options}"));
    let unescaped = "[0-9@:/?#&=%a]{0,8}";
    check(properties::postgres_url, near(prop_oneof![url, unescaped]));
}

#[test]
fn redis_urls() {
    let scheme = select(SCHEMES);
    let credentials = "([a-z]{0,3}(:[!-~]{0,5})?@)?";
    let hosts = "([a-z0-9]{0,3}|\\[::1\\])(:[0-9]{1,5})?(,[a-z0-9]{1,3}(:[0-9]{1,5})?){0,2}";
    let path =
        "(/[a-z]{0,4})?(/[0-9]{0,2})?(\\?(sentinel_password|db|pass)=[a-z0-9]{0,3})?(#insecure)?";
    let url = (scheme, credentials, hosts, path)
        .prop_map(|(scheme, user, hosts, path)| format!("{scheme}://{user}{hosts}{path}"));
    let unescaped = "[0-9@:/?#,a]{0,8}";
    check(properties::redis_url, near(prop_oneof![url, unescaped]));
}

#[test]
fn request_ids() {
    let id = prop_oneof!["[0-9a-f]{32}", "[!-~]{1,40}", "[!-~]{250,260}"];
    check(properties::request_id, near(id));
}

#[test]
fn settings() {
    let value = prop_oneof![
        "[!-~]{0,20}",
        "[a-z@:/?#]{0,6}",
        "[0-9]{0,6}(ms|s|m|h)?",
        "(tcp:[a-z0-9.]{1,9}|unix:/[a-z]{1,9}):?[0-9]{0,5}",
        "[0-9.:a-f]{3,15}/[0-9]{1,3}",
    ];
    let setting = (0..64_u8, near(value)).prop_map(|(setting, value)| {
        let mut text = String::from(char::from(setting));
        text.push_str(&value);
        text
    });
    check(properties::settings, setting);
}

#[test]
fn settings_files() {
    let line = "[a-z_]{0,12} ?= ?\"?[!-~]{0,9}\"?|\\[[a-z]{0,9}\\]|[A-Z_]{1,9}=[!-~ ]{0,9}|#.{0,9}";
    let lines = ("[!-~]{0,9}[\"']?", vec(line, 0..4))
        .prop_map(|(end, lines)| format!("{end}\n{}", lines.join("\n")));
    check(properties::settings_file, near(lines));
}

#[test]
fn visits() {
    let text = "\"([a-z/]{0,9}|\\\\u00[0-9a-f]{2}|\\\\ud[89a-f][0-9a-f]{2}|[A-Z]{2}|ä{250,260})\"";
    let number = "-?[0-9]{1,25}(\\.[0-9]{1,9})?([eE]-?[0-9]{1,3})?";
    let scalar = format!("{text}|{number}|true|false|null|\\[\\]|\\{{\\}}");
    let object = |names: &'static str, value: BoxedStrategy<String>, most: usize| {
        vec((names, value), 0..most).prop_map(|members| {
            let members = members
                .iter()
                .map(|(name, value)| format!("\"{name}\":{value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        })
    };
    let scalar = || string_regex(&scalar).unwrap().boxed();
    let properties = object("[a-z]{1,2}|k{60,66}", scalar(), 23).boxed();
    let value = prop_oneof![4 => scalar(), 1 => properties.clone()].boxed();
    let names = "visitor|path|referrer|campaign|country|properties|counter|key";
    let all = properties.prop_map(|properties| format!("{{\"properties\":{properties}}}"));
    let lines = vec(object(names, value.clone(), 4), 0..4).prop_map(|lines| lines.join("\n"));
    check(
        properties::visit,
        near(prop_oneof![object(names, value, 4), all, lines]),
    );
}

#[test]
fn pages() {
    let names = "key|counter|id|path|referrer|campaign|visitor|country|[a-z]{1,3}";
    let texts = r#""(([ !a-zäß~]|[ !#-\[\]-~]){0,20}|[a-z]{505,520})""#;
    let others = r#"null|1|\{\}|"(\\u0000|\\ud800)""#;
    let value = prop_oneof![6 => texts, 1 => others];
    let member = (names, value).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    let json = vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(",")));
    let pair = (
        names,
        "[ -~]{0,10}|[a-z]{505,520}|(%[0-9a-f]{2}){0,4}|ä|\\+|",
    )
        .prop_map(|(name, value)| format!("{name}={value}"));
    let query = vec(pair, 0..5).prop_map(|pairs| pairs.join("&"));
    check(properties::page, near(prop_oneof![json, query]));
}

#[test]
fn the_seeds_of_the_fuzz_targets() {
    for (name, property) in PROPERTIES {
        let mut seeds = fs::read_dir(Path::new(FUZZ).join("seeds").join(name))
            .unwrap()
            .map(|seed| seed.unwrap().path())
            .peekable();
        assert!(seeds.peek().is_some(), "{name} has no seeds");
        for seed in seeds {
            println!("{}", seed.display());
            property(&fs::read(seed).unwrap());
        }
    }
}

#[test]
fn every_property_is_a_fuzz_target() {
    let expected: BTreeSet<String> = PROPERTIES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(Path::new(FUZZ).join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("seeds"), expected);
    assert_eq!(names("fuzz_targets"), expected);
    let manifest = fs::read_to_string(Path::new(FUZZ).join("Cargo.toml")).unwrap();
    for name in &expected {
        assert!(manifest.contains(&format!("fuzz_targets/{name}.rs")));
        let target = fs::read_to_string(format!("{FUZZ}/fuzz_targets/{name}.rs")).unwrap();
        assert!(target.contains(&format!("footfall_fuzz::{name}(data)")));
    }
}
