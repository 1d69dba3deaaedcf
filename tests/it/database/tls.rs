//! PostgreSQL over TLS.

use std::fs;

use super::{away, service, up};
use crate::support::{
    Redis,
    certificates::Certificate,
    postgres::{Postgres, give_away},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_what_is_demanded() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::for_localhost(folder.path());
    let other = tempfile::tempdir().unwrap();
    let stranger = Certificate::for_localhost(other.path());
    // The server runs as somebody else, who must be able to get there and own the key.
    for path in [folder.path(), &certificate.certificate, &certificate.key] {
        give_away(path);
    }
    let (redis, encrypted, plain) = (
        Redis::start(),
        Postgres::with(&[
            "ssl=on",
            &format!("ssl_cert_file={}", certificate.certificate.display()),
            &format!("ssl_key_file={}", certificate.key.display()),
        ]),
        Postgres::start(),
    );
    let trusted = certificate.certificate.display();
    let strange = stranger.certificate.display();
    let missing = other.path().join("missing.pem");
    let key = stranger.key.display();
    for (server, host, options, reason) in [
        (
            &encrypted,
            "localhost",
            format!("sslmode=verify-full&sslrootcert={trusted}"),
            None,
        ),
        (
            &encrypted,
            "127.0.0.1",
            format!("sslmode=verify-ca&sslrootcert={trusted}"),
            None,
        ),
        (&encrypted, "127.0.0.1", "sslmode=require".into(), None),
        (&encrypted, "127.0.0.1", String::new(), None),
        (&encrypted, "127.0.0.1", "sslmode=disable".into(), None),
        (&plain, "127.0.0.1", "sslmode=prefer".into(), None),
        (
            &plain,
            "localhost",
            "sslmode=require".into(),
            Some("has no TLS, and sslmode=require"),
        ),
        (
            &plain,
            "localhost",
            format!("sslmode=verify-full&sslrootcert={trusted}"),
            Some("has no TLS, and sslmode=verify-full"),
        ),
        (
            &encrypted,
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={trusted}"),
            Some("it is for another host; name the host in DATABASE_URL as the certificate does"),
        ),
        (
            &encrypted,
            "localhost",
            "sslmode=verify-full".into(),
            Some("name the signer's file in sslrootcert"),
        ),
        (
            &encrypted,
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={strange}"),
            Some("the certificate of localhost:"),
        ),
        (
            &encrypted,
            "localhost",
            format!("sslmode=verify-full&sslrootcert={}", missing.display()),
            Some("missing.pem: No such file"),
        ),
        (
            &encrypted,
            "localhost",
            format!("sslmode=verify-full&sslrootcert={key}"),
            Some("it holds no certificate in PEM"),
        ),
    ] {
        let url = server.url("migrated").replace("127.0.0.1", host);
        let footfall = service(&redis, &format!("{url}?{options}")).start();
        match reason {
            None => up(&footfall).await,
            Some(reason) => away(&footfall, reason).await,
        }
        let encrypted_now = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                             WHERE ssl AND usename = 'footfall'";
        let expected =
            reason.is_none() && std::ptr::eq(server, &encrypted) && options != "sslmode=disable";
        let found = server.sql("postgres", encrypted_now) != "0";
        assert_eq!(found, expected, "{host} {options}");
    }
    assert!(fs::exists(&certificate.key).unwrap());
}
