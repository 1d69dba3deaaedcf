//! Two replicas on one Redis and one PostgreSQL, nginx, the exporters, and a Prometheus that
//! scrapes them as the shipped configuration says.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
};

use hyper::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{file, yaml};
use crate::support::{
    Client, Footfall, Redis, client::Target, eventually, nginx::Nginx, postgres::Postgres,
    process::Process, process::free_port,
};

/// Of Prometheus. Short: `rate()` needs two scrapes.
const INTERVAL: &str = "500ms";

/// Its exporter waits for a second before it says that it does not reach PostgreSQL.
const OF_POSTGRES: &str = "1500ms";

/// The role of PostgreSQL's exporter.
const MONITOR: &str = "CREATE ROLE monitor LOGIN PASSWORD 'monitor' IN ROLE pg_monitor";

pub struct Stack {
    pub replicas: [Footfall; 2],
    pub redis: Redis,
    pub postgres: Postgres,
    pub nginx: Nginx,
    pub prometheus: Prometheus,
    /// A target that takes connections and never answers.
    pub hung: TcpListener,
    _exporters: [Process; 3],
    _directory: tempfile::TempDir,
}

impl Stack {
    pub fn start() -> Self {
        Self::with_nginx_at([1, 2])
    }

    /// All is well, but nginx looks for the replicas where they are not.
    pub fn cut_off() -> Self {
        Self::with_nginx_at([3, 4])
    }

    /// The replicas listen at 1 and 2.
    fn with_nginx_at(sockets: [usize; 2]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let redis = Redis::start();
        let postgres = Postgres::start();
        postgres.sql("postgres", MONITOR);
        let socket = |number: usize| directory.path().join(format!("{number}.sock"));
        let replica = |number| {
            let footfall = Footfall::builder()
                .env("REDIS_URL", redis.url())
                .env("DATABASE_URL", postgres.url("migrated"))
                .env("FOOTFALL_COUNTER_LIMIT", 2);
            footfall.socket(&socket(number)).start()
        };
        let replicas = [replica(1), replica(2)];
        // Closes the location it is put into, and opens its own.
        let status = "} location = /stub_status { stub_status;";
        let sockets = sockets.map(socket);
        let nginx = Nginx::start(&[&sockets[0], &sockets[1]], "", status);
        let (redis_exporter, redis_address) = exporter(
            Command::new("prometheus-redis-exporter").args(["--redis.addr", &redis.url()]),
        );
        let stub_status = format!("http://{}/stub_status", nginx.address);
        let (nginx_exporter, nginx_address) = exporter(
            Command::new("prometheus-nginx-exporter").args(["--nginx.scrape-uri", &stub_status]),
        );
        let server = format!("127.0.0.1:{}/migrated?sslmode=disable", postgres.port);
        let (postgres_exporter, postgres_address) = exporter(
            Command::new("prometheus-postgres-exporter")
                .env("DATA_SOURCE_URI", server)
                .env("DATA_SOURCE_USER", "monitor")
                .env("DATA_SOURCE_PASS", "monitor"),
        );
        let hung = TcpListener::bind("127.0.0.1:0").unwrap();
        let hung_address = hung.local_addr().unwrap().to_string();
        let prometheus = Prometheus::start(&[
            (
                "footfall",
                vec![replicas[0].ops(), replicas[1].ops(), hung_address],
            ),
            ("redis", vec![redis_address]),
            ("postgres", vec![postgres_address]),
            ("nginx", vec![nginx_address]),
        ]);
        Self {
            replicas,
            redis,
            postgres,
            nginx,
            prometheus,
            hung,
            _exporters: [redis_exporter, nginx_exporter, postgres_exporter],
            _directory: directory,
        }
    }

    /// Where clients may ask: both replicas, and nginx before them.
    pub fn targets(&self) -> [Target; 3] {
        [
            Target::Tcp(self.replicas[0].public()),
            Target::Tcp(self.replicas[1].public()),
            Target::Tcp(self.nginx.address.clone()),
        ]
    }
}

/// Starts an exporter on a free port.
fn exporter(command: &mut Command) -> (Process, String) {
    let address = format!("127.0.0.1:{}", free_port());
    let process = Process::spawn(
        command
            .args(["--web.listen-address", &address])
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    eventually("the exporter listens", || TcpStream::connect(&address).ok());
    (process, address)
}

pub struct Prometheus {
    address: String,
    process: Process,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    /// The shipped configuration and rules, but: targets that are given instead of
    /// found by DNS, all intervals short, and alerts that do not wait.
    fn start(targets: &[(&str, Vec<String>)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut config = yaml("config/prometheus.yml");
        config["global"] = json!({
            "scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL,
        });
        for scrape in config["scrape_configs"].as_array_mut().unwrap() {
            let given = targets.iter().find(|(job, _)| scrape["job_name"] == *job);
            let own = vec![address.clone()];
            let addresses = given.map_or(&own, |(_, addresses)| addresses);
            scrape.as_object_mut().unwrap().remove("dns_sd_configs");
            if scrape["job_name"] == "postgres" {
                scrape["scrape_interval"] = json!(OF_POSTGRES);
                scrape["scrape_timeout"] = json!(OF_POSTGRES);
            }
            scrape["static_configs"] = json!([{ "targets": addresses }]);
        }
        let rules = directory.path().join("rules.yml");
        fs::write(&rules, hasty_alerts().to_string()).unwrap();
        config["rule_files"] = json!([rules, file("config/prometheus/rules/recording.yml")]);
        let file = directory.path().join("prometheus.yml");
        fs::write(&file, config.to_string()).unwrap();
        let process = Process::spawn(
            Command::new("prometheus")
                .arg(format!("--config.file={}", file.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    directory.path().display()
                ))
                .arg(format!("--web.listen-address={address}"))
                .arg("--log.level=error"),
        );
        // It listens before it answers queries.
        eventually("Prometheus is ready", || {
            let ready = format!("http://{address}/-/ready");
            let asked = Command::new("curl")
                .args(["-sf", "-o", "/dev/null", &ready])
                .status();
            asked.unwrap().success().then_some(())
        });
        Self {
            address,
            process,
            _directory: directory,
        }
    }

    /// The result of a call of its API; a refusal is an error.
    async fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let mut client = Client::tcp(&self.address);
        let reply = client
            .try_send(Method::POST, path, &headers, &form)
            .await?
            .json();
        match reply["status"] == "success" {
            true => Ok(reply["data"].clone()),
            false => Err(reply["error"].to_string()),
        }
    }

    /// What an expression gives now.
    pub async fn ask(&self, expression: &str) -> Result<Vec<Value>, String> {
        let data = self.api("/api/v1/query", &[("query", expression)]).await?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    /// The label sets of all series.
    pub async fn series(&self) -> Vec<Value> {
        let every = [("match[]", r#"{__name__=~".+"}"#)];
        let data = self.api("/api/v1/series", &every).await.unwrap();
        data.as_array().unwrap().clone()
    }
}

impl Drop for Prometheus {
    /// Its own end would write to the folder that is about to go.
    fn drop(&mut self) {
        self.process.signal(Signal::KILL);
    }
}

fn hasty_alerts() -> Value {
    let mut alerts = yaml("config/prometheus/rules/alerts.yml");
    for group in alerts["groups"].as_array_mut().unwrap() {
        for rule in group["rules"].as_array_mut().unwrap() {
            rule.as_object_mut().unwrap().remove("for");
        }
    }
    alerts
}
