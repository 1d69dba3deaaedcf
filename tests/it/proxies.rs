//! Other proxies than nginx, with the lines that docs/proxies.md shows.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use hyper::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

use crate::support::{
    Client, Footfall, Redis, Reply,
    process::{PATIENCE, Process, eventually, free_port, until},
    proxy::send,
};

/// The fenced block of docs/proxies.md that follows a marker.
pub fn shown(marker: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/proxies.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once(&format!("<!-- {marker} -->")).unwrap();
    let block = rest.split("```").nth(1).unwrap();
    block.split_once('\n').unwrap().1.to_owned()
}

/// A proxy before two slots: in the first a replica, in the second whatever a test puts there.
struct Site {
    address: String,
    folder: tempfile::TempDir,
    _proxy: Process,
}

impl Site {
    /// Starts HAProxy, with replacements made in what is shown.
    fn haproxy(replacements: &[(&str, &str)]) -> Self {
        Self::start("haproxy", replacements, |file, _| {
            let mut command = Command::new("haproxy");
            command.args(["-db", "-q", "-f"]).arg(file);
            command
        })
    }

    fn caddy(configuration: Option<&str>) -> Self {
        let replacements: Vec<_> = configuration
            .map(|whole| (shown("caddy"), whole))
            .into_iter()
            .collect();
        let replacements: Vec<_> = replacements
            .iter()
            .map(|(from, to)| (from.as_str(), *to))
            .collect();
        Self::start("caddy", &replacements, |file, folder| {
            let mut command = Command::new("caddy");
            command
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(file)
                .env("HOME", folder);
            command
        })
    }

    fn start(
        marker: &str,
        replacements: &[(&str, &str)],
        command: impl Fn(&Path, &Path) -> Command,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut text = shown(marker);
        let (place, to) = match marker {
            "haproxy" => ("bind :80\n", format!("bind {address}\n")),
            _ => {
                let port = address.rsplit(':').next().unwrap();
                (
                    "http://:80 {\n",
                    format!("http://:{port} {{\n\tbind 127.0.0.1\n"),
                )
            }
        };
        let sockets = format!("{}/", folder.path().display());
        let paths = [("/run/footfall/", sockets.as_str()), (place, to.as_str())];
        for (from, to) in replacements.iter().chain(&paths) {
            assert!(text.contains(from), "{from} is not shown");
            text = text.replace(from, to);
        }
        if marker == "caddy" {
            text = format!("{{\n\tadmin off\n}}\n{text}");
        }
        let file = folder.path().join("configuration");
        fs::write(&file, text).unwrap();
        let mut command = command(&file, folder.path());
        let proxy = Process::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
        eventually("the proxy listens", || TcpStream::connect(&address).ok());
        Self {
            address,
            folder,
            _proxy: proxy,
        }
    }

    fn socket(&self, slot: u8) -> PathBuf {
        self.folder.path().join(format!("{slot}.sock"))
    }

    fn client(&self) -> Client {
        Client::tcp(&self.address)
    }

    /// A replica that logs its requests, before both slots if there is nothing else in the second.
    fn replica(&self, redis: &Redis, believes: &str) -> Footfall {
        Footfall::builder()
            .env("REDIS_URL", redis.url())
            .env("FOOTFALL_LOG", "info,footfall::access=debug")
            .socket(&self.socket(1))
            .env("FOOTFALL_PROXY_REQUEST_ID", believes)
            .start()
    }

    /// Gives way at the second slot to the first.
    fn link(&self) {
        std::os::unix::fs::symlink(self.socket(1), self.socket(2)).unwrap();
    }
}

/// Waits until the proxy has found a replica.
async fn serves(client: &mut Client) {
    until("the proxy finds the replica", async || {
        let reply = client.try_send(Method::GET, "/api/ping", &[], "").await;
        reply.is_ok_and(|reply| reply.status == 200).then_some(())
    })
    .await;
}

const CLAIMS: &[(&str, &str)] = &[
    ("x-request-id", "claimed"),
    ("x-real-ip", "192.0.2.1"),
    ("x-forwarded-for", "192.0.2.2"),
    ("x-forwarded-for", "192.0.2.3"),
];

async fn visit(client: &mut Client) -> Reply {
    client.send(Method::GET, "/api/count", CLAIMS, "").await
}

/// Three visits are three whatever a client claims, and it is known by its own address.
async fn nothing_claimed_is_believed(site: &Site, replica: &Footfall) {
    let mut client = site.client();
    serves(&mut client).await;
    let mut client = client.logged_in().await;
    for number in 1..=3 {
        let reply = visit(&mut client).await;
        assert_eq!((reply.visits(), reply.replayed()), (number, false));
        let id = reply.header("x-request-id").unwrap();
        assert_ne!(id, "claimed");
        let line = eventually("it is in the log", || {
            let mut lines = replica.log().into_iter();
            lines.find(|line| line.contains(id))
        });
        assert!(line.contains("\"client\":\"127.0.0.1\""), "{line}");
    }
    for number in 1..=11 {
        let address = format!("192.0.2.{number}");
        let mut guesser = site.client().with("x-forwarded-for", &address);
        let reply = guesser.login(&format!("user-{number}"), "guess").await;
        let expected = if number <= 10 { 401 } else { 429 };
        assert_eq!(reply.status, expected, "{number}");
    }
}

/// A replica that dies at each visit, when it has counted it: it passes everything on to
/// another one, and hangs up instead of answering.
fn dying(socket: &Path, other: PathBuf) {
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let other = other.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap_or(b'\n'));
                }
                let mut replica = UnixStream::connect(&other).await.unwrap();
                replica.write_all(&head).await.unwrap();
                let mut answer = vec![0; 4096];
                let length = replica.read(&mut answer).await.unwrap();
                // Else it would soon be checked to be dead.
                if head.starts_with(b"GET /healthz") {
                    stream.write_all(&answer[..length]).await.unwrap();
                }
            });
        }
    });
}

/// Each visit is one, though half of them go to a replica that dies, and are sent again.
async fn a_repetition_is_one_visit(site: &Site, redis: &Redis) {
    let replica = site.replica(redis, "on");
    let token = replica.token().await;
    dying(&site.socket(2), site.socket(1));
    let mut client = site.client();
    serves(&mut client).await;
    let mut client = client.with_token(&token);
    let visits = async {
        let (mut number, mut replayed) = (0, 0);
        // The proxy may take a moment to find the second slot.
        while number < 20 || replayed == 0 {
            let reply = visit(&mut client).await;
            number += 1;
            assert_eq!(reply.visits(), number);
            replayed += usize::from(reply.replayed());
        }
        number
    };
    let visits = tokio::time::timeout(PATIENCE, visits).await;
    let number = visits.expect("a visit that is sent again");
    assert_eq!(replica.total(&token).await, number);
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy() {
    let (site, redis) = (Site::haproxy(&[]), Redis::start());
    site.link();
    let replica = site.replica(&redis, "on");
    nothing_claimed_is_believed(&site, &replica).await;
    // As load balancers in front of the proxy may ask.
    for line in [
        "GET /api/ping HTTP/1.0",
        "OPTIONS / HTTP/1.0",
        "OPTIONS * HTTP/1.0",
    ] {
        let reply = send(&site.address, format!("{line}\r\n\r\n").as_bytes()).await;
        assert!(reply.status.is_success(), "{line}: {reply:?}");
        assert!(reply.header("x-request-id").is_some(), "{line}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_repeats_what_a_dying_replica_has_counted() {
    a_repetition_is_one_visit(&Site::haproxy(&[]), &Redis::start()).await;
}

/// It puts its own id beside the client's, and nobody can tell them apart.
#[tokio::test(flavor = "multi_thread")]
async fn haproxy_with_an_id_beside_the_clients() {
    let site = Site::haproxy(&[(
        "http-request set-header X-Request-ID %[unique-id]",
        "unique-id-header X-Request-ID",
    )]);
    site.link();
    let redis = Redis::start();
    let replica = site.replica(&redis, "on");
    nothing_claimed_is_believed(&site, &replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxys_default_check_finds_replicas_and_their_drain() {
    let site = Site::haproxy(&[
        ("option httpchk GET /healthz", "option httpchk"),
        ("inter 1s", "inter 100ms"),
    ]);
    site.link();
    let redis = Redis::start();
    let replica = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_DRAIN_DELAY", "60s")
        .socket(&site.socket(1))
        .start();
    serves(&mut site.client()).await;
    let checks = r#"http_requests_total{method="OPTIONS",route="/",status="204"}"#;
    replica.metric_reaches(checks, 10.0).await;
    assert_eq!(site.client().get("/api/ping").await.status, 200);
    replica.process.signal(rustix::process::Signal::TERM);
    // It goes on serving, and HAProxy sends it no one any more.
    let mut client = site.client();
    until("nobody is sent to a replica that drains", async || {
        (client.get("/api/ping").await.status == 503).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy() {
    let (site, redis) = (Site::caddy(None), Redis::start());
    site.link();
    let replica = site.replica(&redis, "on");
    nothing_claimed_is_believed(&site, &replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_repeats_what_a_dying_replica_has_counted() {
    a_repetition_is_one_visit(&Site::caddy(None), &Redis::start()).await;
}

/// It passes the client's id on, so it must not be believed.
#[tokio::test(flavor = "multi_thread")]
async fn plain_caddy() {
    let site = Site::caddy(Some(
        "http://:80 {\n\treverse_proxy unix//run/footfall/1.sock\n}\n",
    ));
    let redis = Redis::start();
    let replica = site.replica(&redis, "off");
    nothing_claimed_is_believed(&site, &replica).await;
}
