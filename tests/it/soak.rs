//! Half an hour of load with random faults: `./test.sh soak [MINUTES]`.
//!
//! Clients behind nginx count on a few counters, each visit with an
//! `Idempotency-Key`, and repeat what is answered 503. Every few seconds Redis
//! or a replica is killed, stopped, cut off or restarted. In the end each
//! counter's numbers must be exactly 1, 2, 3, …, and the one replica that lives
//! through it all must have no more memory and descriptors than at first.

use std::{
    collections::BTreeMap,
    env, fs,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{
    Footfall, Redis,
    client::Target,
    load::{Insistent, assert_exact},
    proxy::Proxy,
};

/// Time between two faults, on average: enough to recover from one.
const PAUSE_MILLIS: u64 = 4000;

/// Least number of faults for what is said at the end to be worth anything.
const FEW: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillRedis,
    StopRedis,
    RestartRedis,
    DemoteRedis,
    FillRedis,
    FlushScripts,
    KillConnections,
    KillReplica,
    DrainReplica,
    HangReplica,
}

const FAULTS: &[Fault] = &[
    Fault::KillRedis,
    Fault::StopRedis,
    Fault::RestartRedis,
    Fault::DemoteRedis,
    Fault::FillRedis,
    Fault::FlushScripts,
    Fault::KillConnections,
    Fault::KillReplica,
    Fault::DrainReplica,
    Fault::HangReplica,
];

struct Service {
    proxy: Proxy,
    redis: Redis,
    /// Never touched.
    survivor: Footfall,
    others: Vec<Footfall>,
}

impl Service {
    fn start() -> Self {
        let (proxy, redis) = (Proxy::start(), Redis::start());
        let survivor = replica(&proxy, &redis);
        let others = vec![replica(&proxy, &redis), replica(&proxy, &redis)];
        Self {
            proxy,
            redis,
            survivor,
            others,
        }
    }

    async fn suffer(&mut self, fault: Fault, random: &mut Random) {
        let moment = Duration::from_millis(random.below(2500));
        let victim = random.below(self.others.len() as u64) as usize;
        match fault {
            Fault::KillRedis => {
                self.redis.kill();
                tokio::time::sleep(moment).await;
                self.redis.restart();
            }
            Fault::RestartRedis => {
                self.redis.signal(Signal::TERM);
                tokio::time::sleep(moment).await;
                self.redis.restart();
            }
            Fault::StopRedis => {
                self.redis.signal(Signal::STOP);
                tokio::time::sleep(moment).await;
                self.redis.signal(Signal::CONT);
            }
            Fault::DemoteRedis => {
                // Nobody is there to be followed, so it keeps what it has.
                self.redis.command("REPLICAOF 127.0.0.1 1");
                tokio::time::sleep(moment).await;
                self.redis.command("REPLICAOF NO ONE");
            }
            Fault::FillRedis => {
                self.redis.command("CONFIG SET maxmemory 1");
                tokio::time::sleep(moment).await;
                self.redis.command("CONFIG SET maxmemory 1gb");
            }
            Fault::FlushScripts => {
                self.redis.command("SCRIPT FLUSH");
            }
            Fault::KillConnections => {
                self.redis.command("CLIENT KILL TYPE normal");
            }
            Fault::KillReplica => {
                self.others[victim].process.kill();
                tokio::time::sleep(moment).await;
                self.others[victim] = replica(&self.proxy, &self.redis);
            }
            Fault::DrainReplica => {
                self.others[victim].stop();
                self.others[victim] = replica(&self.proxy, &self.redis);
            }
            Fault::HangReplica => {
                self.others[victim].process.signal(Signal::STOP);
                tokio::time::sleep(moment).await;
                self.others[victim].process.signal(Signal::CONT);
            }
        }
    }
}

fn replica(proxy: &Proxy, redis: &Redis) -> Footfall {
    let builder = proxy.replica().env("REDIS_URL", redis.url());
    builder.env("FOOTFALL_STORE_TIMEOUT", "1s").start()
}

/// What the survivor has.
#[derive(Debug, Clone, Copy)]
struct Sample {
    resident_kb: u64,
    descriptors: usize,
}

impl Sample {
    fn of(footfall: &Footfall) -> Self {
        let process = format!("/proc/{}", footfall.process.0.id());
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = line.unwrap().trim().trim_end_matches(" kB");
        Self {
            resident_kb: resident.parse().unwrap(),
            descriptors: fs::read_dir(format!("{process}/fd")).unwrap().count(),
        }
    }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

/// xorshift64 (Marsaglia 2003): a seed that is printed repeats the schedule.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes as long as it is told: ./test.sh soak [MINUTES]"]
async fn soak() {
    let minutes: u64 = env::var("SOAK_MINUTES").map_or(30, |text| text.parse().unwrap());
    let seed = env::var("SOAK_SEED").map_or_else(
        |_| u64::from(std::process::id()) + 1,
        |text| text.parse().unwrap(),
    );
    println!("{minutes} minutes, SOAK_SEED={seed}");
    let mut random = Random(seed);
    let mut service = Service::start();
    let token = service.survivor.token().await;
    let counters = ["a", "b", "c"].map(str::to_owned);
    let nginx = [Target::Tcp(service.proxy.address.clone())];
    let load = Insistent::start(&nginx, &token, 8, &counters);
    load.count(500).await;

    let (mut faults, mut samples) = (BTreeMap::<Fault, u32>::new(), Vec::new());
    let mut slowest = Duration::ZERO;
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    while Instant::now() < end {
        let fault = FAULTS[random.below(FAULTS.len() as u64) as usize];
        service.suffer(fault, &mut random).await;
        *faults.entry(fault).or_default() += 1;
        let mended = Instant::now();
        load.count(50).await;
        slowest = slowest.max(mended.elapsed());
        samples.push(Sample::of(&service.survivor));
        tokio::time::sleep(Duration::from_millis(random.below(2 * PAUSE_MILLIS))).await;
    }

    let numbers = load.stop().await;
    let mut client = service.survivor.client().with_token(&token);
    let mut visits = 0;
    for (counter, numbers) in &numbers {
        assert_exact(numbers);
        let total = client.get(&format!("/api/counters/{counter}")).await;
        assert_eq!(total.visits(), numbers.len() as u64);
        visits += numbers.len();
    }
    let regressions = service.survivor.metric("footfall_count_regressions_total");
    assert_eq!(regressions.await, Some(0.0));

    assert!(samples.len() >= FEW, "{} faults are too few", samples.len());
    let third = samples.len() / 3;
    let (first, last) = (&samples[..third], &samples[samples.len() - third..]);
    let resident = |samples: &[Sample]| median(samples.iter().map(|s| s.resident_kb).collect());
    let descriptors = |samples: &[Sample]| samples.iter().map(|s| s.descriptors).max().unwrap();
    println!("{visits} visits, each counted once; faults: {faults:?}");
    println!("after a fault had been mended, 50 more visits took at most {slowest:?}");
    println!(
        "the survivor: {} kB resident in the first third (median), {} kB in the last; {} and {} descriptors (most)",
        resident(first),
        resident(last),
        descriptors(first),
        descriptors(last),
    );
    // A leak grows with time; caches and the allocator's arenas fill once.
    assert!(resident(last) <= resident(first) * 5 / 4);
    assert!(descriptors(last) <= descriptors(first) + 16);
}
