//! What became of the requests.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Latencies are kept to 1 %.
const SIGNIFICANT_DIGITS: u8 = 2;

/// What became of some requests.
pub struct Tally {
    /// Answered with 200.
    pub answered: u64,
    /// Answered with anything else, or not at all.
    pub failed: u64,
    /// What happened to the first of these.
    pub failure: Option<String>,
    /// From when a request was due to its answer, in nanoseconds.
    latency: Histogram<u64>,
    /// How late requests were sent on connections that were free, in nanoseconds: what of the
    /// latency is this program's own.
    lateness: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let histogram = || Histogram::new(SIGNIFICANT_DIGITS).expect("2 digits are allowed");
        Self {
            answered: 0,
            failed: 0,
            failure: None,
            latency: histogram(),
            lateness: histogram(),
        }
    }
}

impl Tally {
    /// Notes an answer.
    pub fn answer(&mut self, status: u16, latency: Duration) {
        if status == 200 {
            self.answered += 1;
            record(&mut self.latency, latency);
        } else {
            self.failure(format!("status {status}"));
        }
    }

    /// Notes a request that failed.
    pub fn failure(&mut self, what: String) {
        self.failed += 1;
        self.failure.get_or_insert(what);
    }

    /// Notes how late a request was sent.
    pub fn late(&mut self, lateness: Duration) {
        record(&mut self.lateness, lateness);
    }

    /// Adds what another has.
    pub fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        if self.failure.is_none() {
            self.failure.clone_from(&other.failure);
        }
        // They have the same digits and grow by themselves.
        self.latency += &other.latency;
        self.lateness += &other.lateness;
    }

    /// The result of a run.
    pub fn to_json(&self, elapsed: Duration) -> Value {
        json!({
            "requests": self.answered,
            "failures": self.failed,
            "failure": self.failure,
            "seconds": elapsed.as_secs_f64(),
            "latency_ns": counts(&self.latency),
            "lateness_ns": counts(&self.lateness),
        })
    }
}

/// Values and how often each was seen.
fn counts(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    histogram
        .iter_recorded()
        .map(|step| (step.value_iterated_to(), step.count_at_value()))
        .collect()
}

fn record(histogram: &mut Histogram<u64>, time: Duration) {
    let nanoseconds = time.as_nanos().try_into().unwrap_or(u64::MAX);
    histogram
        .record(nanoseconds)
        .expect("the histogram grows with its values");
}
