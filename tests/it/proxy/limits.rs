//! What one caller may do in the shipped nginx, and what nginx writes of it.

use std::{fs, path::Path, process::Command};

use hyper::Method;
use serde_json::Value;

use crate::support::{
    Footfall, Reply,
    process::eventually,
    proxy::{CONFIG, Prepared, Proxy},
};

const DEFAULTS: [&str; 6] = [
    "zone=footfall_callers:16m rate=5000r/s",
    "zone=footfall_addresses:8m rate=10000r/s",
    "zone=footfall_logins:1m rate=5r/s",
    "zone=footfall_callers burst=5000",
    "zone=footfall_addresses burst=10000",
    "zone=footfall_logins burst=20",
];

/// Three requests of one caller, twelve of one address and two logins at once; the next comes after
/// a minute.
fn strict() -> Prepared {
    let [callers, addresses, logins, of_caller, of_address, of_login] = DEFAULTS;
    Prepared::new("http.conf")
        .replace(callers, "zone=footfall_callers:16m rate=1r/m")
        .replace(addresses, "zone=footfall_addresses:8m rate=1r/m")
        .replace(logins, "zone=footfall_logins:1m rate=1r/m")
        .replace(of_caller, "zone=footfall_callers burst=2")
        .replace(of_address, "zone=footfall_addresses burst=11")
        .replace(of_login, "zone=footfall_logins burst=1")
        // So that a test can be many clients.
        .replace(
            "#set_real_ip_from 192.0.2.0/24;",
            "set_real_ip_from 127.0.0.1;",
        )
        .replace(
            "#real_ip_header X-Forwarded-For;",
            "real_ip_header X-Forwarded-For;",
        )
}

fn started() -> (Proxy, Footfall) {
    let proxy = strict().start();
    let replica = proxy.replica().start();
    (proxy, replica)
}

/// How many of twenty requests are served.
async fn served(
    proxy: &Proxy,
    address: &str,
    headers: impl Fn(usize) -> Vec<(&'static str, String)>,
) -> usize {
    let mut client = proxy.client();
    let mut served = 0;
    for number in 0..20 {
        let mut headers = headers(number);
        headers.push(("x-forwarded-for", address.to_owned()));
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let reply = client.send(Method::GET, "/api/ping", &headers, "").await;
        match reply.status.as_u16() {
            200 => served += 1,
            _ => assert_is_the_usual_problem(&reply),
        }
    }
    served
}

#[track_caller]
fn assert_is_the_usual_problem(reply: &Reply) {
    assert_eq!(reply.status, 429);
    assert_eq!(reply.problem(), "too_many_requests");
    assert_eq!(reply.header("retry-after"), Some("1"));
    let id = reply.header("x-request-id").unwrap();
    assert_eq!(reply.json()["request_id"], id);
}

fn bearer(token: &str) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("Bearer {token}"))]
}

/// A token as long as real ones; only its signature is another.
fn token(signature: char) -> String {
    let signature: String = std::iter::repeat_n(signature, 43).collect();
    format!("{}.{}.{signature}", "h".repeat(80), "p".repeat(300))
}

#[tokio::test]
async fn each_caller_is_limited() {
    let (proxy, _replica) = started();
    let (one, other) = (token('a'), token('b'));
    assert_eq!(served(&proxy, "192.0.2.1", |_| bearer(&one)).await, 3);
    // Wherever it comes from, and whatever is before its end.
    let same = |number| match number % 3 {
        0 => bearer(&one),
        1 => vec![("authorization", format!("bearer   x{one}"))],
        _ => vec![("cookie", format!("a=b; __Host-footfall-access={one}; c=d"))],
    };
    assert_eq!(served(&proxy, "192.0.2.2", same).await, 0);
    assert_eq!(served(&proxy, "192.0.2.3", |_| bearer(&other)).await, 3);
    // Cookies are callers as well.
    for (address, cookie) in [
        (
            "192.0.2.4",
            format!("__Host-footfall-access={}", token('c')),
        ),
        ("192.0.2.5", format!("x=y;footfall-access={}", token('d'))),
        (
            "192.0.2.6",
            format!("x=footfall-access; footfall-access={}; z", token('e')),
        ),
    ] {
        let headers = |_| vec![("cookie", cookie.clone())];
        assert_eq!(served(&proxy, address, headers).await, 3, "{cookie}");
        assert_eq!(
            served(&proxy, address, |_| Vec::new()).await,
            3,
            "by address"
        );
    }
    // No token: the address.
    for headers in [
        Vec::new(),
        vec![(
            "cookie",
            "footfall-device=x; other-footfall-access=y".to_owned(),
        )],
        vec![("authorization", "Basic YTpi==".to_owned())],
        vec![("authorization", String::new())],
    ] {
        let address = format!(
            "198.51.100.{}",
            headers.len() + headers.iter().map(|(_, v)| v.len()).sum::<usize>()
        );
        assert_eq!(served(&proxy, &address, |_| headers.clone()).await, 3);
        assert_eq!(
            served(&proxy, &address, |_| Vec::new()).await,
            0,
            "{headers:?}"
        );
    }
}

/// nginx does not know which tokens are good.
#[tokio::test]
async fn who_makes_up_tokens_is_limited_by_address() {
    let (proxy, _replica) = started();
    let made_up = |number: usize| bearer(&token(char::from(b'A' + number as u8)));
    assert_eq!(served(&proxy, "192.0.2.1", made_up).await, 12);
    let made_up = |number: usize| vec![("cookie", format!("footfall-access={number}"))];
    assert_eq!(served(&proxy, "192.0.2.1", made_up).await, 0);
    assert_eq!(served(&proxy, "192.0.2.2", made_up).await, 12);
}

/// Whoever has a /64 has as many addresses as they like.
#[tokio::test]
async fn a_network_of_ipv6_is_one_client() {
    let (proxy, _replica) = started();
    let mut client = proxy.client();
    for (network, hosts) in [
        (
            "2001:db8:1:2",
            [
                "::1",
                ":a:b:c:d",
                "::a:b:c",
                ":1::1",
                ":a::b:c",
                ":ffff:ffff:ffff:ffff",
            ],
        ),
        ("2001:db8:", [":1", ":2", ":a:b:c", ":ffff", ":a:b", ":3"]),
        ("2001:db8:5:", [":1", ":2", ":a:b:c", ":ffff", ":a:b", ":3"]),
    ] {
        let mut served = 0;
        for host in hosts {
            let address = format!("{network}{host}");
            let headers = [("x-forwarded-for", address.as_str())];
            let reply = client.send(Method::GET, "/api/ping", &headers, "").await;
            served += usize::from(reply.status == 200);
        }
        assert_eq!(served, 3, "{network}");
    }
    for other in [
        "2001:db8:1:3::1",
        "2001:db8:0:1::1",
        "2001:db9::1",
        "192.0.2.1",
    ] {
        let headers = [("x-forwarded-for", other)];
        let reply = client.send(Method::GET, "/api/ping", &headers, "").await;
        assert_eq!(reply.status, 200, "{other}");
    }
}

#[tokio::test]
async fn what_hashes_or_mails_is_limited_more_strictly() {
    let (proxy, _replica) = started();
    let mut client = proxy.client();
    for (number, path) in [
        "/auth/login",
        "/auth/register",
        "/auth/confirm",
        "/auth/confirm/resend",
        "/auth/password",
        "/auth/password/forgot",
        "/auth/password/reset",
        "//auth//login",
        "/auth/lo%67in?mode=cookie",
    ]
    .into_iter()
    .enumerate()
    {
        let address = format!("192.0.2.{number}");
        let mut limited = Vec::new();
        for turn in 0..4 {
            // Each with a token of its own: it is the address that counts.
            let authorization = format!("Bearer {number}-{turn}");
            let headers = [
                ("x-forwarded-for", address.as_str()),
                ("authorization", authorization.as_str()),
            ];
            let reply = client.send(Method::POST, path, &headers, "").await;
            limited.push(reply.status == 429);
        }
        assert_eq!(limited, [false, false, true, true], "{path}");
    }
}

/// The shipped limits are far above what one client asks.
#[tokio::test]
async fn the_limits_are_generous() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client().logged_in().await;
    for number in 1..=500 {
        assert_eq!(client.get("/api/count").await.visits(), number);
    }
}

/// Links of mails have a token in the query, and nginx' log of errors has whole request lines.
#[tokio::test]
async fn no_log_has_the_token_of_a_link() {
    let proxy = Proxy::start();
    let mut client = proxy.client();
    // The replica's own access log has patterns of routes in place of addresses.
    let replica = proxy.replica().env("FOOTFALL_LOG", "debug");
    let mut replica = replica.start();
    client.get("/console/reset?token=5ecr3t").await;
    replica.logged("request");
    replica.stop();
    let log = replica.log().join("\n");
    assert!(!log.contains("5ecr3t"), "{log}");
    for path in [
        "/console/reset?token=5ecr3t",
        "/console/confirm/?a=b&token=5ecr3t",
        "/console/%69nvitation?token=5ecr3t",
        "//console/email?token=5ecr3t",
    ] {
        let reply = client.get(path).await;
        assert_eq!(reply.problem(), "no_replica");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    let large = "x".repeat(70_000);
    let path = "/console/reset?token=5ecr3t";
    let reply = client.send(Method::POST, path, &[], &large).await;
    assert_eq!(reply.status, 413);
    // The log of errors is written, and the others are in it.
    client.get("/api/ping?token=shown").await;
    let errors = || fs::read_to_string(proxy.path("error.log")).unwrap();
    eventually("the error is in the log", || {
        errors().contains("token=shown").then_some(())
    });
    proxy.logged(|line| line["uri"] == "/api/ping");
    proxy.logged(|line| line["uri"] == "/console/reset" && line["status"] == "502");
    let log = fs::read_to_string(proxy.path("access.log")).unwrap();
    assert!(!log.contains("5ecr3t"), "{log}");
    assert!(!errors().contains("5ecr3t"), "{}", errors());
}

/// This text with all its paths in a folder, which may be one of them.
fn within(text: &str, folder: &Path) -> String {
    let folder = format!("{}/", folder.display());
    let marked = ["etc/nginx/", "run/nginx/", "tmp/"]
        .iter()
        .fold(text.to_owned(), |text, path| {
            text.replace(&format!("/{path}"), &format!("\0{path}"))
        });
    marked
        .replace("/dev/std", "\0tmp/std")
        .replace('\0', &folder)
}

/// nginx' command in the stack, with all paths in this folder.
fn started_with(stack: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let stack = fs::read_to_string(format!("{CONFIG}/../compose/{stack}.yaml")).unwrap();
    let stack: Value = serde_saphyr::from_str(&stack).unwrap();
    let nginx = &stack["services"]["nginx"];
    let folder = tempfile::tempdir().unwrap();
    for name in ["etc/nginx/footfall", "run/nginx", "tmp"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    for (shipped, name) in [
        ("nginx.conf", "nginx.conf"),
        ("nginx/footfall.conf", "footfall/footfall.conf"),
        ("nginx/routes.conf", "footfall/routes.conf"),
        ("nginx/http.conf", "footfall/server.conf"),
    ] {
        let text = fs::read_to_string(format!("{CONFIG}/{shipped}")).unwrap();
        let text = within(&text, folder.path());
        fs::write(folder.path().join("etc/nginx").join(name), text).unwrap();
    }
    let script = nginx["entrypoint"][2].as_str().unwrap();
    let script = within(&script.replace("$$", "$"), folder.path());
    let script = script.replace("exec nginx", "exec nginx -e stderr -T");
    let environment = nginx["environment"].as_object().unwrap().iter();
    let defaults = environment.map(|(name, value)| {
        let value = value.as_str().unwrap();
        let default = value.strip_prefix(&format!("${{{name}:-")).unwrap();
        (name.clone(), default.strip_suffix('}').unwrap().to_owned())
    });
    let output = Command::new("sh")
        .args(["-ec", &script])
        .envs(defaults)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn the_limits_are_variables_of_the_stack() {
    for stack in ["services", "docker-compose.swarm"] {
        let (good, said) = started_with(stack, &[]);
        assert!(good, "{said}");
        let of_pages = [
            "zone=footfall_collect:8m rate=500r/s",
            "zone=footfall_collect burst=1000",
        ];
        for default in DEFAULTS.into_iter().chain(of_pages) {
            assert!(said.contains(default), "{stack}: {default}: {said}");
        }
        let (good, said) = started_with(
            stack,
            &[
                ("NGINX_CALLER_RATE", "1"),
                ("NGINX_CALLER_BURST", "2"),
                ("NGINX_ADDRESS_RATE", "3"),
                ("NGINX_ADDRESS_BURST", "4"),
                ("NGINX_COLLECT_RATE", "5"),
                ("NGINX_COLLECT_BURST", "6"),
            ],
        );
        assert!(good, "{said}");
        for set in [
            "zone=footfall_callers:16m rate=1r/s",
            "zone=footfall_addresses:8m rate=3r/s",
            "zone=footfall_logins:1m rate=5r/s",
            "zone=footfall_callers burst=2 nodelay",
            "zone=footfall_addresses burst=4 nodelay",
            "zone=footfall_logins burst=20 nodelay",
            "zone=footfall_collect:8m rate=5r/s",
            "zone=footfall_collect burst=6 nodelay",
        ] {
            assert!(said.contains(set), "{stack}: {set}: {said}");
        }
        for name in ["NGINX_CALLER_RATE", "NGINX_COLLECT_RATE"] {
            for wrong in ["many", "-1", "0", "1/2", ""] {
                let (good, said) = started_with(stack, &[(name, wrong)]);
                assert!(!good, "{stack}: {name}={wrong}: {said}");
            }
        }
    }
}
