//! A real nginx that runs the shipped configuration. Only paths, ports and
//! what a test asks for are replaced.

use std::{
    fs,
    net::TcpStream,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    client::{Client, Reply},
    footfall::{self, Footfall},
    process::{PATIENCE, Process, eventually, free_port},
};

/// The folder of the shipped files.
pub const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config");

/// A folder with the configuration, before nginx starts.
pub struct Prepared {
    folder: tempfile::TempDir,
    server: &'static str,
    /// What is replaced by what, and whether it was found.
    replacements: Vec<(String, String, bool)>,
    plain: String,
    tls: String,
}

impl Prepared {
    /// With this file of `config/nginx/` in the place of `server.conf`.
    pub fn new(server: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["footfall", "sockets", "nginx", "tmp", "acme"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let root = folder.path().display().to_string();
        let plain = format!("127.0.0.1:{}", free_port());
        let prepared = Self {
            folder,
            server,
            replacements: Vec::new(),
            plain: plain.clone(),
            tls: String::new(),
        }
        .replace("/etc/nginx/footfall/", format!("{root}/footfall/"))
        .replace("/run/footfall/", format!("{root}/sockets/"))
        .replace("/run/nginx/", format!("{root}/nginx/"))
        .replace("/tmp/", format!("{root}/tmp/"))
        .replace("/dev/stdout", format!("{root}/access.log"))
        .replace("/dev/stderr", format!("{root}/error.log"))
        .replace("127.0.0.1:8081", format!("127.0.0.1:{}", free_port()))
        .replace("listen 80 ", format!("listen {plain} "));
        match server {
            "tls.conf" => prepared.with_tls(&root),
            _ => prepared,
        }
    }

    fn with_tls(mut self, root: &str) -> Self {
        let made = Command::new(format!("{CONFIG}/tls/self-signed.sh"))
            .arg(self.path("tls"))
            .output();
        assert!(
            made.as_ref().is_ok_and(|made| made.status.success()),
            "{made:?}"
        );
        self.tls = format!("127.0.0.1:{}", free_port());
        let listen = format!("listen {} ", self.tls);
        self.replace("listen 443 ", listen)
            .replace("/etc/nginx/tls/", format!("{root}/tls/"))
            .replace("/etc/nginx/acme", format!("{root}/acme"))
    }

    /// Replaces this text wherever it stands in the shipped files; it must be there.
    pub fn replace(mut self, from: &str, to: impl ToString) -> Self {
        self.replacements
            .push((from.to_owned(), to.to_string(), false));
        self
    }

    /// A file of this folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Copies a shipped file with all replacements made.
    fn install(&mut self, shipped: &str, name: &str) {
        let text = fs::read_to_string(format!("{CONFIG}/{shipped}")).unwrap();
        let text = self.rewrite(&text);
        fs::write(self.path(name), text).unwrap();
    }

    /// In one pass, so that nothing is replaced twice.
    fn rewrite(&mut self, text: &str) -> String {
        let mut rewritten = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let mut replacements = self.replacements.iter_mut();
            if let Some((from, to, found)) =
                replacements.find(|(from, ..)| rest.starts_with(from.as_str()))
            {
                *found = true;
                rewritten.push_str(to);
                rest = &rest[from.len()..];
            } else {
                rewritten.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        rewritten
    }

    fn write(&mut self) {
        self.install("nginx.conf", "nginx.conf");
        self.install("nginx/footfall.conf", "footfall/footfall.conf");
        self.install("nginx/routes.conf", "footfall/routes.conf");
        self.install(&format!("nginx/{}", self.server), "footfall/server.conf");
        for (from, _, found) in &self.replacements {
            assert!(found, "{from} is in no file");
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("nginx");
        // Else its workers are another user, who cannot enter this folder.
        command
            .args(["-g", "daemon off; user root;", "-e"])
            .arg(self.path("error.log"))
            .arg("-c")
            .arg(self.path("nginx.conf"));
        command
    }

    /// What nginx says of the configuration.
    pub fn check(mut self) -> Output {
        self.write();
        self.command().arg("-t").output().unwrap()
    }

    pub fn start(mut self) -> Proxy {
        self.write();
        let process = Process::spawn(self.command().stdin(Stdio::null()));
        let proxy = Proxy {
            address: self.plain,
            tls: self.tls,
            process,
            folder: self.folder,
        };
        for address in [&proxy.address, &proxy.tls] {
            if !address.is_empty() {
                eventually("nginx listens", || TcpStream::connect(address).ok());
            }
        }
        proxy
    }
}

/// A running nginx with the shipped configuration.
pub struct Proxy {
    /// Where it listens for plain HTTP.
    pub address: String,
    /// Where it listens for TLS; empty if it does not.
    pub tls: String,
    process: Process,
    folder: tempfile::TempDir,
}

impl Proxy {
    /// One machine, plain HTTP.
    pub fn start() -> Self {
        Prepared::new("http.conf").start()
    }

    pub fn client(&self) -> Client {
        Client::tcp(&self.address)
    }

    /// A file of its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A replica of this machine, on the embedded store, in the next free slot.
    pub fn replica(&self) -> footfall::Builder {
        Footfall::builder()
            .socket(&self.path("sockets/{slot}.sock"))
            .env("FOOTFALL_DATA_DIR", self.path("data").display())
            // As in every shipped stack: nginx makes it.
            .env("FOOTFALL_PROXY_REQUEST_ID", "on")
    }

    /// The line of the access log that `wanted` accepts, once it is written.
    pub fn logged(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually("the request is in the access log", || {
            let log = fs::read(self.path("access.log")).unwrap_or_default();
            let mut lines = log.split_inclusive(|byte| *byte == b'\n');
            lines.find_map(|line| {
                let line: Value = serde_json::from_slice(line.strip_suffix(b"\n")?)
                    .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)));
                wanted(&line).then_some(line)
            })
        })
    }
}

impl Drop for Proxy {
    /// A killed master would leave its workers behind.
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        self.process.signal(Signal::TERM);
        while matches!(self.process.0.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Sends these bytes and gives the response that comes back.
pub async fn send(address: &str, bytes: &[u8]) -> Reply {
    exchange(
        tokio::net::TcpStream::connect(address).await.unwrap(),
        bytes,
    )
    .await
}

/// The same over a stream.
pub async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> Reply {
    // nginx may hang up before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut reply = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut reply));
    let _ = reading.await.expect("nginx hangs up");
    Reply::parse(&reply)
}
