//! What `footfall doctor` says of what is made ahead in PostgreSQL, and of what should be gone.

use super::migrate::command;
use crate::support::{Redis, postgres::Database, process::run};

#[test]
fn doctor_looks_at_partitions_and_salts() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let doctor = || {
        let output = run(&mut command(&redis, &database.url(), &["doctor"]));
        String::from_utf8(output.stdout).unwrap()
    };
    let said = doctor();
    assert!(
        said.contains("ok    partitions of the visits are there up to 2"),
        "{said}"
    );
    assert!(!said.contains("salt"), "no replica has run: {said}");

    let today = "floor(extract(epoch FROM now()) / 86400)::bigint";
    let salt = |day: &str| {
        let salt = format!(
            "INSERT INTO visitor_salts VALUES ({today} {day}, decode(repeat('07', 32), 'hex'))"
        );
        database.sql(&salt);
    };
    for day in ["- 1", "", "+ 1"] {
        salt(day);
    }
    let good = "ok    the salts of visitors are those of these days";
    assert!(doctor().contains(good), "{}", doctor());
    salt("- 3");
    let said = doctor();
    assert!(
        said.contains("FAIL  salts of visitors are there whose days are long over"),
        "{said}"
    );
    database.sql(&format!(
        "DELETE FROM visitor_salts WHERE day <> {today} - 1"
    ));
    let said = doctor();
    assert!(said.contains("warn  there is no salt of today"), "{said}");

    let next = "to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month', '\"visits_\"YYYY\"_\"MM')";
    let name = database.sql(&format!("SELECT {next}"));
    database.sql(&format!("DROP TABLE {name}"));
    let said = doctor();
    assert!(
        said.contains("warn  there is no partition of the visits of 2"),
        "{said}"
    );
    assert!(said.contains("footfall_make_visits_partition"), "{said}");
}
