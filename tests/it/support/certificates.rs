//! Certificates that nobody trusts who was not told to.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A certificate for `localhost` with its key, in PEM.
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    pub fn for_localhost(directory: &Path) -> Self {
        let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
            .args([
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-subj",
                "/CN=localhost",
            ])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output();
        let made = made.expect("openssl is there; ./test.sh installs it");
        assert!(made.status.success(), "{made:?}");
        Self { certificate, key }
    }
}
