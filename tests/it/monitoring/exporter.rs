//! What the exporter of Redis is told, and what it says of a Redis it does not
//! reach.

use std::{
    fs::{self, File},
    net::TcpStream,
    process::Command,
};

use super::yaml;
use crate::support::{
    Client, Redis, eventually,
    process::{Process, free_port},
};

/// The command of the stack's exporter, with `run` in the place of the exporter.
fn entrypoint(run: &str) -> Vec<String> {
    let [one, other] = ["services", "docker-compose.swarm"].map(|stack| {
        let stack = yaml(&format!("compose/{stack}.yaml"));
        stack["services"]["redis-exporter"]["entrypoint"].clone()
    });
    assert_eq!(one, other, "Compose and Swarm start it alike");
    let words = one.as_array().expect("it has an entrypoint").iter();
    let words: Vec<_> = words
        // As Compose unescapes it.
        .map(|word| word.as_str().unwrap().replace("$$", "$"))
        .map(|word| word.replace("/redis_exporter", run))
        .collect();
    assert!(words.last().unwrap().contains(run), "{words:?}");
    words
}

fn exporter(run: &str, redis_url: &str, own: &str) -> Command {
    let words = entrypoint(run);
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .env("REDIS_URL", redis_url)
        .env("REDIS_EXPORTER_ADDR", own);
    command
}

#[test]
fn the_exporter_is_told_an_address_it_understands() {
    const SINGLE: &str = "redis://redis:6379";
    for (redis_url, own, told, complains) in [
        (SINGLE, "", SINGLE, false),
        ("rediss://u:p+w@h:1", "", "rediss://u:p+w@h:1", false),
        ("REDIS://h:1/2", "", "REDIS://h:1/2", false),
        ("valkey://h:1", "", "redis://h:1", false),
        ("Valkeys://h:1", "", "rediss://h:1", false),
        ("unix:///run/r.sock", "", "unix:///run/r.sock", false),
        ("redis+unix:///run/r.sock", "", "unix:///run/r.sock", false),
        (r"redis://u:\n%5C'$x@h", "", r"redis://u:\n%5C'$x@h", false),
        ("redis+sentinel://a,b/m", SINGLE, SINGLE, false),
        ("redis+cluster://a,b", "valkey://a:1", "redis://a:1", false),
        (SINGLE, "redis://other:1", "redis://other:1", false),
        // No single Redis: it is said, and the exporter goes on and reaches none.
        ("redis+sentinel://a/m", "", "redis+sentinel://a/m", true),
        ("rediss+cluster://a,b", "", "rediss+cluster://a,b", true),
        ("valkey+sentinel://a/m", "", "redis+sentinel://a/m", true),
    ] {
        let output = exporter("printenv REDIS_ADDR", redis_url, own)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.trim_end(), told, "{redis_url} {own}");
        let complaint = String::from_utf8(output.stderr).unwrap();
        let names_it = complaint.contains("REDIS_EXPORTER_ADDR=redis://");
        assert_eq!(names_it, complains, "{redis_url}: {complaint}");
        assert!(complains || complaint.is_empty(), "{complaint}");
    }
}

/// `redis_up` of an exporter that is started like this.
async fn redis_up(redis_url: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let run = format!("prometheus-redis-exporter --web.listen-address {address}");
    let log = folder.path().join("log");
    let mut command = exporter(&run, redis_url, "");
    let _exporter = Process::spawn(command.stderr(File::create(&log).unwrap()));
    eventually("the exporter listens", || TcpStream::connect(&address).ok());
    let metrics = Client::tcp(&address).get("/metrics").await.text();
    let up = metrics
        .lines()
        .find_map(|line| line.strip_prefix("redis_up "));
    let log = fs::read_to_string(log).unwrap();
    up.unwrap_or_else(|| panic!("{metrics} {log}")).to_owned()
}

/// Else FootfallRedisDown would have nothing to look at.
#[tokio::test]
async fn what_the_exporter_does_not_reach_is_down_and_never_unknown() {
    let redis = Redis::start();
    let valkey = redis.url().replace("redis://", "valkey://");
    assert_eq!(redis_up(&valkey).await, "1");
    let nobody = format!("redis://127.0.0.1:{}", free_port());
    redis.told("CONFIG SET requirepass secret");
    for url in [
        nobody,
        redis.url(),
        redis.url().replace("redis://", "redis+sentinel://") + "/mymaster",
        redis.url().replace("redis://", "redis+cluster://"),
        redis.url().replace("redis://", "redis://:wrong@"),
    ] {
        assert_eq!(redis_up(&url).await, "0", "{url}");
    }
}

#[test]
fn both_stacks_ask_redis_for_its_health_alike() {
    let checks = ["services", "docker-compose.swarm"].map(|stack| {
        let stack = yaml(&format!("compose/{stack}.yaml"));
        stack["services"]["redis"]["healthcheck"].clone()
    });
    assert!(!checks[0].is_null());
    assert_eq!(checks[0], checks[1]);
}
