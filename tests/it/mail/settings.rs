//! What production wants of the settings, and what a laptop gets without any.

use super::*;

const PRODUCTION: [(&str, &str); 3] = [
    ("FOOTFALL_ENV", "production"),
    (
        "SECRET_KEY",
        "a-key-of-more-than-thirty-two-bytes-for-tests",
    ),
    ("FOOTFALL_ADMIN_PASSWORD", "another password"),
];

fn load(environment: &[(&str, &str)]) -> Result<Settings, String> {
    let variables = environment.iter();
    let sources = Sources {
        environment: variables
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        ..Sources::default()
    };
    Settings::load(&sources).map_err(|errors| errors.to_string())
}

const SMTP: (&str, &str) = ("FOOTFALL_SMTP_URL", "smtps://me:hunter2@mail.example");
const OWN: (&str, &str) = ("FOOTFALL_MAIL_FROM", FROM);
const PUBLIC: (&str, &str) = ("FOOTFALL_PUBLIC_URL", SITE);

#[test]
fn production_wants_what_mails_need() {
    for (more, complaints) in [
        (&[][..], &[][..]),
        (&[SMTP, OWN, PUBLIC], &[]),
        (&[SMTP, OWN, PUBLIC, ("FOOTFALL_REGISTRATION", "open")], &[]),
        (&[SMTP], &["FOOTFALL_MAIL_FROM", "FOOTFALL_PUBLIC_URL"]),
        (&[SMTP, OWN], &["links in mails begin with it"]),
        (&[SMTP, PUBLIC], &["from an address of yours"]),
        (
            &[("FOOTFALL_REGISTRATION", "open")],
            &["FOOTFALL_SMTP_URL is not set"],
        ),
        (
            &[("FOOTFALL_PUBLIC_URL", "http://visits.example")],
            &["wants https"],
        ),
        (&[("FOOTFALL_PUBLIC_URL", "http://127.0.0.1:8000")], &[]),
        (&[("FOOTFALL_PUBLIC_URL", "http://localhost")], &[]),
        (
            &[("FOOTFALL_MAIL_FROM", "me@b\u{fc}cher.example")],
            &["must be ASCII"],
        ),
        (
            &[("FOOTFALL_MAIL_FROM", "a@b.example, c@d.example")],
            &["expected an address"],
        ),
    ] {
        let loaded = load(&[&PRODUCTION, more].concat());
        match loaded {
            Ok(_) => assert!(complaints.is_empty(), "{more:?}"),
            Err(error) => {
                assert!(!complaints.is_empty(), "{more:?}: {error}");
                let lines = error.lines().count() - 1;
                assert_eq!(lines, complaints.len(), "{error}");
                for complaint in complaints {
                    assert!(error.contains(complaint), "{complaint}: {error}");
                }
                assert!(!error.contains("hunter2"), "{error}");
            }
        }
    }
}

#[test]
fn a_laptop_needs_none() {
    let mail = load(&[]).unwrap().mail;
    assert!(mail.smtp.is_none());
    assert_eq!(mail.folder.unwrap(), Path::new("data/mail"));
    assert_eq!(
        mail.public_url.unwrap().to_string(),
        "http://127.0.0.1:8000"
    );
    let elsewhere = load(&[("FOOTFALL_LISTEN", "tcp:0.0.0.0:8080")]).unwrap();
    assert_eq!(
        elsewhere.mail.public_url.unwrap().to_string(),
        "http://localhost:8080"
    );
}

#[test]
fn production_keeps_no_mails_in_files() {
    let mail = load(&PRODUCTION).unwrap().mail;
    assert_eq!((mail.folder, mail.public_url), (None, None));
}

/// The server is shown, who may use it is not.
#[test]
fn the_password_is_not_shown() {
    let settings = load(&[SMTP]).unwrap();
    let mut shown = settings.shown.iter();
    let shown = shown.find(|shown| shown.setting.key == "smtp_url").unwrap();
    assert_eq!(shown.value, "smtps://[redacted]@mail.example");
    assert!(!format!("{settings:?}").contains("hunter2"));
}
