//! Redis over a Unix socket, and the other spellings of `REDIS_URL`.

use std::path::Path;

use crate::support::{
    Footfall, Redis, eventually,
    footfall::{AWAY, footfall_command},
};

fn redis(socket: &Path, more: &[&str]) -> Redis {
    let socket = socket.display().to_string();
    let options = [&["--unixsocket", &socket, "--unixsocketperm", "700"], more].concat();
    Redis::with(&options)
}

fn doctor(url: &str) -> (bool, String) {
    let ran = footfall_command()
        .env("REDIS_URL", url)
        .arg("doctor")
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    (ran.status.success(), said)
}

#[tokio::test]
async fn counting_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let mut redis = redis(&socket, &[]);
    redis.told("ACL SETUSER counter on >p@ss+word ~* &* +@all");
    let path = socket.display();
    let url = format!("redis+unix://{path}?db=3&user=counter&pass=p%40ss+word");
    let service = Footfall::builder().env("REDIS_URL", &url).start();
    let mut client = service.client().logged_in().await;
    for number in 1..=20 {
        assert_eq!(client.get("/api/count").await.visits(), number);
    }
    assert_eq!(client.post("/api/counters/other").await.visits(), 1);
    let listed = client.get("/api/counters").await.json();
    assert_eq!(listed["counters"][1]["visits"], 20, "{listed}");
    assert_eq!(service.ops_client().get("/readyz").await.status, 200);
    let keys = redis.command("INFO keyspace");
    assert!(keys.contains("db3:") && !keys.contains("db0:"), "{keys}");

    let (_, findings) = doctor(&url);
    assert!(
        findings.contains(&format!("answers at unix:{path}")),
        "{findings}"
    );
    assert!(!findings.contains("ss+word"), "{findings}");

    // It goes away, and comes back: the pools and the connection for counting find it again.
    redis.kill();
    service.logged(AWAY);
    let reply = client.get("/api/count").await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    let ready = service.ops_client().get("/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.text());
    redis.restart();
    redis.told("ACL SETUSER counter on >p@ss+word ~* &* +@all");
    eventually("the store is up again", || {
        let log = service.log();
        let times = log.iter().filter(|line| line.contains("store is up"));
        (times.count() == 2).then_some(())
    });
    assert_eq!(client.get("/api/count").await.visits(), 21);
}

#[tokio::test]
async fn valkey_in_capitals_is_redis() {
    let redis = Redis::start();
    let url = format!("VALKEY://127.0.0.1:{}/2", redis.port);
    let service = Footfall::builder().env("REDIS_URL", &url).start();
    let mut client = service.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    let keys = redis.command("INFO keyspace");
    assert!(keys.contains("db2:"), "{keys}");
    let (_, findings) = doctor(&url);
    assert!(
        findings.contains(&format!("answers at 127.0.0.1:{}", redis.port)),
        "{findings}"
    );
}

#[test]
fn a_socket_that_is_not_there_is_a_finding() {
    let (is_well, findings) = doctor("unix:///nowhere/redis.sock");
    assert!(
        !is_well && findings.contains("/nowhere/redis.sock"),
        "{findings}"
    );
}
