//! `footfall doctor` names what a user of Redis may not do, and the rule that allows it.

use std::fs;

use super::{Clerk, reason, recovered};
use crate::support::{eventually, footfall::footfall_command, process::run};

impl Clerk {
    /// What `footfall doctor` says, and whether all is well.
    fn diagnosis(&self) -> (bool, String) {
        let directory = tempfile::tempdir().unwrap();
        let output = run(footfall_command()
            .current_dir(directory.path())
            .env("REDIS_URL", self.url())
            .arg("doctor"));
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), said)
    }

    /// Every key that is not about to expire.
    fn lasting_keys(&self) -> Vec<String> {
        let keys = self.redis.command("KEYS *");
        let mut keys: Vec<_> = keys
            .lines()
            .filter(|line| line.starts_with("footfall:"))
            .filter(|key| {
                self.redis
                    .command(&format!("PTTL {key}"))
                    .starts_with(":-1")
            })
            .map(str::to_owned)
            .collect();
        keys.sort();
        keys
    }
}

#[test]
fn it_names_the_command_and_the_rule() {
    let clerk = Clerk::new();
    let (good, said) = clerk.diagnosis();
    assert!(
        good && said.contains("its user clerk may do all that is needed"),
        "{said}"
    );
    for (narrowed, consequence, rule) in [
        (
            "-@scripting",
            "no visit can be counted",
            "ACL SETUSER clerk +evalsha +script|load",
        ),
        (
            "-evalsha",
            "no visit can be counted",
            "ACL SETUSER clerk +evalsha",
        ),
        (
            "-script|load",
            "no visit can be counted",
            "ACL SETUSER clerk +script|load",
        ),
        (
            "-hset",
            "no visit can be counted",
            "ACL SETUSER clerk +hset",
        ),
        (
            "-pexpire -rename",
            "no visit can be counted",
            "ACL SETUSER clerk +pexpire +rename",
        ),
        (
            "-eval",
            "no counter can be created",
            "ACL SETUSER clerk +eval",
        ),
        (
            "-zadd",
            "no counter can be created",
            "ACL SETUSER clerk +zadd",
        ),
        (
            "-zrangebylex",
            "no counter can be read",
            "ACL SETUSER clerk +zrangebylex",
        ),
        ("-get", "no counter can be read", "ACL SETUSER clerk +get"),
        (
            "-incr",
            "failed logins are not limited",
            "ACL SETUSER clerk +incr",
        ),
        (
            "-multi",
            "failed logins are not limited",
            "ACL SETUSER clerk +multi",
        ),
        (
            "-ping",
            "connections to it are opened again",
            "ACL SETUSER clerk +ping",
        ),
        (
            "resetkeys ~other:*",
            "no visit can be counted",
            "ACL SETUSER clerk ~footfall:*",
        ),
        (
            "resetkeys ~footfall:{*",
            "no counter can be created",
            "ACL SETUSER clerk ~footfall:*",
        ),
    ] {
        clerk.may(narrowed);
        let (good, said) = clerk.diagnosis();
        assert!(!good, "{narrowed}: {said}");
        assert!(said.contains(consequence), "{narrowed}: {said}");
        assert!(
            said.lines()
                .any(|line| line.trim() == rule || line.trim().starts_with(&format!("{rule} "))),
            "{narrowed}: {rule}: {said}"
        );
        assert!(!said.contains("hidden"), "{said}");
        // What it says is what helps.
        clerk.may_do_all();
    }
    let (good, said) = clerk.diagnosis();
    assert!(good, "{said}");
}

/// Keys of companies are others. As long as there is none but `default`, nothing is missing.
#[test]
fn it_names_the_keys_of_companies() {
    let clerk = Clerk::new();
    let index = "~footfall:counters ~footfall:login:* ~footfall:attempts:* ~footfall:limit:* ~footfall:layout ~footfall:schema";
    let companies = "~footfall:counters:* ~footfall:companies";
    for (allowed, warned) in [
        (format!("~footfall:{{* {companies}"), false),
        ("~footfall:{*".to_owned(), true),
        ("~footfall:{* ~footfall:counters:*".to_owned(), true),
        ("~footfall:{* ~footfall:companies".to_owned(), true),
        // The counters of `default` have no slash.
        (format!("~footfall:{{.* {companies}"), true),
        // Listing is writing.
        (
            "~footfall:{* ~footfall:counters:* %R~footfall:companies".to_owned(),
            true,
        ),
        (
            "~footfall:{* %R~footfall:counters:* ~footfall:companies".to_owned(),
            true,
        ),
    ] {
        clerk.may(&format!("resetkeys {index} {allowed}"));
        let (good, said) = clerk.diagnosis();
        assert!(good, "{allowed}: {said}");
        let consequence = "no visit can be counted for a company other than default";
        assert_eq!(said.contains(consequence), warned, "{allowed}: {said}");
        let rule = "ACL SETUSER clerk ~footfall:*";
        let hint = said.lines().any(|line| line.trim().ends_with(rule));
        assert_eq!(hint, warned, "{allowed}: {said}");
    }
}

/// Old permissions go on being enough for all that there was then.
#[test]
fn what_only_accounts_need_is_a_warning() {
    let clerk = Clerk::new();
    clerk.may("-zrange");
    let (good, said) = clerk.diagnosis();
    assert!(good, "{said}");
    assert!(said.contains("nobody can register"), "{said}");
    let rule = "ACL SETUSER clerk +zrange";
    assert!(
        said.lines().any(|line| line.trim().ends_with(rule)),
        "{said}"
    );
}

#[test]
fn it_leaves_nothing_in_redis() {
    let clerk = Clerk::new();
    clerk.redis.command("ZADD footfall:counters 0 visits");
    clerk.redis.told("SET footfall:{visits}:count 7");
    let before = clerk.lasting_keys();
    assert_eq!(before.len(), 2);
    let (good, said) = clerk.diagnosis();
    assert!(good, "{said}");
    assert_eq!(clerk.lasting_keys(), before);
    eventually("what it has tried is gone", || {
        let keys = clerk.redis.command("DBSIZE");
        keys.starts_with(":2\r").then_some(())
    });
    assert!(
        clerk
            .redis
            .command("GET footfall:{visits}:count")
            .contains("7")
    );
    assert!(
        clerk
            .redis
            .command("ZCARD footfall:counters")
            .starts_with(":1")
    );
}

/// The permissions that `docs/redis.md` asks for are enough for everything, and none is too many.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_permissions() {
    let documented =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/redis.md")).unwrap();
    let line = documented
        .lines()
        .find_map(|line| line.strip_prefix("ACL SETUSER footfall on >PASSWORD "))
        .expect("the rules are in docs/redis.md");
    let clerk = Clerk::new();
    let narrow = |without: &str| {
        let rules: Vec<_> = line.split(' ').filter(|rule| *rule != without).collect();
        clerk.may(&format!("reset on >hidden {}", rules.join(" ")));
    };
    narrow("");
    let footfall = clerk.service().start();
    recovered(&footfall).await;
    let mut client = footfall
        .client()
        .logged_in()
        .await
        .with("idempotency-key", "k");
    assert_eq!(client.get("/api/count").await.visits(), 1);
    assert!(client.get("/api/count").await.replayed());
    assert_eq!(client.post("/api/counters/new").await.visits(), 1);
    assert_eq!(client.get("/api/counters/new").await.visits(), 1);
    assert_eq!(
        client.get("/api/counters").await.json()["counters"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    for _ in 0..10 {
        assert_eq!(client.login("admin", "wrong").await.status, 401);
    }
    assert_eq!(
        client.login("admin", "wrong").await.status,
        429,
        "failures are counted"
    );
    let migrated = run(footfall_command()
        .env("REDIS_URL", clerk.url())
        .arg("migrate"));
    assert!(migrated.status.success(), "{migrated:?}");
    assert_eq!(reason(&footfall).await, None);
    assert!(
        clerk.redis.command("ACL LOG").starts_with("*0"),
        "{}",
        clerk.redis.command("ACL LOG")
    );
    let (good, said) = clerk.diagnosis();
    assert!(good, "{said}");
    // With these it looks around, and without replicas nobody waits for them.
    let unneeded = ["+discard", "+config|get", "+wait"];
    let dispensable = [
        "+info", "+scan", "+zrange", "+hsetnx", "+del", "+xadd", "+xdel", "+xrange", "+xsetid",
        "+xtrim",
    ];
    for rule in line
        .split(' ')
        .filter(|rule| rule.starts_with('+') && !unneeded.contains(rule))
    {
        narrow(rule);
        let (good, said) = clerk.diagnosis();
        assert_eq!(good, dispensable.contains(&rule), "{rule}: {said}");
        let advised = said
            .lines()
            .any(|line| line.contains("ACL SETUSER") && line.contains(rule));
        assert!(advised, "{rule}: {said}");
    }
}
