//! Without a mail server.

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::support::Footfall;

const RESET: &str = r#"{"name":"reset","link":"01890000-0000-7000-8000-000000000001"}"#;

/// As after `./start.sh local`: the link is in the log.
#[tokio::test]
async fn on_a_laptop_mails_are_files_and_the_link_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let builder = Footfall::builder().directory(folder.path());
    let builder = builder.env("FOOTFALL_ENV", "development");
    let footfall = builder
        .env("FOOTFALL_PUBLIC_URL", "http://127.0.0.1:8000")
        .start();
    let outbox = File::of(folder.path());
    outbox.post("somebody@b.example", RESET);
    footfall
        .metric_becomes("footfall_mails_sent_total", 1.0)
        .await;
    let logged =
        footfall.logged("a mail was written to a file, since FOOTFALL_SMTP_URL is not set");
    assert_eq!(logged["level"], "INFO");
    let link = logged["link"].as_str().unwrap();
    let token = link
        .strip_prefix("http://127.0.0.1:8000/console/reset?token=")
        .unwrap();
    // The id of the link and its signature, of 48 bytes.
    assert_eq!(token.len(), 64);
    let file = folder.path().join(logged["file"].as_str().unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    let message = fs::read_to_string(&file).unwrap();
    assert!(message.contains("To: somebody@b.example\r\n"), "{message}");
    let text = message.replace("=\r\n", "").replace("=3D", "=");
    assert!(text.contains(link), "{text}");
    assert_eq!(outbox.states(), "sent|1");
    assert!(!footfall.log().join("\n").contains("somebody@"));
}

/// What opens an account is neither in a file nor in the log, and waits for a server.
#[tokio::test]
async fn in_production_mails_wait_for_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let builder = Footfall::builder().directory(folder.path());
    let builder = builder.env("FOOTFALL_ENV", "production");
    let footfall = builder
        .env("FOOTFALL_ADMIN_PASSWORD", "another password")
        .start();
    let outbox = File::of(folder.path());
    outbox.post("somebody@b.example", RESET);
    let series = "footfall_mail_tries_failed_total{reason=\"no_server\"}";
    footfall.metric_becomes(series, 1.0).await;
    footfall.metric_becomes("footfall_mails_queued", 1.0).await;
    let warned = footfall.logged("mails cannot be sent; each is tried again for a day");
    assert_eq!(warned["failure"], "FOOTFALL_SMTP_URL is not set");
    assert_eq!(outbox.states(), "waiting|1");
    assert!(!folder.path().join("data/mail").exists());
    assert!(!footfall.log().join("\n").contains("token="));
}

/// It is said, and tried again.
#[tokio::test]
async fn a_folder_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/mail"), "a file").unwrap();
    let footfall = Footfall::builder().directory(folder.path()).start();
    let outbox = File::of(folder.path());
    outbox.post("somebody@b.example", RESET);
    footfall
        .metric_becomes("footfall_mail_tries_failed_total{reason=\"folder\"}", 1.0)
        .await;
    assert_eq!(outbox.states(), "waiting|1");
    fs::remove_file(folder.path().join("data/mail")).unwrap();
    outbox.end_leases();
    footfall
        .metric_becomes("footfall_mails_sent_total", 1.0)
        .await;
    footfall.logged("mails are sent again");
}

/// To count what waits takes longer the more there is: if that were done for each mail, a thousand would
/// take a million looks.
#[tokio::test]
async fn what_waits_is_counted_once_in_a_while() {
    const MAILS: u32 = 200;
    let begin = std::time::Instant::now();
    let place = crate::support::people::postgres(&[]).await;
    let database = place.replicas[0].database.clone().unwrap();
    let written = database.write("post", |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            for _ in 0..MAILS {
                enqueue(
                    connection,
                    &to("somebody@b.example", Template::EmailChanged),
                )
                .await?;
            }
            Ok(())
        })
    });
    written.await.unwrap();
    let sent = place.letters_sent("somebody@b.example").await;
    assert_eq!(sent, MAILS as usize);
    let operations = async |name: &str| {
        let series = format!(
            "footfall_database_operation_duration_seconds_count{{operation=\"{name}\",outcome=\"ok\"}}"
        );
        let mut all = 0.0;
        for replica in &place.replicas {
            all += replica.metric(&series).await.unwrap_or_default();
        }
        all
    };
    let looks = operations("mail_look").await;
    assert!(operations("mail_claim").await >= f64::from(MAILS));
    // Each replica once in two seconds, and once at its start.
    let most = 2.0 * (begin.elapsed().as_secs_f64() / 2.0 + 2.0);
    assert!(
        (1.0..=most).contains(&looks),
        "{looks} in {:?}",
        begin.elapsed()
    );
}
