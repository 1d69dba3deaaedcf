//! ModSecurity and the Core Rule Set before Footfall: what passes and what does
//! not.

use super::{machine::Machine, text};

const SITE: &str = "http://footfall.example";

/// The status of a request with these arguments of curl, a path last.
fn status(machine: &Machine, token: &str, arguments: &str) -> u16 {
    let script = format!(
        "TOKEN={token}; curl -s -o /run/body -w '%{{http_code}}' --path-as-is --max-time 30 {arguments}"
    );
    machine.run(&script).trim().parse().unwrap()
}

/// Whether it is not let through. A replica refuses the image of a key that there is not with 403 as well, and
/// with the image.
fn is_refused(machine: &Machine, token: &str, arguments: &str) -> bool {
    let status = status(machine, token, arguments);
    status == 403 && machine.run("head -c 3 /run/body") != "GIF"
}

fn token(machine: &Machine) -> String {
    let login = format!(
        r#"curl -s {SITE}/auth/login -H 'Content-Type: application/json' -d '{{"username":"admin","password":"password"}}' | jq -r .token"#
    );
    machine.run(&login).trim().to_owned()
}

fn protected() -> Machine {
    let machine = Machine::start();
    machine.install();
    machine.run_block("waf");
    machine.start_replica("cat");
    machine
}

/// The commands and the expected lines of the README's walk-through.
fn walk_through() -> (Vec<String>, Vec<String>) {
    let readme = text("README.md");
    let (_, rest) = readme.split_once("<!-- walk-through -->").unwrap();
    let block = rest.split("```").nth(1).unwrap();
    let block = block.replace("localhost:8000", "footfall.example");
    let lines = block.lines().skip(1).map(ToOwned::to_owned);
    let (commands, expected): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("$ "));
    // The internal listener is not behind nginx.
    let commands = commands
        .into_iter()
        .filter(|line| !line.contains("localhost:9000"));
    let commands = commands.map(|line| line[2..].to_owned()).collect();
    let expected = expected.into_iter();
    let expected =
        expected.filter(|line| !line.contains("request_id") && !line.contains("dependencies"));
    (commands, expected.collect())
}

#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn the_walk_through_passes_and_attacks_do_not() {
    let machine = protected();
    let (commands, expected) = walk_through();
    assert!(commands.len() >= 8);
    let script: String = commands
        .iter()
        .map(|command| format!("{command}\necho\n"))
        .collect();
    let said = machine.run(&script).replace('\r', "");
    let said: Vec<_> = said
        .lines()
        .filter(|line| !line.is_empty() && !line.contains("request_id"))
        .collect();
    assert_eq!(said, expected);

    let token = token(&machine);
    passes(&machine, &token);
    visits_pass(&machine, &token);
    forms_pass(&machine);
    attacks(&machine, &token);
    what_is_no_http(&machine);
    // Neither log has what a client keeps secret.
    let logs = machine.run("cat /var/log/nginx/*");
    assert!(logs.contains("ModSecurity: Access denied"), "{logs}");
    for secret in [token.as_str(), "open-sesame"] {
        assert!(!logs.contains(secret), "{secret}");
    }
}

fn passes(machine: &Machine, token: &str) {
    let bearer = r#"-H "Authorization: Bearer $TOKEN""#;
    let json = "-H 'Content-Type: application/json'";
    for (arguments, expected) in [
        // A visit is a POST without a body, by whatever client, to whatever host.
        (
            format!("-X POST {bearer} http://192.0.2.1/api/counters/signup"),
            200,
        ),
        (format!("-d '' {bearer} {SITE}/api/counters/signup"), 200),
        (
            format!("-X POST {bearer} {SITE}/api/counters/backup.sql"),
            200,
        ),
        (
            format!("-X POST {bearer} {SITE}/api/counters/web.config"),
            200,
        ),
        (
            format!("-X POST {bearer} {SITE}/api/counters/wp-config.php"),
            200,
        ),
        (
            format!("-X POST {bearer} {SITE}/api/counters/select.from-users"),
            200,
        ),
        (
            format!("{bearer} '{SITE}/api/counters?limit=10&cursor=1-7369676e7570'"),
            200,
        ),
        (format!("-I {bearer} {SITE}/api/count"), 200),
        (format!("{SITE}/"), 200),
        (format!("{SITE}/swagger/"), 200),
        (format!("{SITE}/openapi.json"), 200),
        // As load balancers ask.
        (
            "--http1.0 -H Host: -H User-Agent: -H Accept: http://192.0.2.1/api/ping".to_owned(),
            200,
        ),
        (
            "-H 'User-Agent;' -H Accept: http://192.0.2.1/healthz".to_owned(),
            200,
        ),
    ] {
        assert_eq!(status(machine, token, &arguments), expected, "{arguments}");
    }
    // It is the replica that says no to these, and not the filter.
    for arguments in [
        format!("-X PUT {bearer} {json} -d '{{}}' {SITE}/api/counters/signup"),
        format!("-X DELETE {bearer} {SITE}/api/counters/signup"),
        format!("-H 'Content-Type: application/x-ndjson' -d '{{}}' {SITE}/auth/login"),
    ] {
        let status = status(machine, token, &arguments);
        assert!([405, 415].contains(&status), "{arguments}: {status}");
    }
    for key in [
        "order-4711",
        "'\"8e03978e\"'",
        "\"a';--\"",
        "'<script>alert(1)</script>'",
        "'() { :; };'",
        "'${jndi:ldap://x/a}'",
        "../../order",
    ] {
        let arguments =
            format!("-X POST {bearer} -H Idempotency-Key:{key} {SITE}/api/counters/keys");
        // A space is no visible character.
        let expected = if key.contains(' ') { 400 } else { 200 };
        assert_eq!(status(machine, token, &arguments), expected, "{arguments}");
    }
    for password in [
        "open-sesame OR 1=1 --",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "$(cat /etc/passwd)",
        "${jndi:ldap://x}",
    ] {
        let body = serde_json::json!({ "username": "admin", "password": password });
        let arguments = format!("{json} -d '{body}' {SITE}/auth/login");
        assert_eq!(status(machine, token, &arguments), 401, "{arguments}");
    }
}

/// Forms of the console: what people type, and where they came from.
fn forms_pass(machine: &Machine) {
    let page = "-H 'Accept: text/html' -H 'Sec-Fetch-Site: same-origin'";
    let fields = "-d username=admin -d password=password -d next=";
    let arguments = format!("{page} -c /run/jar {fields} {SITE}/console/login");
    assert_eq!(status(machine, "", &arguments), 303);
    for typed in TYPED {
        let encoded = typed.replace('\'', "'\\''");
        machine.run(&format!("printf '%s' '{encoded}' > /run/typed"));
        let fields = "--data-urlencode username@/run/typed --data-urlencode password@/run/typed --data-urlencode next@/run/typed";
        let arguments = format!("{page} {fields} {SITE}/console/login");
        // The service itself says no, in the end to all that comes from here.
        let status_of_login = status(machine, "", &arguments);
        assert!(
            [401, 429].contains(&status_of_login),
            "{typed}: {status_of_login}"
        );
        // Steps out of a folder are looked for in all of an address, whatever they are for.
        let expected = if typed.contains("/../") { 403 } else { 200 };
        let arguments = format!("{page} -G --data-urlencode next@/run/typed {SITE}/console/login");
        assert_eq!(status(machine, "", &arguments), expected, "{typed}");
    }
    let token = machine.run("grep footfall-csrf /run/jar | cut -f 7");
    let fields = format!(
        "-d email=x -d csrf_token={} --data-urlencode username@/run/typed",
        token.trim()
    );
    let arguments = format!("{page} -b /run/jar {fields} {SITE}/console/users/invite");
    assert_eq!(status(machine, "", &arguments), 422);
    let arguments = format!("{page} -b /run/jar '{SITE}/console/users?state=active&role='");
    assert_eq!(status(machine, "", &arguments), 200);
    // An attack is a page for browsers.
    let arguments = format!("{page} -A 'sqlmap/1.7' {SITE}/console/");
    assert_eq!(status(machine, "", &arguments), 403);
    assert!(
        machine
            .run("cat /run/body")
            .contains("A filter before the service")
    );
}

/// What somebody may have typed into the address of a page.
const TYPED: [&str; 6] = [
    "/pricing?q=<script>alert(1)</script>",
    "/?q=1' OR '1'='1' UNION SELECT password FROM users--",
    "/../../etc/passwd",
    "/?q=;cat /etc/passwd",
    "/?q=${jndi:ldap://x/a}",
    "/.env",
];

/// Sends a body that is in a file.
fn sent(machine: &Machine, token: &str, body: &str, arguments: &str) -> u16 {
    let encoded = body.replace('\'', "'\\''");
    machine.run(&format!("printf '%s' '{encoded}' > /run/sent"));
    status(
        machine,
        token,
        &format!("--data-binary @/run/sent {arguments}"),
    )
}

/// JSON, NDJSON, and what web pages send.
fn visits_pass(machine: &Machine, token: &str) {
    let bearer = r#"-H "Authorization: Bearer $TOKEN""#;
    let json = "-H 'Content-Type: application/json'";
    let lines = "-H 'Content-Type: application/x-ndjson'";
    for typed in TYPED {
        let visit = serde_json::json!({
            "visitor": typed, "path": typed, "referrer": typed, "campaign": typed, "country": "DE",
            "properties": { "plan": typed, "select": 1, "on": true },
        });
        let to = format!("{json} {bearer} {SITE}/api/counters/shop");
        assert_eq!(
            sent(machine, token, &visit.to_string(), &to),
            200,
            "{typed}"
        );
        let line = serde_json::json!({ "counter": "shop", "path": typed });
        let to = format!("{lines} {bearer} {SITE}/api/visits");
        assert_eq!(
            sent(machine, token, &format!("{line}\n{line}\n"), &to),
            200,
            "{typed}"
        );
        let erased = serde_json::json!({ "visitor": typed }).to_string();
        let to = format!("{json} {bearer} {SITE}/api/visitors/erase");
        assert_eq!(sent(machine, token, &erased, &to), 204, "{typed}");
        let asked = serde_json::json!({ "include": { "all": [{ "visitor_property": "plan", "in": [typed] }] } });
        let to = format!("{json} {bearer} {SITE}/api/build-filter");
        assert_eq!(
            sent(machine, token, &asked.to_string(), &to),
            200,
            "{typed}"
        );
        let page = serde_json::json!({ "key": "ffw_none", "path": typed }).to_string();
        let to = format!(
            "-H 'Content-Type: text/plain' -H 'Origin: https://shop.example' {SITE}/collect"
        );
        assert_eq!(sent(machine, token, &page, &to), 403, "{typed}");
        let code = machine.run("jq -r .code /run/body");
        assert_eq!(
            code.trim(),
            "invalid_write_key",
            "it is the replica that says no"
        );
        let image =
            format!("-G --data-urlencode 'path@/run/typed' '{SITE}/collect.gif?key=ffw_none'");
        let encoded = typed.replace('\'', "'\\''");
        machine.run(&format!("printf '%s' '{encoded}' > /run/typed"));
        assert!(!is_refused(machine, token, &image), "{typed}");
    }
    // As many lines, and as long, as are taken.
    machine.run(r#"for n in $(seq 1000); do printf '{"counter":"shop","path":"/%0480d","referrer":"%0480d"}\n' $n $n; done > /run/sent"#);
    let to = format!("--data-binary @/run/sent {lines} {bearer} {SITE}/api/visits");
    assert_eq!(status(machine, token, &to), 200);
    let counted = machine.run("grep -c visits /run/body");
    assert_eq!(counted.trim(), "1000");
}

fn attacks(machine: &Machine, token: &str) {
    let json = "-H 'Content-Type: application/json'";
    for arguments in [
        format!("'{SITE}/api/counters?cursor=1%27%20OR%20%271%27=%271'"),
        format!("'{SITE}/api/counters?cursor=1%20UNION%20SELECT%20password%20FROM%20users--'"),
        format!("'{SITE}/api/counters?cursor=../../../../etc/passwd'"),
        format!("'{SITE}/api/counters/..%2f..%2fetc%2fpasswd'"),
        format!("'{SITE}/?q=%3Cscript%3Ealert(1)%3C/script%3E'"),
        format!("'{SITE}/?q=;cat%20/etc/passwd'"),
        format!("'{SITE}/?q=%24%7Bjndi:ldap://x/a%7D'"),
        format!("'{SITE}/.env'"),
        format!("'{SITE}/.git/config'"),
        format!("-A 'sqlmap/1.7' {SITE}/"),
        format!("-A '() {{ :; }}; /bin/bash -c id' {SITE}/"),
        format!(
            r#"{json} -d '{{"username":"<script>alert(1)</script>","password":"x"}}' {SITE}/auth/login"#
        ),
        format!("-X TRACK {SITE}/"),
        format!("-H 'Content-Type: text/xml' -d '<a/>' {SITE}/auth/login"),
    ] {
        assert_eq!(status(machine, token, &arguments), 403, "{arguments}");
        let problem = machine.run("jq -r .title /run/body");
        assert_eq!(problem.trim(), "Forbidden", "{arguments}");
    }
}

/// These have no headers that a rule could look at.
fn what_is_no_http(machine: &Machine) {
    for path in ["/../../etc/passwd", "/%00"] {
        let arguments = format!("'{SITE}{path}'");
        assert_eq!(status(machine, "", &arguments), 400, "{path}");
        let code = machine.run("jq -r .code /run/body");
        assert_eq!(code.trim(), "bad_request", "{path}");
    }
}

/// Without its exceptions the set refuses what the page says it would, so they
/// are not there for nothing.
#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn each_exception_is_needed() {
    let machine = protected();
    let token = token(&machine);
    let bearer = r#"-H "Authorization: Bearer $TOKEN""#;
    for (exception, arguments) in [
        (
            10001,
            format!("-X DELETE {bearer} {SITE}/api/counters/signup"),
        ),
        (
            10002,
            "-H 'User-Agent;' -H Accept: http://192.0.2.1/api/ping".to_owned(),
        ),
        (
            10003,
            format!("-X POST {bearer} {SITE}/api/counters/backup.sql"),
        ),
        (
            10004,
            format!("-X POST {bearer} -H 'Idempotency-Key: ../../order' {SITE}/api/counters/keys"),
        ),
        (
            10005,
            format!(
                r#"-H 'Content-Type: application/json' -d '{{"username":"admin","password":"<script>alert(1)</script>"}}' {SITE}/auth/login"#
            ),
        ),
        (
            10006,
            format!(
                r#"-H 'Content-Type: application/json' {bearer} -d '{{"path":"/?q=<script>alert(1)</script>"}}' {SITE}/api/counters/shop"#
            ),
        ),
        (
            10007,
            format!("'{SITE}/collect.gif?key=ffw_none&path=%3Cscript%3Ealert(1)%3C/script%3E'"),
        ),
        (
            10008,
            format!(
                "-H 'Sec-Fetch-Site: same-origin' --data-urlencode 'username=<script>alert(1)</script>' -d password=x {SITE}/console/login"
            ),
        ),
    ] {
        assert!(!is_refused(&machine, &token, &arguments), "{arguments}");
        machine.run(&format!(
            "cp /etc/footfall/waf/main.conf /run/kept
             echo 'SecRuleRemoveById {exception}' >> /etc/footfall/waf/main.conf
             systemctl restart nginx"
        ));
        assert!(is_refused(&machine, &token, &arguments), "{arguments}");
        machine.run("cp /run/kept /etc/footfall/waf/main.conf; systemctl restart nginx");
    }
}
