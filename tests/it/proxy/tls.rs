//! TLS in front of the same routes.

use std::{fs, os::unix::fs::MetadataExt, process::Command};

use crate::support::{
    Reply,
    proxy::{CONFIG, Prepared, Proxy, send},
};

/// Asks as curl does; it trusts the certificate of config/tls/self-signed.sh.
fn curl(proxy: &Proxy, url: &str, arguments: &[&str]) -> Reply {
    let output = Command::new("curl")
        .args(["-sSi", "--http1.1", "--max-time", "30", "--cacert"])
        .arg(proxy.path("tls/tls.crt"))
        .args(arguments)
        .arg(url)
        .output()
        .expect("curl is there; ./test.sh installs it");
    assert!(output.status.success(), "{output:?}");
    Reply::parse(&output.stdout)
}

#[tokio::test]
async fn plain_http_is_sent_to_tls() {
    let proxy = Prepared::new("tls.conf").start();
    let mut client = proxy.client();
    let path = "/api/count?a=b%20c&d";
    for reply in [client.get(path).await, client.post(path).await] {
        assert_eq!(reply.status, 308, "the method is kept");
        assert_eq!(
            reply.header("location"),
            Some("https://localhost/api/count?a=b%20c&d")
        );
        assert_eq!(reply.header("strict-transport-security"), None);
        assert_eq!(reply.header("server"), Some("nginx"));
    }
    fs::create_dir_all(proxy.path("acme/.well-known/acme-challenge")).unwrap();
    fs::write(
        proxy.path("acme/.well-known/acme-challenge/token"),
        "the answer",
    )
    .unwrap();
    let reply = client.get("/.well-known/acme-challenge/token").await;
    assert_eq!(
        (reply.status.as_u16(), reply.text().as_str()),
        (200, "the answer")
    );
}

#[tokio::test]
async fn every_answer_over_tls_tells_to_stay_there() {
    let proxy = Prepared::new("tls.conf").start();
    let base = format!("https://{}", proxy.tls);
    let stays = |reply: &Reply| {
        let values = reply.headers.get_all("strict-transport-security");
        let values: Vec<_> = values.iter().collect();
        assert_eq!(values, ["max-age=31536000"], "{reply:?}");
    };
    let reply = curl(&proxy, &format!("{base}/api/count"), &[]);
    assert_eq!(reply.problem(), "no_replica");
    stays(&reply);

    let replica = proxy.replica().start();
    let token = replica.token().await;
    let bearer = format!("Authorization: Bearer {token}");
    for number in 1..=2 {
        let reply = curl(&proxy, &format!("{base}/api/count"), &["-H", &bearer]);
        assert_eq!(reply.visits(), number);
        stays(&reply);
    }
    for (path, status) in [
        ("/", 200),
        ("/swagger/swagger-ui.css", 200),
        ("/swagger/none.css", 404),
        ("/metrics", 404),
        ("/nowhere", 404),
        ("/api/count", 401),
    ] {
        let reply = curl(&proxy, &format!("{base}{path}"), &[]);
        assert_eq!(reply.status, status, "{path}");
        stays(&reply);
    }
    let reply = curl(&proxy, &base, &["-d", &"x".repeat(20_000)]);
    assert_eq!(reply.problem(), "payload_too_large");
    stays(&reply);
    // Plain HTTP on the port of TLS is no HTTP there.
    let reply = send(&proxy.tls, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(reply.problem(), "bad_request");
}

#[test]
fn old_tls_is_refused() {
    let proxy = Prepared::new("tls.conf").start();
    let connect = |version: &str| {
        let mut client = Command::new("openssl");
        client.args(["s_client", "-connect", &proxy.tls, version, "-CAfile"]);
        client.arg(proxy.path("tls/tls.crt"));
        // Else openssl itself would not even ask for the old ones.
        client.args(["-verify_return_error", "-cipher", "ALL:@SECLEVEL=0"]);
        client.stdin(std::process::Stdio::null()).output().unwrap()
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let output = connect(version);
        assert!(output.status.success(), "{version}: {output:?}");
    }
    for version in ["-tls1", "-tls1_1"] {
        let output = connect(version);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("alert protocol version"), "{version}: {said}");
    }
}

/// Only what encrypts and authenticates in one step, with keys that are made for each connection.
#[test]
fn weak_ciphers_are_refused() {
    let proxy = Prepared::new("tls.conf").start();
    let connect = |cipher: &str| {
        let mut client = Command::new("openssl");
        client.args(["s_client", "-connect", &proxy.tls, "-tls1_2", "-CAfile"]);
        client.arg(proxy.path("tls/tls.crt"));
        client.args(["-cipher", &format!("{cipher}:@SECLEVEL=0")]);
        client.stdin(std::process::Stdio::null()).output().unwrap()
    };
    for good in ["ECDHE+AESGCM", "ECDHE+CHACHA20"] {
        let output = connect(good);
        assert!(output.status.success(), "{good}: {output:?}");
    }
    for weak in [
        "ECDHE+AES+SHA",
        "ECDHE+AES+SHA256",
        "kRSA",
        "AES128-GCM-SHA256",
        "DHE",
        "NULL",
        "aNULL",
    ] {
        let output = connect(weak);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("alert handshake failure"), "{weak}: {said}");
    }
}

#[test]
fn a_certificate_for_trying_names_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join("tls").join(name);
    let run = |hosts: &[&str]| {
        let mut script = Command::new(format!("{CONFIG}/tls/self-signed.sh"));
        script.arg(path("")).args(hosts).output().unwrap()
    };
    for host in ["a,b", "-x", "", "a b", "300.0.0.1"] {
        let refused = run(&[host]);
        assert_eq!(refused.status.code(), Some(1), "{host}");
        let left = fs::read_dir(path("")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{host}");
    }
    let made = run(&[
        "footfall.example",
        "*.footfall.example",
        "192.0.2.7",
        "2001:db8::7",
    ]);
    assert!(made.status.success(), "{made:?}");
    let names = Command::new("openssl")
        .args([
            "x509",
            "-noout",
            "-ext",
            "subjectAltName,basicConstraints",
            "-in",
        ])
        .arg(path("tls.crt"))
        .output();
    let names = String::from_utf8(names.unwrap().stdout).unwrap();
    for name in [
        "DNS:localhost, IP Address:127.0.0.1, DNS:footfall.example, DNS:*.footfall.example, ",
        "IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7",
        "CA:FALSE",
    ] {
        assert!(names.contains(name), "{names}");
    }
    let key = path("tls.key").metadata().unwrap();
    assert_eq!(key.mode() & 0o777, 0o640);
    let said = String::from_utf8(made.stdout).unwrap();
    if rustix::process::geteuid().is_root() {
        assert_eq!(key.gid(), 65532);
    } else {
        assert!(said.contains("chgrp 65532"), "{said}");
    }
    // What is there stays.
    let before = fs::read(path("tls.key")).unwrap();
    fs::remove_file(path("tls.crt")).unwrap();
    let again = run(&[]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert_eq!(fs::read(path("tls.key")).unwrap(), before);
    assert!(!path("tls.crt").exists());
}
