//! A strict HTTP client: one connection, no retry, every error is one. It talks to processes, and
//! to an application in the process of the test, where it takes no connection.

use std::{convert::Infallible, fmt::Display, path::PathBuf};

use footfall::edge::{Edge, Peer};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Bytes},
    client::conn::http1,
    header::HeaderName,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpStream, UnixStream};

use super::until;

/// Where a service listens.
#[derive(Debug, Clone)]
pub enum Target {
    Tcp(String),
    Unix(PathBuf),
    /// In the process of the test, where this peer asks.
    InProcess(Edge, Peer),
}

/// A response, read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// Reads a response from its bytes.
    #[track_caller]
    pub fn parse(bytes: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no response: {shown}"));
        let mut lines = std::str::from_utf8(&bytes[..end]).unwrap().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        Self {
            status: status.parse().unwrap(),
            headers,
            body: Bytes::copy_from_slice(&bytes[end + 4..]),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn replayed(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// The number of a counted visit; anything but a 200 fails the test.
    #[track_caller]
    pub fn visits(&self) -> u64 {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        self.json()["visits"].as_u64().unwrap()
    }

    /// Checks that this is a proper problem document, and gives its code.
    #[track_caller]
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16());
        assert_eq!(document["type"], "about:blank");
        assert_eq!(document["title"], self.status.canonical_reason().unwrap());
        assert_eq!(document["request_id"].as_str(), self.header("x-request-id"));
        assert!(document["detail"].as_str().unwrap().len() > 10);
        document["code"].as_str().unwrap().to_owned()
    }
}

/// A client with one connection, opened at the first request.
pub struct Client {
    target: Target,
    headers: Vec<(String, String)>,
    connection: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Client {
    pub fn new(target: Target) -> Self {
        Self {
            target,
            headers: Vec::new(),
            connection: None,
        }
    }

    pub fn tcp(address: &str) -> Self {
        Self::new(Target::Tcp(address.to_owned()))
    }

    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::new(Target::Unix(path.into()))
    }

    /// Sends this header with every request.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends this token with every request.
    pub fn with_token(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Logs in, and sends the token with every request.
    pub async fn logged_in(mut self) -> Self {
        let token = self.token().await;
        self.with_token(&token)
    }

    /// A token of the one account.
    pub async fn token(&mut self) -> String {
        let reply = self.login("admin", "password").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    pub async fn login(&mut self, username: &str, password: &str) -> Reply {
        self.post_json(
            "/auth/login",
            &json!({ "username": username, "password": password }).to_string(),
        )
        .await
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], "").await
    }

    pub async fn post(&mut self, path: &str) -> Reply {
        self.send(Method::POST, path, &[], "").await
    }

    pub async fn post_json(&mut self, path: &str, body: &str) -> Reply {
        self.send(
            Method::POST,
            path,
            &[("content-type", "application/json")],
            body,
        )
        .await
    }

    pub async fn put_json(&mut self, path: &str, body: &str) -> Reply {
        let headers = [("content-type", "application/json")];
        self.send(Method::PUT, path, &headers, body).await
    }

    pub async fn delete(&mut self, path: &str) -> Reply {
        self.send(Method::DELETE, path, &[], "").await
    }

    /// A request that is expected to be answered.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Reply {
        let result = self.try_send(method, path, headers, body).await;
        result.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub async fn try_send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Result<Reply, String> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost");
        }
        for (name, value) in self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain(headers.iter().copied())
        {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::copy_from_slice(body.as_ref())))
            .map_err(|error| error.to_string())?;
        let result = self.exchange(request).await;
        if result.is_err() {
            self.connection = None;
        }
        result
    }

    /// Waits until an internal listener says that the service is ready.
    pub async fn ready(&mut self) {
        let ready = async || (self.get("/readyz").await.status == 200).then_some(());
        until("it is ready", ready).await;
    }

    /// One metric's value as an internal listener tells it, by its name and labels as they stand
    /// in the exposition.
    pub async fn metric(&mut self, series: &str) -> Option<f64> {
        let text = self.get("/metrics").await.text();
        text.lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until a metric has this value.
    pub async fn metric_becomes(&mut self, series: &str, value: f64) {
        self.metric_is(series, |found| found == value).await;
    }

    /// Waits until a metric is at least this.
    pub async fn metric_reaches(&mut self, series: &str, value: f64) {
        self.metric_is(series, |found| found >= value).await;
    }

    async fn metric_is(&mut self, series: &str, expected: impl Fn(f64) -> bool) {
        let asking = async || {
            let found = self.metric(series).await;
            found.filter(|found| expected(*found))
        };
        until(series, asking).await;
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, String> {
        if let Target::InProcess(edge, peer) = &self.target {
            return read(edge.serve(peer.clone(), request).await).await;
        }
        let connection = match &mut self.connection {
            Some(connection) if !connection.is_closed() => connection,
            slot => slot.insert(connect(&self.target).await?),
        };
        connection
            .ready()
            .await
            .map_err(|error| format!("ready: {error}"))?;
        let response = connection
            .send_request(request)
            .await
            .map_err(|error| format!("send: {error}"))?;
        read(response).await
    }
}

async fn read<B>(response: Response<B>) -> Result<Reply, String>
where
    B: Body<Data = Bytes, Error: Display>,
{
    let (head, body) = response.into_parts();
    let body = body.collect().await;
    Ok(Reply {
        status: head.status,
        headers: head.headers,
        body: body.map_err(|error| format!("body: {error}"))?.to_bytes(),
    })
}

/// Whether a service answers at this path.
pub async fn pings(path: &std::path::Path) -> bool {
    let mut client = Client::unix(path);
    let reply = client.try_send(Method::GET, "/api/ping", &[], "").await;
    reply.is_ok_and(|reply| reply.status == 200)
}

async fn connect(target: &Target) -> Result<http1::SendRequest<Full<Bytes>>, String> {
    match target {
        Target::Tcp(address) => {
            let stream = TcpStream::connect(address)
                .await
                .map_err(|error| format!("connect: {error}"))?;
            stream
                .set_nodelay(true)
                .map_err(|error| error.to_string())?;
            handshake(TokioIo::new(stream)).await
        }
        Target::Unix(path) => {
            let stream = UnixStream::connect(path)
                .await
                .map_err(|error| format!("connect: {error}"))?;
            handshake(TokioIo::new(stream)).await
        }
        Target::InProcess(..) => Err("there is nothing to connect to".to_owned()),
    }
}

async fn handshake<T>(io: T) -> Result<http1::SendRequest<Full<Bytes>>, String>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(io)
        .await
        .map_err(|error| format!("handshake: {error}"))?;
    tokio::spawn(connection);
    Ok::<_, Infallible>(sender).map_err(|never| match never {})
}
