//! Logins whose client does not wait for the answer, and those that meet.

use std::{path::PathBuf, process::Command, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    task::JoinSet,
};

use crate::support::{Client, Footfall, Redis, Reply, process::PATIENCE, until};

/// Two replicas on one store.
struct Replicas {
    replicas: [Footfall; 2],
    sockets: [PathBuf; 2],
    directory: tempfile::TempDir,
    redis: Option<Redis>,
}

impl Replicas {
    fn start(redis: Option<Redis>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sockets = [1, 2].map(|slot| directory.path().join(format!("{slot}.sock")));
        let replicas = [0, 1].map(|index| {
            let builder = Footfall::builder()
                .env("FOOTFALL_REQUEST_TIMEOUT", "60s")
                .directory(directory.path())
                .socket(&sockets[index]);
            match &redis {
                Some(redis) => builder.env("REDIS_URL", redis.url()).start(),
                None => builder.start(),
            }
        });
        Self {
            replicas,
            sockets,
            directory,
            redis,
        }
    }

    fn both() -> [Self; 2] {
        [Self::start(None), Self::start(Some(Redis::start()))]
    }

    fn client(&self, replica: usize, address: &str) -> Client {
        Client::unix(&self.sockets[replica % 2]).with("x-forwarded-for", address)
    }

    /// The status of a wrong login.
    async fn guess(&self, replica: usize, address: &str) -> u16 {
        let reply = self.client(replica, address).login("nobody", "guess").await;
        reply.status.as_u16()
    }

    /// Sends a login and hangs up.
    async fn hang_up(&self, replica: usize, address: &str, password: &str) {
        let body = format!(r#"{{"username":"admin","password":"{password}"}}"#);
        let request = format!(
            "POST /auth/login HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = UnixStream::connect(&self.sockets[replica % 2])
            .await
            .unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
    }

    /// How many logins ended so, over both.
    async fn outcomes(&self, outcome: &str) -> f64 {
        let series = format!("footfall_logins_total{{outcome=\"{outcome}\"}}");
        let mut sum = 0.0;
        for replica in &self.replicas {
            sum += replica.metric(&series).await.unwrap_or(0.0);
        }
        sum
    }

    /// Waits until so many logins have ended.
    async fn ended(&self, logins: f64) {
        until("each login is counted, whoever waits for it", async || {
            let mut sum = 0.0;
            for outcome in ["success", "failure", "throttled", "shed"] {
                sum += self.outcomes(outcome).await;
            }
            (sum >= logins).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_is_charged() {
    for replicas in Replicas::both() {
        for attempt in 0..30 {
            replicas.hang_up(attempt, "192.0.2.1", "wrong").await;
        }
        replicas.ended(30.0).await;
        assert_eq!(replicas.outcomes("failure").await, 10.0);
        assert_eq!(replicas.outcomes("throttled").await, 20.0);
        assert_eq!(replicas.guess(0, "192.0.2.1").await, 429);
        assert_eq!(replicas.guess(0, "192.0.2.2").await, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_gives_the_charge_back() {
    for replicas in Replicas::both() {
        for attempt in 0..9 {
            assert_eq!(replicas.guess(attempt, "192.0.2.1").await, 401);
        }
        for attempt in 0..12 {
            let mut client = replicas.client(attempt, "192.0.2.1");
            assert_eq!(client.login("admin", "password").await.status, 200);
            replicas.hang_up(attempt, "192.0.2.1", "password").await;
        }
        replicas.ended(33.0).await;
        assert_eq!(replicas.outcomes("success").await, 24.0);
        assert_eq!(replicas.guess(0, "192.0.2.1").await, 401, "the tenth");
        assert_eq!(replicas.guess(1, "192.0.2.1").await, 429);
    }
}

/// All at once, over both replicas; how many had this status.
async fn at_once(replicas: &Replicas, logins: usize, password: &str) -> Vec<u16> {
    let mut attempts = JoinSet::new();
    for attempt in 0..logins {
        let mut client = replicas.client(attempt, "192.0.2.1");
        let password = password.to_owned();
        attempts.spawn(async move { client.login("admin", &password).await.status.as_u16() });
    }
    attempts.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_the_right_password_do_not_lock_each_other_out() {
    for replicas in Replicas::both() {
        let statuses = at_once(&replicas, 64, "password").await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        for attempt in 0..10 {
            assert_eq!(replicas.guess(attempt, "192.0.2.1").await, 401);
        }
        assert_eq!(replicas.guess(0, "192.0.2.1").await, 429);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_a_wrong_one_are_no_more_than_the_limit() {
    for replicas in Replicas::both() {
        let mut statuses = at_once(&replicas, 60, "wrong").await;
        statuses.sort_unstable();
        let expected = [vec![401; 10], vec![429; 50]].concat();
        assert_eq!(statuses, expected);
    }
}

/// Attempts that a replica took with it when it died, a minute ago.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_a_replica_died_has_failed() {
    for replicas in Replicas::both() {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
        let began = now - 60_000;
        for attempt in 0..10 {
            match &replicas.redis {
                Some(redis) => {
                    let key = "footfall:attempts:{footfall:login:address:192.0.2.1}";
                    let reply = redis.command(&format!("ZADD {key} {began} {attempt}"));
                    assert_eq!(reply, ":1\r\n");
                }
                None => {
                    let expiry = began + 300_000;
                    let insert = format!(
                        "INSERT INTO login_failures VALUES ('address:192.0.2.1/{attempt}', 1, {expiry})"
                    );
                    let file = replicas.directory.path().join("data/footfall.db");
                    let inserted = Command::new("sqlite3").arg(file).arg(insert).status();
                    assert!(inserted.unwrap().success());
                }
            }
        }
        let mut client = replicas.client(0, "192.0.2.1");
        let reply = client.login("admin", "password").await;
        assert_eq!(reply.problem(), "too_many_logins");
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=300).contains(&wait), "{wait}");
        assert_eq!(replicas.guess(0, "192.0.2.2").await, 401);
    }
}

/// A body that stops, or comes too slowly, holds no connection: neither does its login.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_send_its_body_in_time_is_hung_up_on() {
    let footfall = Footfall::builder()
        .env("FOOTFALL_REQUEST_TIMEOUT", "3s")
        .env("FOOTFALL_STORE_TIMEOUT", "1s")
        .start();
    let head = "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let mut replies = JoinSet::new();
    for (framing, piece) in [
        ("Content-Length: 16000\r\n\r\n{", ""),
        ("Content-Length: 16000\r\n\r\n{", " "),
        ("Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", ""),
        ("Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", "1\r\n \r\n"),
    ] {
        let stream = TcpStream::connect(footfall.public()).await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let begun = format!("{head}{framing}");
        writing.write_all(begun.as_bytes()).await.unwrap();
        replies.spawn(async move {
            let trickling = async {
                while writing.write_all(piece.as_bytes()).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                std::future::pending::<()>().await;
            };
            let mut answer = Vec::new();
            tokio::select! {
                ended = reading.read_to_end(&mut answer) => assert!(ended.is_ok(), "{framing}"),
                () = trickling => {}
            }
            Reply::parse(&answer)
        });
    }
    let replies = tokio::time::timeout(PATIENCE, replies.join_all()).await;
    for reply in replies.expect("they are hung up on") {
        assert_eq!(reply.problem(), "request_timeout");
        assert_eq!(reply.header("connection"), Some("close"));
    }
    footfall.metric_becomes("http_connections_open", 0.0).await;
}

/// A drain waits for what it owes those who have gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_settles_what_is_under_way() {
    let mut replicas = Replicas::start(None);
    for attempt in 0..20 {
        replicas.hang_up(attempt, "192.0.2.1", "password").await;
    }
    for replica in &mut replicas.replicas {
        assert_eq!(replica.stop().code(), Some(0));
    }
    let file = replicas.directory.path().join("data/footfall.db");
    let asked = Command::new("sqlite3")
        .arg(file)
        .arg("SELECT count(*) FROM login_failures")
        .output();
    assert_eq!(String::from_utf8_lossy(&asked.unwrap().stdout), "0\n");
}
