//! Replicas that hang lose their slots, and get them back when they answer.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{
    Client, Footfall, Redis,
    client::{Target, pings},
    eventually,
    load::assert_exact,
    process::{PATIENCE, Process, throughout},
    proxy::Proxy,
    slots::Slots,
    steady::{Exchange, SteadyLoad, p99, slowest_by_second},
};

/// Within this time a replica that hangs has lost its slots.
const PROMISE: Duration = Duration::from_secs(3);

/// What a busy machine, on which other tests run at the same time, adds to it.
const BUSY: Duration = Duration::from_secs(2);

/// What a replica has counted.
async fn visits(replica: &Footfall) -> f64 {
    replica.metric("footfall_visits_total").await.unwrap()
}

/// Behind the shipped nginx with its shipped timeouts.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_replica_does_not_hold_requests_up_and_takes_its_share_again() {
    let proxy = Proxy::start();
    let slots = Slots::of(&proxy.path("sockets"));
    let redis = Redis::start();
    let replicas: Vec<_> = (0..3)
        .map(|_| {
            let replica = proxy.replica().env("REDIS_URL", redis.url());
            replica.env("FOOTFALL_STORE_TIMEOUT", "1s").start()
        })
        .collect();
    let token = replicas[0].token().await;
    let load = SteadyLoad::start(&Target::Tcp(proxy.address.clone()), &token, 200);
    load.answer(400).await;

    let before = visits(&replicas[1]).await;
    assert!(before > 0.0);
    replicas[1].process.signal(Signal::STOP);
    let stopped = Instant::now();
    slots.become_sockets(&[1, 3]);
    let lost = stopped.elapsed();
    assert!(lost < PROMISE + BUSY, "it lost its slots after {lost:?}");
    while stopped.elapsed() < Duration::from_secs(8) {
        load.answer(100).await;
    }
    replicas[1].process.signal(Signal::CONT);
    slots.become_sockets(&[1, 2, 3]);
    let begin = Instant::now();
    loop {
        let before = visits(&replicas[1]).await;
        load.answer(300).await;
        let share = visits(&replicas[1]).await - before;
        if share > 60.0 {
            break;
        }
        let waited = begin.elapsed();
        assert!(
            waited < PATIENCE,
            "of 300 visits it got {share} after {waited:?}"
        );
    }
    println!("its share again after {:?}", begin.elapsed());

    let exchanges = load.stop().await;
    let (from, to) = (stopped, stopped + Duration::from_secs(8));
    let hung = |sent: &&Exchange| (from..to).contains(&sent.at);
    let meanwhile = p99(exchanges.iter().filter(hung));
    // What a busy machine makes of requests that meet no replica that hangs.
    let noise = p99(exchanges.iter().filter(|sent| !hung(sent)));
    println!(
        "slots lost after {lost:?}; slowest answer in ms by second since: {:?}; p99 while it hung: {meanwhile:?}, else {noise:?}",
        slowest_by_second(&exchanges, stopped),
    );
    assert!(
        meanwhile < Duration::from_secs(1) + BUSY / 2 + noise,
        "p99 is {meanwhile:?}, else {noise:?}"
    );
    for exchange in &exchanges {
        let after = exchange.at.saturating_duration_since(stopped);
        assert!(
            after < PROMISE + BUSY || exchange.took < Duration::from_secs(1) + noise,
            "{:?} after the stop a request took {:?}",
            after,
            exchange.took
        );
    }
    let numbers: Vec<_> = exchanges.iter().map(|sent| sent.reply.visits()).collect();
    assert_exact(&numbers);
    assert_eq!(replicas[0].total(&token).await, numbers.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_wakes_up_is_published_again() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let [_first, second] = [slots.replica().start(), slots.replica().start()];
    for _ in 0..2 {
        second.process.signal(Signal::STOP);
        slots.become_sockets(&[1]);
        eventually("every slot leads to the one that answers", || {
            (slots.spread().values().sum::<usize>() == 31).then_some(())
        });
        second.process.signal(Signal::CONT);
        slots.become_sockets(&[1, 2]);
        assert!(pings(&slots.slot(2)).await);
    }
    let said = second.logged("the socket is published again");
    assert_eq!(said["path"], slots.slot(2).to_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_was_taken_meanwhile_is_left_to_its_new_owner() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let [first, _second] = [slots.replica().start(), slots.replica().start()];
    first.process.signal(Signal::STOP);
    slots.become_sockets(&[2]);
    let _third = slots.replica().start();
    assert_eq!(slots.sockets(), [1, 2]);
    first.process.signal(Signal::CONT);
    slots.become_sockets(&[1, 2, 3]);
    assert!(pings(&slots.slot(3)).await);
}

/// Several hang at once: the one that does not finds them all.
#[tokio::test(flavor = "multi_thread")]
async fn all_that_hang_at_once_lose_their_slots_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let replicas: Vec<_> = (0..5).map(|_| slots.replica().start()).collect();
    for replica in &replicas[1..] {
        replica.process.signal(Signal::STOP);
    }
    let stopped = Instant::now();
    slots.become_sockets(&[1]);
    let lost = stopped.elapsed();
    assert!(lost < PROMISE + BUSY, "{lost:?}");
    for replica in &replicas[1..] {
        replica.process.signal(Signal::CONT);
    }
    slots.become_sockets(&[1, 2, 3, 4, 5]);
}

/// Who gets a third of a second at a time is slow, and does not hang.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_are_both_slow_keep_their_slots() {
    const SLICE: Duration = Duration::from_millis(350);
    // One that was stopped for so long may be taken to hang, and rightly: this machine was too busy
    // for the test.
    const TOO_LONG: Duration = Duration::from_millis(600);
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let replicas = [slots.replica().start(), slots.replica().start()];
    let published = |replica: &Footfall| {
        let log = replica.log().into_iter();
        log.filter(|line| line.contains("the socket is published again"))
            .count()
    };
    let state = || (slots.inodes(), replicas.each_ref().map(published));
    let mut sockets = state();
    // A thread that does nothing else takes turns on time, as far as the machine lets it.
    let take_turns = || {
        let (mut stretched, begin) = (false, Instant::now());
        for turn in 0.. {
            let (runs, rests) = (&replicas[turn % 2], &replicas[(turn + 1) % 2]);
            let slice = Instant::now();
            rests.process.signal(Signal::STOP);
            runs.process.signal(Signal::CONT);
            std::thread::sleep(SLICE);
            stretched |= slice.elapsed() > TOO_LONG;
            if stretched || begin.elapsed() > Duration::from_secs(8) {
                break;
            }
        }
        for replica in &replicas {
            replica.process.signal(Signal::CONT);
        }
        stretched
    };
    let mut tries = 0;
    while std::thread::scope(|scope| scope.spawn(take_turns).join().unwrap()) {
        tries += 1;
        assert!(tries < 10, "this machine is too busy to take turns on");
        slots.become_sockets(&[1, 2]);
        sockets = state();
    }
    for path in [1, 2].map(|slot| slots.slot(slot)) {
        assert!(pings(&path).await);
    }
    assert_eq!(state(), sockets);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_one_that_answers_stays() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let replicas = [slots.replica().start(), slots.replica().start()];
    replicas[1].process.signal(Signal::STOP);
    slots.become_sockets(&[1]);
    replicas[0].process.signal(Signal::STOP);
    replicas[1].process.signal(Signal::CONT);
    slots.become_sockets(&[2]);
    assert!(pings(&slots.slot(1)).await && pings(&slots.slot(2)).await);
    replicas[0].process.signal(Signal::CONT);
    slots.become_sockets(&[1, 2]);
}

/// A thread of a replica that a debugger holds in a system call, as a lock or a
/// disk may hold it. The others of the process go on.
struct HeldThread(Process);

impl HeldThread {
    fn hold(replica: &Footfall, name: &str) -> Self {
        let mut threads = fs::read_dir(format!("/proc/{}/task", replica.process.0.id())).unwrap();
        let thread = threads
            .find_map(|thread| {
                let path = thread.unwrap().path();
                let found = fs::read_to_string(path.join("comm")).unwrap();
                (found.trim() == name).then(|| path.file_name().unwrap().to_owned())
            })
            .expect("the replica has this thread");
        let strace = Process::spawn(
            Command::new("strace")
                .args(["-e", "trace=epoll_wait,epoll_pwait"])
                .args(["-e", "inject=epoll_wait,epoll_pwait:delay_enter=600000000"])
                .arg("-p")
                .arg(thread)
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        Self(strace)
    }

    /// Lets it go on.
    fn release(mut self) {
        self.0.signal(Signal::TERM);
        self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_which_one_worker_is_stuck_says_so_and_leaves() {
    let proxy = Proxy::start();
    let slots = Slots::of(&proxy.path("sockets"));
    let redis = Redis::start();
    let [sound, stuck] = [0, 1].map(|_| proxy.replica().env("REDIS_URL", redis.url()).start());
    let held = HeldThread::hold(&stuck, "worker-1");
    let held_at = Instant::now();
    slots.become_sockets(&[1]);
    let lost = held_at.elapsed();
    println!("slot lost after {lost:?}");
    assert!(lost < PROMISE + BUSY, "{lost:?}");

    let reply = stuck.ops_client().get("/healthz").await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (503, "replica_stuck")
    );
    let reply = stuck.ops_client().get("/readyz").await;
    assert_eq!(
        (reply.status.as_u16(), reply.json()["status"].as_str()),
        (503, Some("stuck"))
    );
    // The other worker answers connections that are new.
    let reply = stuck.client().get("/healthz").await;
    assert_eq!(reply.problem(), "replica_stuck");
    assert_eq!(sound.ops_client().get("/healthz").await.status, 200);
    let mut client = proxy.client().logged_in().await;
    for number in 1..=32 {
        assert_eq!(client.get("/api/count").await.visits(), number);
    }

    held.release();
    slots.become_sockets(&[1, 2]);
    assert_eq!(stuck.ops_client().get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_which_all_workers_are_stuck_loses_its_slot() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let [_sound, stuck] = [slots.replica().start(), slots.replica().start()];
    let held = [0, 1].map(|index| HeldThread::hold(&stuck, &format!("worker-{index}")));
    slots.become_sockets(&[1]);
    // Its keeper is well, and does not publish what nobody answers on.
    throughout(PROMISE, async || assert_eq!(slots.sockets(), [1])).await;
    let mut client = Client::unix(slots.slot(2)).logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    held.into_iter().for_each(HeldThread::release);
    slots.become_sockets(&[1, 2]);
}
