//! `footfall doctor` about accounts: mail, clocks, and settings that may not be what was meant.

use std::{fs, process::Command};

use serde_json::json;

use crate::support::{
    Redis, certificates::Certificate, clock::Clock, footfall::footfall_command, postgres::Postgres,
    process::run, smtp::Smtp,
};

/// What it says on an embedded database with these settings, and whether all is well.
fn diagnosis(settings: &[(&str, &str)]) -> (bool, String) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = footfall_command();
    command
        .current_dir(directory.path())
        .envs(settings.iter().copied());
    told(command.arg("doctor"))
}

fn told(command: &mut Command) -> (bool, String) {
    let output = run(command);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        !said.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.success(), said)
}

/// The line of a finding and its hint.
#[track_caller]
fn finding<'a>(said: &'a str, start: &str) -> (&'a str, &'a str) {
    let mut lines = said.lines();
    let line = lines.find(|line| line.starts_with(start));
    let line = line.unwrap_or_else(|| panic!("{start}: {said}"));
    (line, lines.next().unwrap_or_default().trim())
}

#[test]
fn a_mail_server_is_asked_as_far_as_a_mail_would_go() {
    let smtp = Smtp::start();
    let (good, said) = diagnosis(&[("FOOTFALL_SMTP_URL", &smtp.url())]);
    let (line, _) = finding(&said, "ok    the mail server 127.0.0.1:");
    assert!(
        good && line.ends_with("takes mail from footfall@localhost"),
        "{said}"
    );
    assert_eq!((smtp.steps("mail"), smtp.steps("rcpt")), (1, 0));
    assert!(smtp.taken().is_empty());
}

#[test]
fn each_way_in_which_no_mail_leaves_has_its_hint() {
    let smtp = Smtp::start();
    for (step, answer, why, hint) in [
        (
            "connect",
            "554 5.7.1 no",
            "answered 554 5.7.1 to its greeting",
            "FOOTFALL_MAIL_FROM",
        ),
        (
            "connect",
            "421 4.3.2 busy",
            "answered 421 4.3.2 to its greeting",
            "asked again later",
        ),
        ("ehlo", "drop", "", "look at FOOTFALL_SMTP_URL, at its port"),
        (
            "mail",
            "550 5.7.1 not you",
            "answered 550 5.7.1 to MAIL FROM",
            "FOOTFALL_MAIL_FROM",
        ),
        (
            "mail",
            "451 4.7.1 later",
            "answered 451 4.7.1 to MAIL FROM",
            "asked again later",
        ),
        (
            "mail",
            "530 5.7.0 who?",
            "answered 530 5.7.0 to MAIL FROM",
            "user and password",
        ),
        ("mail", "drop", "", "look at FOOTFALL_SMTP_URL, at its port"),
    ] {
        smtp.fault(step, answer);
        let (good, said) = diagnosis(&[("FOOTFALL_SMTP_URL", &smtp.url())]);
        smtp.heal(step);
        let (line, advice) = finding(&said, "FAIL  mails cannot leave by 127.0.0.1:");
        assert!(!good && line.contains(why), "{step} {answer}: {said}");
        assert!(advice.contains(hint), "{step} {answer}: {said}");
    }
    let url = smtp.url();
    drop(smtp);
    let (good, said) = diagnosis(&[("FOOTFALL_SMTP_URL", &url)]);
    let (line, advice) = finding(&said, "FAIL  mails cannot leave by 127.0.0.1:");
    assert!(!good && line.contains("refused"), "{said}");
    assert!(advice.contains("by 465 (smtps) or 587"), "{said}");
}

#[test]
fn the_user_of_the_mail_server_logs_in() {
    let smtp = Smtp::with(json!({ "user": ["clerk", "pa ss"] }));
    let url = |user: &str| smtp.url().replace("//", &format!("//{user}@"));
    let (good, said) = diagnosis(&[("FOOTFALL_SMTP_URL", &url("clerk:pa%20ss"))]);
    let (line, _) = finding(&said, "ok    the mail server");
    assert!(good && line.ends_with("and clerk as its user"), "{said}");
    let (good, said) = diagnosis(&[("FOOTFALL_SMTP_URL", &url("clerk:hidden"))]);
    let (line, advice) = finding(&said, "FAIL  mails cannot leave");
    assert!(!good && line.contains("535"), "{said}");
    assert!(advice.contains("percent-encoded"), "{said}");
    assert!(!said.contains("hidden"), "{said}");
}

#[test]
fn what_is_demanded_of_encryption_is_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = Certificate::for_localhost(directory.path());
    let trusted = certificate.certificate.to_str().unwrap();
    let pair = json!([certificate.certificate, certificate.key]);
    let (plain, starttls, tls) = (
        Smtp::start(),
        Smtp::with(json!({ "tls": pair, "required": true })),
        Smtp::with(json!({ "tls": pair, "implicit": true })),
    );
    for (url, authority, good) in [
        (
            format!("smtp://localhost:{}?starttls", starttls.port),
            trusted,
            true,
        ),
        (format!("smtps://localhost:{}", tls.port), trusted, true),
        (
            format!("smtp://localhost:{}?starttls", starttls.port),
            "",
            false,
        ),
        (format!("smtps://localhost:{}", tls.port), "", false),
        (
            format!("smtp://localhost:{}?starttls", plain.port),
            trusted,
            false,
        ),
    ] {
        let mut settings = vec![("FOOTFALL_SMTP_URL", url.as_str())];
        if !authority.is_empty() {
            settings.push(("SSL_CERT_FILE", authority));
        }
        let (well, said) = diagnosis(&settings);
        assert_eq!(well, good, "{url}: {said}");
        if !good {
            let (_, advice) = finding(&said, "FAIL  mails cannot leave by localhost:");
            assert!(advice.contains("SSL_CERT_FILE"), "{url}: {said}");
        }
    }
}

/// On a laptop that is as it should be; in production somebody will wait for a mail.
#[test]
fn without_a_mail_server() {
    let (good, said) = diagnosis(&[]);
    let (line, _) = finding(&said, "ok    no mail is sent");
    assert!(good && line.contains("data/mail"), "{said}");
    let production = [
        ("FOOTFALL_ENV", "production"),
        ("SECRET_KEY", "a key of more than thirty-two bytes, at last"),
        ("FOOTFALL_ADMIN_PASSWORD", "not the demo one"),
    ];
    let (good, said) = diagnosis(&production);
    let (line, advice) = finding(&said, "warn  no mail is sent");
    assert!(good && line.contains("nobody can be invited"), "{said}");
    assert!(advice.contains("footfall admin"), "{said}");
    let (_, advice) = finding(&said, "warn  FOOTFALL_PUBLIC_URL is not set");
    assert!(advice.contains("https://"), "{said}");
    finding(&said, "ok    nobody may found a company");
}

#[test]
fn where_people_reach_it_and_who_may_come() {
    for (url, registration, expected) in [
        (
            "https://f.example",
            "open",
            [
                "ok    people reach it at https://f.example",
                "ok    anyone may found",
            ],
        ),
        (
            "http://f.example",
            "closed",
            [
                "ok    people reach it at http://f.example",
                "ok    nobody may register",
            ],
        ),
    ] {
        let (good, said) = diagnosis(&[
            ("FOOTFALL_PUBLIC_URL", url),
            ("FOOTFALL_REGISTRATION", registration),
        ]);
        assert!(good, "{said}");
        for expected in expected {
            finding(&said, expected);
        }
    }
    let (good, said) = diagnosis(&[
        ("FOOTFALL_ENV", "production"),
        ("SECRET_KEY", "a key of more than thirty-two bytes, at last"),
        ("FOOTFALL_ADMIN_PASSWORD", "not the demo one"),
        ("FOOTFALL_PUBLIC_URL", "http://localhost:8000"),
    ]);
    let (line, _) = finding(&said, "warn  people reach it at http://localhost:8000");
    assert!(good && line.contains("cookies are not kept"), "{said}");
}

/// Beside Redis without a database there are none.
#[test]
fn nothing_is_said_of_accounts_where_there_are_none() {
    let redis = Redis::start();
    let (_, said) = diagnosis(&[("REDIS_URL", &redis.url())]);
    for word in ["mail", "company", "people reach it"] {
        assert!(!said.contains(word), "{word}: {said}");
    }
}

#[test]
fn clocks_that_differ_are_named() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let url = postgres.url("migrated");
    let clock = Clock::new();
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("data")).unwrap();
    let ask = |seconds: i64| {
        clock.set(seconds);
        let mut command = footfall_command();
        command
            .current_dir(directory.path())
            .env("REDIS_URL", redis.url())
            .env("DATABASE_URL", &url)
            .envs(clock.environment());
        told(command.arg("doctor")).1
    };
    let said = ask(0);
    assert!(
        said.contains("its clock agrees with this machine's"),
        "{said}"
    );
    assert!(said.contains("the database's clock agrees"), "{said}");
    for seconds in [5, -5, 86_400] {
        let said = ask(seconds);
        for whose in ["its clock", "the database's clock"] {
            let named = format!("{whose} and this machine's differ by ");
            let at = said
                .find(&named)
                .unwrap_or_else(|| panic!("{whose}: {said}"));
            assert!(
                said[at..].lines().nth(1).unwrap().contains("timedatectl"),
                "{said}"
            );
        }
    }
}
