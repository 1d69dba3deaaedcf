//! `footfall audit`: a record that does not add up is said, and one that does.

use std::{path::Path, process::Command};

use crate::support::{
    Client, Footfall, Redis, footfall::footfall_command, postgres::Database, process::until,
};

struct Place {
    footfall: Footfall,
    redis: Redis,
    database: Database,
}

/// What it says, and whether it is content.
fn audit(footfall: &Footfall, folder: &Path, environment: &[(&str, String)]) -> (bool, String) {
    let mut command: Command = footfall_command();
    command
        .current_dir(folder)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .args(["audit", "--for", "1ms", "--replica"])
        .arg(format!("http://{}", footfall.ops()));
    let output = command.output().unwrap();
    let said =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.success(), said)
}

async fn count(client: &mut Client, visits: usize) {
    for _ in 0..visits {
        let reply = client
            .post_json("/api/counters/visits", r#"{"path":"/p"}"#)
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

impl Place {
    async fn new() -> Self {
        let (redis, database) = (Redis::start(), Database::migrated());
        let footfall = Footfall::builder()
            .env("REDIS_URL", redis.url())
            .env("DATABASE_URL", database.url())
            .start();
        footfall.metric_becomes("footfall_database_up", 1.0).await;
        let place = Self {
            footfall,
            redis,
            database,
        };
        // Nobody is to mend what the test breaks.
        place
            .database
            .sql("UPDATE record_sweeps SET next_at = 9000000000000000");
        let mut client = place
            .footfall
            .client()
            .with_token(&place.footfall.token().await);
        count(&mut client, 3).await;
        until("all is recorded", async || {
            let through = place.redis.command("HGET footfall:{visits}:record through");
            through.contains('3').then_some(())
        })
        .await;
        place
    }

    fn audit(&self) -> (bool, String) {
        let folder = tempfile::tempdir().unwrap();
        let environment = [
            ("REDIS_URL", self.redis.url()),
            ("DATABASE_URL", self.database.url()),
        ];
        audit(&self.footfall, folder.path(), &environment)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_add_up_between_redis_and_the_tables_is_said() {
    let place = Place::new().await;
    let add_up = "ok: the record adds up; counters: 1";
    let (is_content, said) = place.audit();
    assert!(is_content && said.contains(add_up), "{said}");
    for sums in [
        "INSERT INTO visitor_days SELECT company_id, recording_id, at / 86400000, count(*), '', '', '[]'
         FROM visits GROUP BY company_id, recording_id, at / 86400000",
        "INSERT INTO value_days SELECT company_id, recording_id, day, field, 0, visits, NULL
         FROM visitor_days, unnest(ARRAY['path', 'referrer', 'campaign', 'country']) AS field",
        "INSERT INTO property_days SELECT company_id, recording_id, day, 'plan', '', visits, '' FROM visitor_days",
        "UPDATE recordings SET summed = 1000000",
    ] {
        place.database.sql(sums);
    }
    let (is_content, said) = place.audit();
    assert!(is_content && said.contains(add_up), "{said}");
    let summed_otherwise = "summed up otherwise";
    let run = "INSERT INTO runs SELECT company_id, recording_id, last + 2, last + 3, 'lost', last_at, last_at, NULL FROM runs";
    for (what, broken, mended, expected) in [
        (
            "sql",
            "UPDATE runs SET last = last - 1",
            "UPDATE runs SET last = last + 1",
            "they have 2 visits, with 0 breaks",
        ),
        (
            "sql",
            "UPDATE runs SET first = first + 1",
            "UPDATE runs SET first = first - 1",
            "they have 2 visits, with 1 breaks",
        ),
        (
            "sql",
            run,
            "DELETE FROM runs WHERE reason = 'lost'",
            "they have 5 visits, with 1 breaks",
        ),
        (
            "sql",
            "UPDATE visits SET number = 9 WHERE number = 3",
            "UPDATE visits SET number = 3 WHERE number = 9",
            "1 rows of visits",
        ),
        (
            "sql",
            "UPDATE runs SET reason = 'off', times = NULL",
            "UPDATE runs SET reason = NULL, times = '\\x0300'",
            "3 rows of visits",
        ),
        (
            "sql",
            "UPDATE marks SET number = 9 WHERE minute = (SELECT max(minute) FROM marks)",
            "UPDATE marks SET number = 3 WHERE number = 9",
            "1 marks of minutes",
        ),
        (
            "sql",
            "INSERT INTO marks SELECT company_id, recording_id, 0, 4 FROM marks LIMIT 1",
            "DELETE FROM marks WHERE minute = 0",
            "marks of minutes",
        ),
        (
            "sql",
            "UPDATE visitor_days SET visits = visits + 1",
            "UPDATE visitor_days SET visits = visits - 1",
            summed_otherwise,
        ),
        (
            "sql",
            "UPDATE value_days SET visits = visits - 1 WHERE field = 'path'",
            "UPDATE value_days SET visits = visits + 1 WHERE field = 'path'",
            summed_otherwise,
        ),
        (
            "sql",
            "UPDATE value_days SET day = 0 WHERE field = 'country'",
            "UPDATE value_days SET day = (SELECT min(day) FROM visitor_days) WHERE field = 'country'",
            summed_otherwise,
        ),
        (
            "sql",
            "UPDATE property_days SET visits = visits + 1",
            "UPDATE property_days SET visits = visits - 1",
            summed_otherwise,
        ),
        (
            "redis",
            "SET footfall:{visits}:count 1",
            "SET footfall:{visits}:count 3",
            "3 visits are recorded and only 1 are counted",
        ),
        (
            "redis",
            "HSET footfall:{visits}:record through 5",
            "HSET footfall:{visits}:record through 3",
            "were taken from Redis as recorded",
        ),
        (
            "redis",
            "HSET footfall:{visits}:record top 5",
            "HSET footfall:{visits}:record top 3",
            "2 visits that wait",
        ),
    ] {
        let change = |text: &str| match what {
            "sql" => place.database.sql(text),
            _ => place.redis.command(text),
        };
        change(broken);
        let (is_content, said) = place.audit();
        assert!(!is_content, "{broken}: {said}");
        assert!(
            said.contains("WRONG: the record of visits: ") && said.contains(expected),
            "{broken}: {said}"
        );
        change(mended);
        let (is_content, said) = place.audit();
        assert!(is_content && said.contains(add_up), "{mended}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_add_up_in_a_file_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let footfall = Footfall::builder().directory(folder.path()).start();
    let mut client = footfall.client().with_token(&footfall.token().await);
    count(&mut client, 3).await;
    let file = folder.path().join("data/footfall.db");
    let environment = [(
        "FOOTFALL_DATA_DIR",
        folder.path().join("data").display().to_string(),
    )];
    let (is_content, said) = audit(&footfall, folder.path(), &environment);
    assert!(
        is_content && said.contains("ok: the record adds up; counters: 1"),
        "{said}"
    );
    let mut sqlite = Command::new("sqlite3");
    let sqlite = sqlite.args(["-cmd", ".timeout 8000"]).arg(file);
    let changed = sqlite.arg("UPDATE runs SET last = last - 1").status();
    assert!(changed.unwrap().success());
    let (is_content, said) = audit(&footfall, folder.path(), &environment);
    assert!(
        !is_content && said.contains("they have 2 visits, with 0 breaks"),
        "{said}"
    );
}
