//! A real nginx in front of Unix sockets, with its default retries.

use std::{
    fmt::Write,
    fs,
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use super::process::{Process, eventually, free_port};

pub struct Nginx {
    pub address: String,
    directory: tempfile::TempDir,
    process: Process,
}

impl Nginx {
    /// `server` goes behind each upstream server, `location` into the location.
    pub fn start(sockets: &[&Path], server: &str, location: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut servers = String::new();
        for socket in sockets {
            writeln!(servers, "server unix:{} {server};", socket.display()).unwrap();
        }
        let root = directory.path().display();
        let configuration = format!(
            "user root; pid {root}/pid; error_log {root}/error.log;
             events {{ worker_connections 1024; }}
             http {{
               access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
               fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
               upstream footfall {{ {servers} keepalive 32; }}
               server {{
                 listen {address};
                 location / {{
                   proxy_pass http://footfall; proxy_http_version 1.1; proxy_set_header Connection '';
                   proxy_set_header X-Request-ID $request_id; proxy_set_header X-Real-IP $remote_addr;
                   {location}
                 }}
               }}
             }}"
        );
        let file = directory.path().join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        let process = Process::spawn(
            Command::new("nginx")
                .args(["-g", "daemon off; master_process off;", "-e"])
                .arg(directory.path().join("error.log"))
                .arg("-c")
                .arg(&file)
                .stdout(Stdio::null()),
        );
        eventually("nginx listens", || TcpStream::connect(&address).ok());
        Self {
            address,
            directory,
            process,
        }
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// What is in the error log.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.directory.path().join("error.log")).unwrap()
    }
}
