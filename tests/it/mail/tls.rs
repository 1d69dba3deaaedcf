//! Encryption and credentials, as `FOOTFALL_SMTP_URL` asks for them. Processes, since whom they trust
//! comes from their environment.

use serde_json::json;

use super::*;
use crate::support::{Footfall, certificates::Certificate, smtp::Smtp};

/// A service with one mail to send.
async fn service(folder: &Path, url: &str, trusted: Option<&Certificate>) -> Footfall {
    let builder = Footfall::builder()
        .directory(folder)
        .env("FOOTFALL_SMTP_URL", url);
    let builder = match trusted {
        Some(certificate) => builder.env("SSL_CERT_FILE", certificate.certificate.display()),
        None => builder,
    };
    let footfall = builder.start();
    File::of(folder).post("somebody@b.example", r#"{"name":"email_changed"}"#);
    footfall
}

struct Case {
    server: serde_json::Value,
    url: &'static str,
    trusted: bool,
    /// Whether it arrives, encrypted and authenticated, or why not.
    expected: Result<(bool, bool), &'static str>,
}

fn cases(certificate: &Certificate) -> Vec<Case> {
    let tls = json!([certificate.certificate, certificate.key]);
    let user = json!(["me", "pa:ss/wörd"]);
    let implicit = json!({ "tls": tls, "implicit": true, "user": user });
    let starttls = json!({ "tls": tls, "required": true, "user": user });
    let offered = json!({ "tls": tls });
    let plain = json!({});
    let case = |server: &serde_json::Value, url, trusted, expected| Case {
        server: server.clone(),
        url,
        trusted,
        expected,
    };
    vec![
        case(
            &implicit,
            "smtps://me:pa%3Ass%2Fw%C3%B6rd@localhost:PORT",
            true,
            Ok((true, true)),
        ),
        case(
            &implicit,
            "smtps://me:wrong@localhost:PORT",
            true,
            Err("credentials"),
        ),
        case(
            &implicit,
            "smtps://localhost:PORT",
            true,
            Err("credentials"),
        ),
        case(
            &implicit,
            "smtps://me:pa%3Ass%2Fw%C3%B6rd@localhost:PORT",
            false,
            Err("tls"),
        ),
        // The certificate is for a name.
        case(
            &implicit,
            "smtps://me:pa%3Ass%2Fw%C3%B6rd@127.0.0.1:PORT",
            true,
            Err("tls"),
        ),
        case(
            &starttls,
            "smtp://me:pa%3Ass%2Fw%C3%B6rd@localhost:PORT?starttls",
            true,
            Ok((true, true)),
        ),
        case(
            &starttls,
            "smtp://me:pa%3Ass%2Fw%C3%B6rd@localhost:PORT",
            true,
            Ok((true, true)),
        ),
        case(
            &starttls,
            "smtp://me:pa%3Ass%2Fw%C3%B6rd@localhost:PORT?starttls",
            false,
            Err("tls"),
        ),
        case(
            &starttls,
            "smtp://localhost:PORT?starttls=off",
            true,
            Err("credentials"),
        ),
        case(&offered, "smtp://localhost:PORT", true, Ok((true, false))),
        case(&offered, "smtp://localhost:PORT", false, Err("tls")),
        case(
            &offered,
            "smtp://localhost:PORT?starttls=off",
            false,
            Ok((false, false)),
        ),
        case(
            &plain,
            "smtp://localhost:PORT?starttls=opportunistic",
            false,
            Ok((false, false)),
        ),
        case(&plain, "smtp://localhost:PORT?starttls", true, Err("tls")),
        case(
            &plain,
            "smtp://me:x@localhost:PORT",
            true,
            Err("credentials"),
        ),
        // No address of this machine, though Linux takes it for one: others could read the password.
        case(
            &json!({ "user": user }),
            "smtp://me:secret@0.0.0.0:PORT",
            true,
            Err("tls"),
        ),
        case(&plain, "smtps://localhost:PORT", true, Err("tls")),
    ]
}

#[tokio::test]
async fn each_way_to_a_server() {
    let certificates = tempfile::tempdir().unwrap();
    let certificate = Certificate::for_localhost(certificates.path());
    for Case {
        server,
        url,
        trusted,
        expected,
    } in cases(&certificate)
    {
        let (smtp, folder) = (Smtp::with(server.clone()), tempfile::tempdir().unwrap());
        let full = url.replace("PORT", &smtp.port.to_string());
        let trusted = trusted.then_some(&certificate);
        println!("{url} at {server}");
        let footfall = service(folder.path(), &full, trusted).await;
        match expected {
            Ok((encrypted, authenticated)) => {
                let taken = smtp.has_taken(1).await;
                let envelope = &taken[0].envelope;
                let found = (&envelope["tls"], &envelope["authenticated"]);
                assert_eq!(found, (&json!(encrypted), &json!(authenticated)), "{url}");
            }
            Err(reason) => {
                let series = format!("footfall_mail_tries_failed_total{{reason=\"{reason}\"}}");
                footfall.metric_becomes(&series, 1.0).await;
                let warned = footfall.logged("mails cannot be sent; each is tried again for a day");
                assert_eq!(warned["reason"], reason, "{url}");
                assert_eq!(smtp.taken().len(), 0, "{url}");
                assert!(reason != "tls" || smtp.steps("auth") == 0, "{url}");
                let states = File::of(folder.path()).states();
                assert_eq!(states, "waiting|1", "{url}: it is no fault of the mail");
            }
        }
        let log = footfall.log().join("\n");
        assert!(
            !log.contains("wörd") && !log.contains("w%C3") && !log.contains("somebody@"),
            "{log}"
        );
    }
}
