//! Child processes that never outlive their test.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// The longest a test waits for a condition. Far beyond what any of them takes, on a busy machine too:
/// only a failing test ever waits this long.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A process that is killed when it is dropped.
pub struct Process(pub Child);

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        let program = command.get_program().to_owned();
        Self(command.spawn().unwrap_or_else(|error| {
            panic!("{program:?} cannot be started ({error}); ./test.sh installs it")
        }))
    }

    pub fn signal(&self, signal: Signal) {
        let process = Pid::from_child(&self.0);
        kill_process(process, signal).unwrap();
    }

    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// The time all its threads have had on a CPU.
    pub fn cpu_time(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let nanoseconds = threads.map(|thread| {
            let told = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
            told.split(' ').next().unwrap().parse::<u64>().unwrap()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// Waits until the process has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the process does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command that is expected to end by itself. What it says fits in a pipe.
pub fn run(command: &mut Command) -> Output {
    let mut process = Process::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let status = process.wait();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let Child {
        stdout: out,
        stderr: err,
        ..
    } = &mut process.0;
    out.as_mut().unwrap().read_to_end(&mut stdout).unwrap();
    err.as_mut().unwrap().read_to_end(&mut stderr).unwrap();
    Output {
        status,
        stdout,
        stderr,
    }
}

/// Asks again until the answer is `Some`.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "never came true: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Like [`eventually`], on a runtime: it holds no thread.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            // Who asks without a pause takes the time of a CPU from what is waited for.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_| panic!("never came true: {what}"))
}

/// Looks again and again for as long as this, at what must hold all the time.
pub async fn throughout(time: Duration, mut look: impl AsyncFnMut()) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        look().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A TCP port nobody has now. The kernel may offer one twice; it is given out once.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// Lets the tests open this many descriptors at once, all together. The customary limit of 1024
/// is a soft one.
pub fn allow_descriptors(needed: u64) {
    let limit = getrlimit(Resource::Nofile);
    assert!(
        limit.maximum.is_none_or(|maximum| maximum >= needed),
        "the tests need {needed} open files, and the hard limit (ulimit -Hn) is {limit:?}"
    );
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}
