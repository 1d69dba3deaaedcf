//! What the stack is told by `.env`: as Compose reads it, and not otherwise.

use std::{fs, net::TcpListener, process::Command};

use super::{Tree, both};
use crate::support::process::free_port;

/// A part of what Compose v2 prints, which has ports in another form and order than 1.29.
const COMPOSE_2: &str = r#"name: footfall
services:
  footfall:
    environment:
      FOOTFALL_LISTEN: unix:/run/footfall/{slot}.sock
      REDIS_URL: redis://redis:6379
    image: footfall:latest
    networks:
      store: null
    volumes:
      - type: volume
        source: sockets
        target: /run/footfall
        volume: {}
  nginx:
    image: nginx:1.28-bookworm
    ports:
      - mode: ingress
        host_ip: 127.0.0.1
        target: 80
        published: "18201"
        protocol: tcp
      - mode: ingress
        target: 443
        published: "18202"
        protocol: tcp
    volumes:
      - type: bind
        source: /footfall/config/nginx.conf
        target: /etc/nginx/nginx.conf
        read_only: true
networks:
  store:
    name: footfall_store
volumes:
  sockets:
    name: footfall_sockets
x-example:
  nginx:
    ports:
      - target: 80
        published: "18203"
"#;

impl Tree {
    /// Writes these lines after those that are shipped.
    fn extend_env(&self, lines: &str) {
        let shipped = fs::read_to_string(format!("{}/.env", super::ROOT)).unwrap();
        fs::write(self.path(".env"), shipped + lines).unwrap();
    }

    /// With no port but what `.env` says.
    fn start_as_said(&self, stack: &str) -> Command {
        let mut command = self.start_stack(stack);
        command.env_remove("HTTP_PORT").env_remove("HTTPS_PORT");
        command
    }

    /// With this instead of Compose's own answer.
    fn start_answered(&self, stack: &str, answer: &str) -> Command {
        fs::write(self.path("answer"), answer).unwrap();
        let mut command = self.start_as_said(stack);
        command.env("ANSWER", self.path("answer"));
        command
    }
}

#[track_caller]
fn assert_home_page(command: &mut Command, url: &str) {
    let output = command.output().unwrap();
    let said = both(&output);
    assert!(output.status.success(), "{said}");
    let line = format!("  Home page    {url}/\n");
    assert!(said.contains(&line), "{url}: {said}");
    assert!(said.contains("  Log in       as admin;"), "{said}");
}

/// Each way to write it: a port in use is found.
#[test]
fn the_port_of_env_is_the_one_looked_at() {
    let tree = Tree::with_docker();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for lines in [
        "HTTP_PORT=\"{port}\"\n",
        "HTTP_PORT='{port}'\n",
        "HTTP_PORT={port} # not 80\n",
        "HTTP_PORT={port}\r\nIMAGE=other\r\n",
        "HTTP_PORT=18201\nHTTP_PORT={port}\n",
        "HTTP_PORT=${OF_NOBODY:-{port}}\n",
        "MINE={port}\nHTTP_PORT=${MINE}\n",
        "export HTTP_PORT={port}\n",
        "HTTP_PORT=127.0.0.1:{port}",
    ] {
        tree.extend_env(&lines.replace("{port}", &port.to_string()));
        let why = format!(
            "port {port} is in use by something else; stop that, or say another: HTTP_PORT=8080"
        );
        tree.assert_nothing_started(&mut tree.start_as_said("nginx"), &why);
    }
    // A byte order mark before it.
    let marked = format!("\u{feff}HTTP_PORT={port}\nGRAFANA_PASSWORD=password\n");
    fs::write(tree.path(".env"), marked).unwrap();
    tree.assert_nothing_started(
        &mut tree.start_as_said("nginx"),
        &format!("port {port} is in use"),
    );
}

#[test]
fn the_address_shown_is_that_of_env() {
    let tree = Tree::with_docker();
    let [http, https] = [free_port(), free_port()];
    tree.extend_env(&format!(
        "HTTP_PORT=\"{http}\"\r\nHTTPS_PORT={https} # not 443\r\nIMAGE='registry.example/footfall:1'\r\n"
    ));
    assert_home_page(
        &mut tree.start_as_said("nginx"),
        &format!("http://localhost:{http}"),
    );
    assert!(
        tree.told()
            .contains("\nimage inspect registry.example/footfall:1\n")
    );
    for file in ["tls.crt", "tls.key"] {
        fs::write(tree.path(file), "").unwrap();
    }
    let mut command = tree.start_as_said("nginx");
    assert_home_page(
        command.env("TLS_DIR", "."),
        &format!("https://localhost:{https}"),
    );
    // The environment is stronger.
    let stronger = free_port().to_string();
    let mut command = tree.start_as_said("nginx");
    assert_home_page(
        command.env("HTTP_PORT", &stronger),
        &format!("http://localhost:{stronger}"),
    );
}

#[test]
fn compose_2_says_the_same_in_other_words() {
    let tree = Tree::with_docker();
    let https = free_port().to_string();
    let both_ports = COMPOSE_2.replace("18202", &https);
    let both_ports = both_ports.replace("18201", &free_port().to_string());
    let url = format!("https://localhost:{https}");
    assert_home_page(&mut tree.start_answered("nginx", &both_ports), &url);
    let second = "      - mode: ingress\n        target: 443";
    let (before, rest) = COMPOSE_2.split_once(second).unwrap();
    let (_, after) = rest.split_once("protocol: tcp\n").unwrap();
    let plain = format!("{before}{after}");

    for (address, host, open) in [
        ("127.0.0.1", "localhost", false),
        ("127.0.0.2", "127.0.0.2", false),
        ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]", true),
        ("0.0.0.0", "localhost", true),
        ("", "localhost", true),
    ] {
        let http = free_port().to_string();
        let answer = plain.replace("127.0.0.1", address).replace("18201", &http);
        let output = tree.start_answered("nginx", &answer).output().unwrap();
        let said = both(&output);
        let line = format!("  Home page    http://{host}:{http}/\n");
        assert!(said.contains(&line), "{address}: {said}");
        assert_eq!(
            said.contains("others in your network"),
            open,
            "{address}: {said}"
        );
    }
    // Without nginx it is the replica's own.
    let http = free_port().to_string();
    let answer = plain
        .replace("18201", &http)
        .replace("target: 80", "target: 8000");
    let url = format!("http://localhost:{http}");
    assert_home_page(&mut tree.start_answered("basic", &answer), &url);
    // A port of its own is not said where it is the customary one.
    let customary = plain.replace("18201", "80");
    let output = tree.start_answered("nginx", &customary).output().unwrap();
    let said = both(&output);
    let refused = "start.sh: port 80 is in use by something else";
    assert!(
        said.contains("  Home page    http://localhost/\n") || said.contains(refused),
        "{said}"
    );
}

#[test]
fn one_port_is_looked_at_and_shown() {
    let tree = Tree::with_docker();
    for ports in ["18201-18210", "0"] {
        let answer = COMPOSE_2.replace("18201", ports);
        let why = format!("HTTP_PORT is {ports}; say one port");
        tree.assert_nothing_started(&mut tree.start_answered("nginx", &answer), &why);
    }
}

#[test]
fn a_redis_of_the_machine_itself_is_out_of_reach() {
    let tree = Tree::with_docker();
    for (url, itself) in [
        ("redis://127.0.0.1:6379", "127.0.0.1"),
        ("redis://127.0.0.2", "127.0.0.2"),
        ("redis://localhost", "localhost"),
        ("REDIS://LocalHost:6379/2", "localhost"),
        ("rediss://localhost.:6380", "localhost."),
        ("redis://redis.localhost", "redis.localhost"),
        ("redis://0.0.0.0:6379", "0.0.0.0"),
        ("redis://:secret%40@127.0.0.1:6379/0", "127.0.0.1"),
        ("redis://me:sec@ret@127.0.0.1", "127.0.0.1"),
        ("redis://[::1]:6379", "[::1]"),
        ("redis://[0:0:0:0:0:0:0:1]", "[0:0:0:0:0:0:0:1]"),
        ("redis://[::ffff:127.0.0.1]:6379", "[::ffff:127.0.0.1]"),
        ("valkey://127.0.0.1?db=1", "127.0.0.1"),
        (
            "redis+sentinel://a.example,127.0.0.1:26379/main",
            "127.0.0.1",
        ),
        (
            "rediss+sentinel://u:p@localhost/main/2?sentinel_password=x",
            "localhost",
        ),
        ("redis+cluster://10.0.0.1:7000,10.0.0.2,[::1]:7001", "[::1]"),
        ("unix:///run/redis.sock", "a Unix socket"),
        ("redis+unix:///run/redis.sock?db=1", "a Unix socket"),
        ("Unix:/run/redis.sock", "a Unix socket"),
    ] {
        let why = format!(
            "REDIS_URL leads to {itself}, which in a container is the container itself: unset it"
        );
        for quote in ["", "'", "\""] {
            let said = format!("REDIS_URL: {quote}{url}{quote}");
            let answer = COMPOSE_2.replace("REDIS_URL: redis://redis:6379", &said);
            let mut command = tree.start_answered("full", &answer);
            tree.assert_nothing_started(&mut command, &why);
        }
        let mut command = tree.start_stack("swarm");
        tree.assert_nothing_started(command.env("MANAGER", "true").env("REDIS_URL", url), &why);
    }
    for url in [
        "redis://redis.example:6379",
        "redis://u:localhost@redis.example/0",
        "redis://localhost:127.0.0.1@redis.example",
        "redis://localhost.example",
        "redis://127.0.0.1.example",
        "redis://10.127.0.1",
        "redis://[2001:db8::1]:6379",
        "redis+sentinel://a.example,b.example/localhost?sentinel_password=,localhost",
        "redis://host.docker.internal",
    ] {
        let answer = COMPOSE_2.replace("redis://redis:6379", url);
        let answer = answer.replace("18201", &free_port().to_string());
        let answer = answer.replace("18202", &free_port().to_string());
        let output = tree.start_answered("nginx", &answer).output().unwrap();
        assert!(output.status.success(), "{url}: {}", both(&output));
    }
}

/// The line that is shipped, without its `#`.
#[test]
fn the_redis_of_env_is_looked_at() {
    let tree = Tree::with_docker();
    let shipped = fs::read_to_string(tree.path(".env")).unwrap();
    let (before, after) = shipped.split_once("#REDIS_URL=").unwrap();
    fs::write(tree.path(".env"), format!("{before}REDIS_URL={after}")).unwrap();
    for stack in ["basic", "nginx", "monitoring", "full"] {
        let mut command = tree.start_stack(stack);
        tree.assert_nothing_started(
            &mut command,
            "REDIS_URL leads to 127.0.0.1, which in a container",
        );
    }
}
