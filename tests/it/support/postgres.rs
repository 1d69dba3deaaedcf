//! A real PostgreSQL from Debian's packages: the newest there is, as an ordinary user, on a Unix
//! socket and a port of its own.
//!
//! One server serves all tests of the process; each has a database of its own, made from a
//! migrated one. A test that kills its server, stops it or fills it starts one for itself.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use rustix::process::{Pid, Signal, kill_process};

mod programs;

pub use self::programs::give_away;
use self::programs::{Folder, as_server, as_user, finished, program};
use super::process::{eventually, free_port};

/// The password of the service's role. It must never be seen anywhere.
pub const PASSWORD: &str = "pa:ss@of/the service";

/// The same in a URL.
const ENCODED: &str = "pa%3Ass%40of%2Fthe%20service";

/// The roles: one owns the schema, the other is the service and may not change it. Their passwords stand
/// as PostgreSQL keeps them (RFC 5803), `owner` and [`PASSWORD`], stretched in one round: by itself
/// it would choose 4096, which without optimisation are a tenth of a second of each connection.
const ROLES: &str = "
    CREATE ROLE footfall_owner LOGIN PASSWORD
        'SCRAM-SHA-256$1:c2FsdCBvZiB0aGUgdGVzdA==$nvJlwOAZqUYWtbenixj9G2eT0mJU2F5xhTKF+v6ZjgU=:/4L1UWN378u9/ovaQrspjLXWPbs4IaLYEyo3tvFWBss=';
    CREATE ROLE footfall LOGIN PASSWORD
        'SCRAM-SHA-256$1:c2FsdCBvZiB0aGUgdGVzdA==$Z1AfMwXa8u+5oFRsNLTQgTY99dymiV9KWxzGns/al8U=:KGh6Sc5sioXxGQeRlzef2JXaSsoaEljJGiT2NESH6xw=';
    CREATE DATABASE empty OWNER footfall_owner;
    CREATE DATABASE migrated OWNER footfall_owner;
";

/// What the service may do in the schema, from the first table on.
const RIGHTS: &str = "
    ALTER DEFAULT PRIVILEGES FOR ROLE footfall_owner IN SCHEMA public
        GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO footfall;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    GRANT CREATE ON SCHEMA public TO footfall_owner;
";

/// Passwords are asked for as in a real installation; the tests' own superuser needs none.
const PG_HBA: &str = "\
    local all postgres trust\n\
    host all postgres 127.0.0.1/32 trust\n\
    local all all scram-sha-256\n\
    host all all 127.0.0.1/32 scram-sha-256\n";

/// A server.
pub struct Postgres {
    pub port: u16,
    folder: Folder,
    options: Vec<String>,
    keeper: Option<Child>,
}

/// A cluster with the roles and a migrated database, to be copied; made once.
static PREPARED: LazyLock<Postgres> = LazyLock::new(|| {
    let folder = Folder::new();
    finished(as_server("initdb").arg("-D").arg(folder.data()).args([
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--no-sync",
        // Each server starts as a copy, of which one of the usual size is a third.
        "--wal-segsize=1",
        "--no-instructions",
    ]));
    fs::write(folder.data().join("pg_hba.conf"), PG_HBA).unwrap();
    let mut server = Postgres::on(folder, &[]);
    server.keeper = Some(server.keep(true));
    server.answers();
    server.sql("postgres", ROLES);
    server.sql("migrated", RIGHTS);
    server.sql("empty", RIGHTS);
    let migrated = super::process::run(
        super::footfall::footfall_command()
            .env("REDIS_URL", "redis://127.0.0.1:1")
            .env("DATABASE_URL", server.owner_url("migrated"))
            .arg("migrate"),
    );
    let said = String::from_utf8_lossy(&migrated.stdout).into_owned();
    assert!(said.contains("were run"), "{migrated:?}");
    // What is copied must be whole.
    finished(
        as_server("pg_ctl")
            .args(["stop", "-m", "fast", "-s", "-D"])
            .arg(server.folder.data()),
    );
    server
});

/// The server for whoever only needs a database. It outlives all tests, and ends with the process.
static SHARED: LazyLock<Postgres> = LazyLock::new(|| {
    // Of hundreds of databases each would be looked at in turn, by a process of its own, all the time.
    Postgres::copied(&["autovacuum=off"], true)
});

/// The server that all share.
pub fn shared() -> &'static Postgres {
    &SHARED
}

/// A database of its own, on the server that all share.
pub struct Database {
    pub name: String,
}

impl Database {
    /// With the newest schema.
    pub fn migrated() -> Self {
        Self::of("migrated")
    }

    /// Without a schema.
    pub fn empty() -> Self {
        Self::of("empty")
    }

    fn of(template: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        SHARED.sql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE {template} OWNER footfall_owner"),
        );
        Self { name }
    }

    /// For the service.
    pub fn url(&self) -> String {
        SHARED.url(&self.name)
    }

    /// For the owner of the schema.
    pub fn owner_url(&self) -> String {
        SHARED.owner_url(&self.name)
    }

    /// Where its server is.
    pub fn server(&self) -> &'static Postgres {
        &SHARED
    }

    /// Some SQL as a superuser, and what it prints.
    pub fn sql(&self, text: &str) -> String {
        SHARED.sql(&self.name, text)
    }

    /// The same, or why it was refused.
    pub fn try_sql(&self, text: &str) -> Result<String, String> {
        SHARED.try_sql(&self.name, text)
    }
}

impl Postgres {
    /// A server for one test, with the roles and the databases `migrated` and `empty`.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With more settings, as `name=value`.
    pub fn with(options: &[&str]) -> Self {
        Self::copied(options, false)
    }

    fn copied(options: &[&str], outlives_the_tests: bool) -> Self {
        let folder = Folder::new();
        finished(
            Command::new("cp")
                .args(["-a", "--"])
                .arg(PREPARED.folder.data())
                .arg(folder.path()),
        );
        let mut server = Self::on(folder, options);
        server.keeper = Some(server.keep(outlives_the_tests));
        server.answers();
        server
    }

    fn on(folder: Folder, options: &[&str]) -> Self {
        Self {
            port: free_port(),
            folder,
            options: options.iter().map(ToString::to_string).collect(),
            keeper: None,
        }
    }

    /// Runs the server until the pipe to its keeper is closed, as it is when this process ends,
    /// however it ends.
    fn keep(&self, removes_folder: bool) -> Child {
        let script = r#"
            exec 3<&0
            trap '' INT TERM HUP QUIT
            folder=$1 removes=$2
            shift 2
            "$@" </dev/null >>"$folder/log" 2>&1 &
            server=$!
            read -r _ <&3
            # A server that has only just begun ignores signals, as this does, and is told again.
            while kill -QUIT $server && sleep 0.1; do :; done 2>/dev/null &
            wait $server
            kill -KILL $!
            [ "$removes" = false ] || rm -rf -- "$folder"
        "#;
        let mut server = as_server("postgres");
        server.arg("-D").arg(self.folder.data());
        let (port, folder) = (self.port, self.folder.path().display());
        let settings = [
            format!("port={port}"),
            format!("unix_socket_directories={folder}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "fsync=off".to_owned(),
            "shared_buffers=16MB".to_owned(),
        ];
        for setting in settings.iter().chain(&self.options) {
            server.arg("-c").arg(setting);
        }
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", script, "keeper"])
            .arg(self.folder.path())
            .arg(removes_folder.to_string())
            .arg(server.get_program())
            .args(server.get_args())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .current_dir("/")
            .stdin(Stdio::piped());
        keeper.spawn().unwrap()
    }

    fn answers(&self) {
        eventually("PostgreSQL answers", || {
            self.try_sql("postgres", "SELECT 1").ok()
        });
    }

    /// The folder of its Unix socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// For the service, on TCP.
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://footfall:{ENCODED}@127.0.0.1:{port}/{database}")
    }

    /// For the owner of the schema, by the Unix socket.
    pub fn owner_url(&self, database: &str) -> String {
        let (folder, port) = (self.folder.path().display(), self.port);
        format!("postgres://footfall_owner:owner@/{database}?host={folder}&port={port}")
    }

    /// Some SQL as a superuser, and what it prints.
    pub fn sql(&self, database: &str, text: &str) -> String {
        self.try_sql(database, text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// The same, or why it was refused.
    pub fn try_sql(&self, database: &str, text: &str) -> Result<String, String> {
        let mut child = Command::new(program("psql"))
            .env_clear()
            .env("PGCONNECT_TIMEOUT", "5")
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
            ])
            .arg("-h")
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string(), "-d", database, "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may have ended already, and then says why.
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        let output = child.wait_with_output().unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.success() {
            true => Ok(said(&output.stdout)),
            false => Err(said(&output.stderr)),
        }
    }

    fn postmaster(&self) -> Option<Pid> {
        let file = fs::read_to_string(self.folder.data().join("postmaster.pid")).ok()?;
        Pid::from_raw(file.lines().next()?.trim().parse().ok()?)
    }

    /// All its processes: the first one, which starts others, first.
    fn processes(&self) -> Vec<Pid> {
        let Some(postmaster) = self.postmaster() else {
            return Vec::new();
        };
        let parent = format!("PPid:\t{}", postmaster.as_raw_nonzero());
        let children = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let entry = entry.ok()?;
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            status
                .lines()
                .any(|line| line == parent)
                .then(|| Pid::from_raw(pid))?
        });
        std::iter::once(postmaster).chain(children).collect()
    }

    /// To all its processes.
    pub fn signal(&self, signal: Signal) {
        if signal == Signal::STOP
            && let Some(postmaster) = self.postmaster()
        {
            // Then nobody joins those who are stopped next.
            kill_process(postmaster, signal).unwrap();
        }
        for process in self.processes() {
            // One may have ended by itself.
            let _ = kill_process(process, signal);
        }
    }

    /// So many bytes at most in each of its files, as if the disk were full beyond; `None`: as before.
    pub fn files_may_grow_to(&self, bytes: Option<u64>) {
        let limit = bytes.map_or("unlimited".into(), |bytes| bytes.to_string());
        for process in self.processes() {
            let process = process.as_raw_nonzero().to_string();
            let mut set = as_user(Path::new("prlimit"));
            set.arg(format!("--fsize={limit}:unlimited"));
            // One may have ended by itself.
            let _ = set.args(["--pid", &process]).output();
        }
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.forget();
    }

    /// As an administrator would.
    pub fn stop(&mut self) {
        finished(
            as_server("pg_ctl")
                .args(["stop", "-m", "fast", "-s", "-D"])
                .arg(self.folder.data()),
        );
        self.forget();
    }

    fn forget(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().unwrap();
        }
    }

    /// Starts it again, on the same port and folder.
    pub fn restart(&mut self) {
        // Until the last of the old processes has gone, a new one refuses to start.
        eventually("PostgreSQL has started again", || {
            let alive = self.keeper.is_some() && self.postmaster().is_some_and(is_alive);
            if !alive {
                self.forget();
                self.keeper = Some(self.keep(false));
                // It has yet to write who it is, unless it has refused.
                let written = || self.postmaster().is_some_and(is_alive);
                for _ in 0..20 {
                    if written() {
                        break;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
            }
            self.try_sql("postgres", "SELECT 1").ok()
        });
    }
}

fn is_alive(process: Pid) -> bool {
    Path::new(&format!("/proc/{}", process.as_raw_nonzero())).exists()
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        self.forget();
    }
}
