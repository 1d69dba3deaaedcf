//! Redis over TLS.

use std::process::Command;

use crate::support::{Footfall, certificates::Certificate, footfall::AWAY};

#[tokio::test]
async fn redis_over_tls() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = Certificate::for_localhost(directory.path());
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
            .arg("--tls-cert-file")
            .arg(&certificate.certificate)
            .arg("--tls-key-file")
            .arg(&certificate.key)
            .arg("--dir")
            .arg(directory.path())
            .stdout(std::process::Stdio::null()),
    );
    let url = format!("rediss://localhost:{port}");
    let trusting = Footfall::builder()
        .env("REDIS_URL", &url)
        .env("SSL_CERT_FILE", certificate.certificate.display())
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
