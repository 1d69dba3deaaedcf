//! `footfall audit-trail verify`

use std::process::Output;

use super::*;
use crate::support::{footfall::footfall_command, process::run as finished};

impl Trail {
    /// Runs the command with these arguments: its exit code and what it printed.
    fn verify(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = footfall_command();
        match &self.postgres {
            Some(postgres) => command
                .env("REDIS_URL", "redis://127.0.0.1:1")
                .env("DATABASE_URL", postgres.url()),
            None => command.env("FOOTFALL_DATA_DIR", self.opened.folder()),
        };
        said(&finished(
            command.args(["audit-trail", "verify"]).args(arguments),
        ))
    }
}

fn said(output: &Output) -> (i32, String) {
    let text = [&*output.stdout, &*output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    (output.status.code().unwrap(), text)
}

#[tokio::test]
async fn a_whole_trail_is_told_with_its_ends() {
    for trail in both().await {
        let nothing = trail.verify(&[]);
        assert_eq!(nothing, (0, "ok: nothing was recorded yet\n".into()));
        let other = trail.company("other").await;
        record_each(trail.database(), vec![entry(DEFAULT_ID); 3]).await;
        record_each(trail.database(), vec![entry(other)]).await;
        let (code, text) = trail.verify(&[]);
        assert_eq!(code, 0, "{text}");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            format!("ok: default ({DEFAULT_ID}): entries 1 to 3")
        );
        assert_eq!(lines[2], format!("ok: other ({other}): entries 1 to 1"));
        let anchor = lines[1].strip_prefix("  --anchor ").unwrap();
        let _: Anchor = anchor.parse().unwrap();
        // It holds for ever, unless what it stands for is changed.
        record_each(trail.database(), vec![entry(DEFAULT_ID); 3]).await;
        assert_eq!(trail.verify(&["--anchor", anchor]).0, 0);
        for one in ["other", &other.to_string()] {
            let (code, text) = trail.verify(&["--company", one]);
            assert_eq!((code, text.lines().count()), (0, 2), "{text}");
            assert!(text.contains("other"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_broken_one_is_told_with_the_place() {
    for trail in both().await {
        let other = trail.company("other").await;
        record_each(trail.database(), vec![entry(DEFAULT_ID); 5]).await;
        record_each(trail.database(), vec![entry(other)]).await;
        let (_, text) = trail.verify(&["--company", "default"]);
        let anchor = text.split("--anchor ").nth(1).unwrap().trim().to_owned();
        let company = trail.literal(DEFAULT_ID);
        trail
            .tamper(&format!(
                "UPDATE audit_entries SET outcome = 'denied' WHERE company_id = {company} AND seq = 2;
                 DELETE FROM audit_addresses WHERE company_id = {company} AND seq = 5;
                 DELETE FROM audit_entries WHERE company_id = {company} AND seq = 5"
            ))
            .await;
        let (code, text) = trail.verify(&[]);
        assert_eq!(code, 3, "{text}");
        let lines: Vec<_> = text.lines().collect();
        let broken = format!("BROKEN: default ({DEFAULT_ID}): entry");
        assert_eq!(
            lines[0],
            format!(
                "{broken} 2 does not fit its hash: it was changed or moved, or the entry before it was"
            )
        );
        assert_eq!(lines[1], format!("{broken} 5 is missing"));
        assert!(lines[2].starts_with("ok: other"), "{text}");
        assert_eq!(trail.verify(&["--company", "other"]).0, 0);
        let (code, text) = trail.verify(&["--anchor", &anchor]);
        assert!(code == 3 && text.contains("its tail was cut off"), "{text}");
        trail
            .tamper(&format!(
                "DELETE FROM audit_chains WHERE company_id = {company}"
            ))
            .await;
        let (code, text) = trail.verify(&[]);
        assert!(code == 3 && text.contains("entries and no head"), "{text}");
        trail
            .tamper(
                "DELETE FROM audit_addresses; DELETE FROM audit_entries; DELETE FROM audit_chains",
            )
            .await;
        let (code, text) = trail.verify(&["--anchor", &anchor]);
        assert!(
            code == 3 && text.contains("an anchor and no chain"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_said() {
    for trail in both().await {
        let (code, text) = trail.verify(&["--company", "nobody"]);
        assert!(
            code == 1 && text.contains("there is no company nobody"),
            "{text}"
        );
        for bad in [
            "",
            "x",
            "1:2:3",
            &format!("{DEFAULT_ID}:1:ab"),
            &format!("{DEFAULT_ID}:-1:{}", "0".repeat(64)),
        ] {
            let (code, text) = trail.verify(&["--anchor", bad]);
            assert!(
                code == 2 && text.contains("COMPANY:SEQUENCE:HASH"),
                "{bad}: {text}"
            );
        }
    }
    let mut without = footfall_command();
    without.env("REDIS_URL", "redis://127.0.0.1:1");
    let (code, text) = said(&finished(without.args(["audit-trail", "verify"])));
    assert!(code == 1 && text.contains("no database"), "{text}");
    let mut away = footfall_command();
    away.env("REDIS_URL", "redis://127.0.0.1:1");
    away.env("DATABASE_URL", "postgres://me@127.0.0.1:1/x");
    let (code, text) = said(&finished(away.args(["audit-trail", "verify"])));
    assert!(
        code == 1 && text.contains("DATABASE_URL") || text.contains("127.0.0.1:1"),
        "{text}"
    );
}
