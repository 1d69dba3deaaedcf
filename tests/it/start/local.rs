//! The local service, from source.

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::Command,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::Tree;
use crate::support::{
    Client,
    client::Target,
    eventually,
    load::{assert_exact, count_visits},
    process::{Process, free_port},
};

/// Puts the binary that the tests have in the place of the one it would build.
const CARGO: &str = concat!(
    r#"
[ "$*" = "build --profile start --locked" ] || exit 2
mkdir -p target/start
ln -sf ""#,
    env!("CARGO_BIN_EXE_footfall"),
    r#"" target/start/footfall"#
);

impl Tree {
    fn with_cargo() -> Self {
        let tree = Self::new();
        tree.stub("cargo", CARGO);
        tree.stub("cc", "");
        tree
    }
}

/// The command of a replica.
const REPLICA: &str = "target/start/footfall serve";

/// A running `start.sh local`, in a process group of its own like a terminal's job.
pub(super) struct Local {
    tree: Tree,
    script: Process,
    pub(super) address: String,
}

impl Local {
    pub(super) fn start(arguments: &[&str]) -> Self {
        Self::start_in(Tree::with_cargo(), arguments, &[])
    }

    fn start_in(tree: Tree, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let output = File::create(tree.path("output")).unwrap();
        let mut command = tree.start(arguments);
        command
            .env("FOOTFALL_LISTEN", format!("tcp:{address}"))
            .env("FOOTFALL_OPS_LISTEN", "")
            .env("FOOTFALL_STORE_TIMEOUT", "8s")
            .envs(settings.iter().copied())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0);
        let script = Process::spawn(&mut command);
        Self {
            tree,
            script,
            address,
        }
    }

    pub(super) fn output(&self) -> String {
        fs::read_to_string(self.tree.path("output")).unwrap()
    }

    pub(super) async fn ready(&self) {
        let mut client = Client::tcp(&self.address);
        let ready = async {
            loop {
                let reply = client
                    .try_send(hyper::Method::GET, "/api/ping", &[], "")
                    .await;
                if reply.is_ok_and(|reply| reply.status == 200) {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(crate::support::process::PATIENCE, ready).await;
        assert!(waited.is_ok(), "{}", self.output());
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let runs = fs::read_dir(self.tree.path("tmp")).unwrap();
        let run = runs.map(|run| run.unwrap().path()).next().unwrap();
        let entries = fs::read_dir(run.join("sockets")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| !path.is_symlink() && path.extension() == Some("sock".as_ref()))
            .collect()
    }

    /// All processes that work in this copy.
    fn processes(&self) -> Vec<(Pid, String)> {
        let ids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let id: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let directory = fs::read_link(format!("/proc/{id}/cwd")).ok()?;
            let command = fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
            let ours = directory.starts_with(self.tree.folder.path());
            ours.then_some((Pid::from_raw(id)?, command.replace('\0', " ")))
        });
        ids.collect()
    }

    /// A process with this in its command, as soon as there is one.
    fn process(&self, command: &str) -> Pid {
        eventually("the process is there", || {
            let processes = self.processes();
            let found = processes.iter().find(|(_, line)| line.contains(command));
            found.map(|(process, _)| *process)
        })
    }

    /// Waits for the end; nothing may be left of it.
    fn ended(mut self) -> (Option<i32>, String) {
        let status = self.script.wait();
        eventually("all processes have ended", || {
            self.processes().is_empty().then_some(())
        });
        assert_eq!(fs::read_dir(self.tree.path("tmp")).unwrap().count(), 0);
        (status.code(), self.output())
    }
}

impl Drop for Local {
    /// Also a test that fails leaves nothing running.
    fn drop(&mut self) {
        for (process, _) in self.processes() {
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_replicas_share_one_count_and_end_with_ctrl_c() {
    let local = Local::start(&["local", "3"]);
    local.ready().await;
    assert!(
        local
            .output()
            .contains(&format!("Home page    http://{}/", local.address))
    );
    eventually("there are three replicas", || {
        (local.sockets().len() == 3).then_some(())
    });
    let token = Client::tcp(&local.address).login("admin", "password").await;
    let token = token.json()["token"].as_str().unwrap().to_owned();
    let target = Target::Tcp(local.address.clone());
    assert_exact(&count_visits(&[target], &token, 12, 600).await);
    let mut client = Client::tcp(&local.address).with_token(&token);
    assert_eq!(client.get("/api/counters/visits").await.visits(), 600);
    let processes = local.processes();
    assert!(
        processes
            .iter()
            .any(|(_, command)| command.starts_with("nginx"))
    );
    let replicas = processes
        .iter()
        .filter(|(_, command)| command.contains("footfall serve"));
    assert_eq!(replicas.count(), 3);
    for (process, command) in &processes {
        if command.contains("footfall serve") {
            let path = format!("/proc/{}/environ", process.as_raw_nonzero());
            let environment = fs::read(path).unwrap();
            let mut variables = environment.split(|byte| *byte == 0);
            assert!(variables.any(|variable| variable == b"FOOTFALL_PROXY_REQUEST_ID=on"));
        }
    }

    kill_process_group(Pid::from_child(&local.script.0), Signal::INT).unwrap();
    let (code, output) = local.ended();
    assert_eq!(code, Some(0), "{output}");
}

/// Whichever ends first, also while another is stopped.
#[tokio::test(flavor = "multi_thread")]
async fn they_end_together() {
    for (first, signal, reason) in [
        (REPLICA, Signal::KILL, "(replica, exit code 137)"),
        (REPLICA, Signal::TERM, "(replica, exit code 0)"),
        ("nginx: master", Signal::KILL, "(nginx, exit code 137)"),
    ] {
        let local = Local::start(&["local", "2"]);
        local.ready().await;
        let first = local.process(first);
        let processes = local.processes();
        let mut others = processes
            .iter()
            .filter(|(process, line)| *process != first && line.contains(REPLICA));
        kill_process(others.next().unwrap().0, Signal::STOP).unwrap();
        kill_process(first, signal).unwrap();
        let (code, output) = local.ended();
        assert_eq!(code, Some(1), "{output}");
        let said = format!("start.sh: a process has ended {reason}; its message is above\n");
        assert!(output.contains(&said), "{output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_nginx_that_was_stopped_ends_too() {
    let local = Local::start(&["local", "2"]);
    local.ready().await;
    for part in ["nginx: master", "nginx: worker"] {
        kill_process(local.process(part), Signal::STOP).unwrap();
    }
    kill_process_group(Pid::from_child(&local.script.0), Signal::INT).unwrap();
    let (code, output) = local.ended();
    assert_eq!(code, Some(0), "{output}");
}

/// A replica that cannot start: there is no nginx yet, or it is told to go until it does.
#[test]
fn what_cannot_start_ends_all() {
    let tree = Tree::with_cargo();
    fs::write(tree.path("file"), "").unwrap();
    let local = Local::start_in(
        tree,
        &["local", "2"],
        &[("FOOTFALL_DATA_DIR", "file/below")],
    );
    let (code, output) = local.ended();
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("file/below"), "{output}");
    assert!(
        output.contains("start.sh: a process has ended (replica, exit code 1)"),
        "{output}"
    );
    assert!(!output.contains("Home page"), "{output}");

    // An address that no machine has (RFC 5737).
    let nowhere = format!("192.0.2.1:{}", free_port());
    let listen = format!("tcp:{nowhere}");
    let settings = [("FOOTFALL_LISTEN", listen.as_str())];
    let local = Local::start_in(Tree::with_cargo(), &["local", "2"], &settings);
    let (code, output) = local.ended();
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains(&format!("bind() to {nowhere} failed")),
        "{output}"
    );
    assert!(
        output.contains("start.sh: nginx cannot start; its message is above"),
        "{output}"
    );
    assert!(!output.contains("Home page"), "{output}");
}

/// What is sent to it before it has its handlers is lost where QUIT is ignored, as it is for what
/// bash starts in the background.
#[test]
fn an_nginx_that_has_only_begun_is_stopped_too() {
    let tree = Tree::with_cargo();
    tree.stub("nginx", "[[ $* == '-t '* ]] || { trap '' QUIT; sleep 1; }; exec \"$(PATH=/usr/sbin:/usr/bin command -v nginx)\" \"$@\"");
    let local = Local::start_in(tree, &["local", "2"], &[]);
    local.process("bin/nginx -e stderr");
    kill_process(local.process(REPLICA), Signal::KILL).unwrap();
    let (code, output) = local.ended();
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("(replica, exit code 137)"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_docker_it_is_the_local_service() {
    let local = Local::start(&[]);
    local.ready().await;
    let output = local.output();
    assert!(
        output.starts_with("No Docker engine answers: starting the local service"),
        "{output}"
    );
    assert!(
        output.contains(&format!("Swagger UI   http://{}/swagger/", local.address)),
        "{output}"
    );
    assert!(
        output.contains(&format!("Console      http://{}/console/", local.address)),
        "{output}"
    );
    let mut client = Client::tcp(&local.address).logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    local.script.signal(Signal::TERM);
    assert_eq!(local.ended().0, Some(0));
}

#[test]
fn what_is_missing_or_wrong() {
    let tree = Tree::new();
    for replicas in ["0", "33", "abc", "-1", "1.5", "08", "", "4294967297"] {
        let mut command = tree.start(&["local", replicas]);
        tree.assert_refused(&mut command, "replicas: there are slots for 1 to 32");
    }
    tree.assert_refused(&mut tree.start(&["local"]), "cargo is missing");
    tree.stub("cargo", CARGO);
    tree.assert_refused(&mut tree.start(&["local", "2"]), "a C compiler is missing");
    tree.stub("cc", "");
    tree.assert_refused(
        tree.start(&["local", "2"])
            .env("FOOTFALL_LISTEN", "unix:x.sock"),
        "FOOTFALL_LISTEN has no tcp: address",
    );
    for (taken, wanted) in [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("127.0.0.2", "127.0.0.2"),
        ("[::1]", "[::1]"),
    ] {
        let listener = TcpListener::bind(format!("{taken}:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        tree.assert_refused(
            tree.start(&["local", "2"])
                .env("FOOTFALL_LISTEN", format!("tcp:{wanted}:{port}")),
            &format!("port {port} is in use; say another: FOOTFALL_LISTEN="),
        );
    }
}

#[test]
fn what_fails_before_the_start_ends_it() {
    let tree = Tree::with_cargo();
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(
            !output.stdout.ends_with(b"kept.\n\n"),
            "nothing was started"
        );
        (output.status.code(), super::both(&output))
    };
    for arguments in [&["local"][..], &["local", "2"]] {
        let mut command = tree.start(arguments);
        let (code, said) = run(command.env("FOOTFALL_WORKERS", "none"));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("FOOTFALL_WORKERS"), "{said}");
    }
    tree.stub("cargo", "echo 'error: could not compile' >&2; exit 101");
    let (code, said) = run(&mut tree.start(&["local"]));
    assert_eq!(code, Some(101), "{said}");
}
