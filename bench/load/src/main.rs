//! A load for HTTP services, over TCP and Unix sockets.
//!
//! With `--rate` it keeps its schedule, whatever the service does: each request is due at a moment
//! that is fixed in advance, and its latency counts from that moment, so a service that stalls is
//! charged for all requests that had to wait (no "coordinated omission"). Without, each connection
//! sends its next request as soon as it has the answer to the last one.

use std::{
    error::Error,
    process::ExitCode,
    sync::{Arc, Barrier, OnceLock, mpsc},
    thread,
    time::Duration,
};

use clap::Parser;
use serde_json::Value;
use tokio::{runtime, task::JoinSet};

mod clock;
mod connection;
mod requests;
mod tally;

use clock::Moment;
use connection::{Address, Connection, Schedule};
use requests::Requests;
use tally::Tally;

/// Between the opening of the last connection and the first request, so that all wait for it by then.
const LEAD: Duration = Duration::from_millis(50);

/// How long connections may take to open, and answers when no more requests are sent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends requests and prints, as JSON, what became of them.
#[derive(Debug, Parser)]
struct Arguments {
    /// `tcp:HOST:PORT` or `unix:PATH`; of several, connections go to each in turn.
    #[arg(long = "target", required = true)]
    targets: Vec<Address>,
    /// Connections, all targets together.
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Threads they are spread over.
    #[arg(long, default_value_t = 1)]
    threads: u32,
    /// How long requests are sent.
    #[arg(long)]
    seconds: f64,
    /// Requests per second, all connections together.
    #[arg(long)]
    rate: Option<f64>,
    #[command(flatten)]
    requests: requests::Arguments,
}

/// When the load begins: once all connections of all threads are open, or it never does.
struct Start {
    moment: OnceLock<Moment>,
    reached: Barrier,
}

impl Start {
    fn new(threads: u32) -> Self {
        Self {
            moment: OnceLock::new(),
            // Those, and the one that says when it is.
            reached: Barrier::new(threads as usize + 1),
        }
    }

    /// Says that it is soon, when every thread has opened its connections.
    fn announce(
        &self,
        opened: &mpsc::Receiver<Result<(), String>>,
        threads: u32,
    ) -> Result<Moment, Box<dyn Error>> {
        for _ in 0..threads {
            opened.recv()??;
        }
        let start = *self.moment.get_or_init(|| clock::now() + LEAD);
        self.reached.wait();
        Ok(start)
    }

    fn wait(&self) -> Moment {
        self.reached.wait();
        *self.moment.get().expect("it is set before anyone goes on")
    }
}

/// Runs connections number `first`, `first + threads`, …
fn run_thread(
    arguments: &Arguments,
    requests: &Arc<Requests>,
    start: &Start,
    opened: &mpsc::Sender<Result<(), String>>,
    first: u32,
) -> Result<Tally, String> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let (result, connections) = match runtime.block_on(open(arguments, requests, first)) {
        Ok(connections) => (Ok(()), connections),
        Err(error) => (Err(error), Vec::new()),
    };
    // Nobody is there to hear it when another thread has failed.
    let _ = opened.send(result);
    let start = start.wait();
    runtime.block_on(async {
        let mut running = JoinSet::new();
        for (index, connection) in connections {
            running.spawn(connection.run(schedule(arguments, start, index)));
        }
        let patience = Duration::from_secs_f64(arguments.seconds) + PATIENCE;
        let ended = tokio::time::timeout(patience, running.join_all())
            .await
            .map_err(|_| "requests were not answered in time")?;
        let mut tally = Tally::default();
        ended.iter().for_each(|connection| tally.add(connection));
        Ok(tally)
    })
}

/// Opens all connections of a thread.
async fn open(
    arguments: &Arguments,
    requests: &Arc<Requests>,
    first: u32,
) -> Result<Vec<(u32, Connection)>, String> {
    let mut connections = Vec::new();
    for index in (first..arguments.connections).step_by(arguments.threads as usize) {
        let target = &arguments.targets[index as usize % arguments.targets.len()];
        let stream = requests.stream(index, arguments.connections);
        let connection = tokio::time::timeout(PATIENCE, Connection::open(target, stream))
            .await
            .map_err(|_| "it is not accepted".to_owned())
            .and_then(|opened| opened.map_err(|error| error.to_string()))
            .map_err(|error| {
                let number = index + 1;
                format!(
                    "{target}: connection {number} of {}: {error}",
                    arguments.connections
                )
            })?;
        connections.push((index, connection));
    }
    Ok(connections)
}

/// Connections take turns, so that requests are due at even distances.
fn schedule(arguments: &Arguments, start: Duration, index: u32) -> Schedule {
    let end = start + Duration::from_secs_f64(arguments.seconds);
    match arguments.rate {
        None => Schedule::AtOnce { start, end },
        Some(rate) => Schedule::Paced {
            first: start + Duration::from_secs_f64(f64::from(index) / rate),
            every: Duration::from_secs_f64(f64::from(arguments.connections) / rate),
            end,
        },
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Sends the requests: what became of them.
fn run(arguments: Arguments) -> Result<Value, Box<dyn Error>> {
    let arguments = Arc::new(arguments);
    let requests = Arc::new(Requests::new(&arguments.requests)?);
    let start = Arc::new(Start::new(arguments.threads));
    let (opening, opened) = mpsc::channel();
    let threads: Vec<_> = (0..arguments.threads)
        .map(|first| {
            let (arguments, requests) = (arguments.clone(), requests.clone());
            let (start, opening) = (start.clone(), opening.clone());
            thread::spawn(move || run_thread(&arguments, &requests, &start, &opening, first))
        })
        .collect();
    let start = start.announce(&opened, arguments.threads)?;
    let mut tally = Tally::default();
    for thread in threads {
        tally.add(&thread.join().map_err(|_| "a thread panicked")??);
    }
    Ok(tally.to_json(clock::now() - start))
}

#[cfg(test)]
mod tests {
    use std::{
        env, fs,
        io::{self, Read},
        os::unix::net::UnixListener,
        process,
    };

    use super::*;

    #[test]
    fn nothing_is_sent_unless_all_connections_are_open() {
        let folder = env::temp_dir().join(format!("bench-load-{}", process::id()));
        fs::create_dir(&folder).unwrap();
        let listener = UnixListener::bind(folder.join("there")).unwrap();
        let targets = ["there", "missing"].map(|name| format!("unix:{}/{name}", folder.display()));
        let arguments = Arguments::parse_from([
            "bench-load",
            "--target",
            &targets[0],
            "--target",
            &targets[1],
            "--connections",
            "2",
            "--threads",
            "2",
            "--seconds",
            "0.1",
            "--path",
            "/",
        ]);
        let error = run(arguments).unwrap_err().to_string();
        let expected = format!("{}: connection 2 of 2: ", targets[1]);
        assert!(error.starts_with(&expected), "{error}");
        // The other connection may be open by now, or may have been given up before.
        listener.set_nonblocking(true).unwrap();
        if let Ok((mut opened, _)) = listener.accept() {
            opened.set_nonblocking(true).unwrap();
            let sent = opened.read(&mut [0]);
            assert!(matches!(sent, Ok(0)) || sent.unwrap_err().kind() == io::ErrorKind::WouldBlock);
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
