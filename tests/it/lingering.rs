//! An early answer reaches also those who send everything before they read.

use std::{path::Path, time::Duration};

use rustix::process::Signal;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream, tcp::OwnedWriteHalf},
    sync::oneshot,
    time::timeout,
};

use crate::support::{Footfall, Reply, process::PATIENCE};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// What a client sends.
#[derive(Clone, Copy)]
struct Sent {
    head: &'static str,
    chunked: bool,
    bytes: usize,
}

impl Sent {
    fn head(&self) -> String {
        let framing = match self.chunked {
            true => "Transfer-Encoding: chunked".to_owned(),
            false => format!("Content-Length: {}", self.bytes),
        };
        let (line, fields) = self.head.split_once("\r\n").unwrap_or((self.head, ""));
        format!("{line}\r\nHost: localhost\r\n{framing}\r\n{fields}\r\n")
    }

    fn body(&self) -> Vec<u8> {
        let body = vec![b'x'; self.bytes];
        match self.chunked {
            true => {
                let chunk = [b"4000\r\n", &[b'x'; 0x4000][..], b"\r\n"].concat();
                [chunk.repeat(self.bytes / 0x4000), b"0\r\n\r\n".to_vec()].concat()
            }
            false => body,
        }
    }

    /// Sends everything, then reads everything.
    async fn to(&self, mut stream: impl Stream) -> Reply {
        let exchange = async {
            stream.write_all(self.head().as_bytes()).await?;
            stream.write_all(&self.body()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = timeout(PATIENCE, exchange).await.expect("it is hung up");
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", self.head));
        let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
        Reply::parse(answer.strip_prefix(go_on).unwrap_or(&answer))
    }
}

const LARGE: usize = 3 << 20;
const LOGIN: &str = "POST /auth/login HTTP/1.1\r\nContent-Type: application/json\r\n";

fn start(folder: &Path) -> (Footfall, std::path::PathBuf) {
    let socket = folder.join("f.sock");
    let footfall = Footfall::builder().socket(&socket).start();
    (footfall, socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_early_answer_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let (footfall, socket) = start(folder.path());
    let expecting =
        "POST /auth/login HTTP/1.1\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n";
    for (head, status_by_length, status_in_chunks) in [
        (LOGIN, 413, 413),
        (expecting, 413, 413),
        ("POST /auth/login HTTP/1.1", 413, 415),
        ("POST /api/counters/visits HTTP/1.1", 413, 401),
        ("GET /api/count HTTP/1.1", 413, 401),
        ("POST /nowhere HTTP/1.1", 413, 404),
        ("PUT /api/ping HTTP/1.1", 413, 405),
        ("OPTIONS / HTTP/1.1", 413, 204),
        ("POST /auth/login HTTP/1.1\r\nHost: twice\r\n", 400, 400),
    ] {
        for (chunked, status) in [(false, status_by_length), (true, status_in_chunks)] {
            let bytes = LARGE;
            let sent = Sent {
                head,
                chunked,
                bytes,
            };
            let tcp = TcpStream::connect(footfall.public()).await.unwrap();
            let unix = UnixStream::connect(&socket).await.unwrap();
            for reply in [sent.to(tcp).await, sent.to(unix).await] {
                assert_eq!(reply.status, status, "{head} {chunked}: {reply:?}");
                // What was right is answered as if its body had been read.
                let close = (status != 204).then_some("close");
                assert_eq!(reply.header("connection"), close, "{head}");
            }
        }
    }
    // Before there is a request, the parser refuses: the first line is too long.
    let line = "x".repeat(LARGE);
    let sent = Sent {
        head: Box::leak(format!("GET /{line} HTTP/1.1").into_boxed_str()),
        chunked: false,
        bytes: 0,
    };
    let tcp = TcpStream::connect(footfall.public()).await.unwrap();
    let status = sent.to(tcp).await.status;
    assert!(matches!(status.as_u16(), 414 | 431), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let (footfall, socket) = start(folder.path());
    for round in 0..50 {
        let sent = Sent {
            head: LOGIN,
            chunked: round % 2 == 0,
            bytes: LARGE,
        };
        let tcp = TcpStream::connect(footfall.public()).await.unwrap();
        let unix = UnixStream::connect(&socket).await.unwrap();
        let (tcp, unix) = tokio::join!(sent.to(tcp), sent.to(unix));
        for reply in [tcp, unix] {
            assert_eq!(reply.problem(), "payload_too_large", "{round}");
        }
    }
}

/// Also if its head came in one piece with the request before.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_request_right_behind_another() {
    let folder = tempfile::tempdir().unwrap();
    let (footfall, socket) = start(folder.path());
    async fn both(mut stream: impl Stream, sent: Sent) {
        let ping = "GET /api/ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let heads = format!("{ping}{}", sent.head());
        stream.write_all(heads.as_bytes()).await.unwrap();
        stream.write_all(&sent.body()).await.unwrap();
        let mut answers = Vec::new();
        let reading = timeout(PATIENCE, stream.read_to_end(&mut answers)).await;
        reading.expect("it is hung up").unwrap();
        let answers = String::from_utf8(answers).unwrap();
        assert!(answers.starts_with("HTTP/1.1 200 "), "{answers}");
        assert!(answers.contains("HTTP/1.1 413 "), "{answers}");
    }
    for round in 0..20 {
        let sent = Sent {
            head: LOGIN,
            chunked: round % 2 == 0,
            bytes: LARGE,
        };
        let tcp = TcpStream::connect(footfall.public()).await.unwrap();
        let unix = UnixStream::connect(&socket).await.unwrap();
        tokio::join!(both(tcp, sent), both(unix, sent));
    }
}

#[tokio::test]
async fn who_waits_to_be_told_to_go_on_is_told_not_to() {
    let footfall = Footfall::start();
    let mut stream = TcpStream::connect(footfall.public()).await.unwrap();
    let head = format!(
        "{}Expect: 100-continue\r\n\r\n",
        Sent {
            head: LOGIN,
            chunked: false,
            bytes: LARGE
        }
        .head()
        .strip_suffix("\r\n")
        .unwrap()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(Reply::parse(&answer).problem(), "payload_too_large");
}

#[tokio::test]
async fn a_small_body_that_nobody_reads_does_not_end_the_connection() {
    let footfall = Footfall::start();
    let mut stream = TcpStream::connect(footfall.public()).await.unwrap();
    let token = format!("Authorization: Bearer {}", footfall.token().await);
    for (fields, body, status) in [
        ("Content-Length: 2", "{}", 401),
        (&format!("Content-Length: 2\r\n{token}"), "{}", 415),
        (
            &format!("Content-Type: application/json\r\nContent-Length: 2\r\n{token}"),
            "{}",
            200,
        ),
        (
            &format!("Transfer-Encoding: chunked\r\n{token}"),
            "0\r\n\r\n",
            200,
        ),
        (
            &format!("Transfer-Encoding: chunked\r\n{token}"),
            "2\r\n{}\r\n0\r\n\r\n",
            415,
        ),
    ] {
        for _ in 0..3 {
            let request =
                format!("POST /api/counters/visits HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n{body}");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = vec![0; 4096];
            let length = stream.read(&mut answer).await.unwrap();
            let reply = Reply::parse(&answer[..length]);
            assert_eq!(
                (reply.status.as_u16(), reply.header("connection")),
                (status, None),
                "{fields} {body}"
            );
        }
    }
}

/// A client that goes on sending, a little at a time.
async fn trickle(stream: &mut OwnedWriteHalf, pieces: usize) {
    for _ in 0..pieces {
        stream.write_all(&[b'x'; 1000]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What lingers is no request in flight; a drain waits for it, and not for long.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_lets_it_linger() {
    let mut footfall = Footfall::start();
    let stream = TcpStream::connect(footfall.public()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let sent = Sent {
        head: LOGIN,
        chunked: false,
        bytes: LARGE,
    };
    writing.write_all(sent.head().as_bytes()).await.unwrap();
    let (drains, draining) = oneshot::channel::<()>();
    let sending = tokio::spawn(async move {
        tokio::select! {
            () = trickle(&mut writing, usize::MAX) => {}
            _ = draining => {}
        }
        // Longer than idle and half-sent connections are left.
        trickle(&mut writing, 18).await;
        writing
    });
    let series = r#"http_requests_total{method="POST",route="/auth/login",status="413"}"#;
    footfall.metric_becomes(series, 1.0).await;
    assert_eq!(footfall.metric("http_requests_in_flight").await, Some(0.0));
    footfall.process.signal(Signal::TERM);
    footfall.logged("draining");
    drains.send(()).unwrap();
    let writing = sending.await.unwrap();
    let mut answer = Vec::new();
    reading.read_to_end(&mut answer).await.unwrap();
    assert_eq!(Reply::parse(&answer).problem(), "payload_too_large");
    drop((reading, writing));
    assert_eq!(footfall.process.wait().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_hangs_up_does_not_hold_a_drain_up() {
    let mut footfall = Footfall::start();
    let sent = Sent {
        head: LOGIN,
        chunked: false,
        bytes: LARGE,
    };
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(footfall.public()).await.unwrap();
        stream.write_all(sent.head().as_bytes()).await.unwrap();
        streams.push(stream);
    }
    let series = r#"http_requests_total{method="POST",route="/auth/login",status="413"}"#;
    footfall.metric_becomes(series, 5.0).await;
    assert_eq!(footfall.stop().code(), Some(0));
    drop(streams);
}
