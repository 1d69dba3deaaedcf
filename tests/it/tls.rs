//! Redis over TLS.

use std::process::Command;

use crate::support::{Footfall, footfall::AWAY};

#[tokio::test]
async fn redis_over_tls() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            &path("key.pem"),
            "-out",
            &path("cert.pem"),
        ])
        .output();
    assert!(
        made.expect("openssl is there; ./test.sh installs it")
            .status
            .success()
    );
    let port = crate::support::process::free_port();
    let _redis = crate::support::process::Process::spawn(
        Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--tls-port",
                &port.to_string(),
                "--tls-auth-clients",
                "no",
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args([
                "--tls-cert-file",
                &path("cert.pem"),
                "--tls-key-file",
                &path("key.pem"),
                "--dir",
                &path(""),
            ])
            .stdout(std::process::Stdio::null()),
    );
    let url = format!("rediss://localhost:{port}");
    let trusting = Footfall::builder()
        .env("REDIS_URL", &url)
        .env("SSL_CERT_FILE", path("cert.pem"))
        .start();
    trusting.logged("store is up");
    assert_eq!(
        trusting
            .client()
            .logged_in()
            .await
            .get("/api/count")
            .await
            .visits(),
        1
    );
    let wary = Footfall::builder().env("REDIS_URL", &url).start();
    wary.logged(AWAY);
    assert_eq!(
        wary.client()
            .logged_in()
            .await
            .get("/api/count")
            .await
            .status,
        503
    );
}
