//! `GET /console/live`: numbers that move, over real connections to real processes.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Instant,
};

use hyper::Method;
use rustix::process::Signal;
use serde_json::Value;

use super::operator;
use crate::support::{Footfall, Redis, TestApp, process::PATIENCE, reader::Reader, until};

/// Somebody who follows numbers: a browser's `EventSource`, as far as one connection goes.
struct Follower {
    stream: BufReader<TcpStream>,
    head: String,
    /// The last number of each.
    numbers: BTreeMap<String, u64>,
    is_away: bool,
}

/// What came on a stream.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Event,
    Heartbeat,
    End,
}

impl Follower {
    /// By HTTP/1.0, whose bodies are not in chunks.
    fn of(address: &str, reader: &Reader, counters: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let cookies = reader.cookies.iter();
        let cookies: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = format!(
            "GET /console/live?counters={counters} HTTP/1.0\r\nhost: localhost\r\naccept: text/event-stream\r\ncookie: {}\r\n\r\n",
            cookies.join("; ")
        );
        stream.write_all(request.as_bytes()).unwrap();
        let (mut stream, mut head) = (BufReader::new(stream), String::new());
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).unwrap(), 0, "{head}");
        }
        Self {
            stream,
            head,
            numbers: BTreeMap::new(),
            is_away: false,
        }
    }

    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    /// Waits for what comes next.
    fn next(&mut self) -> Came {
        let (mut event, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).unwrap_or(0) == 0 {
                return Came::End;
            }
            match line.trim_end_matches('\n').split_once(':') {
                Some(("event", name)) => event = name.trim().to_owned(),
                Some(("data", text)) => data += text.trim(),
                Some(("", _)) => return Came::Heartbeat,
                Some((name, _)) => assert_eq!(name, "retry"),
                None if data.is_empty() => {}
                None => {
                    self.is_away = event == "away";
                    let data: BTreeMap<String, Value> = serde_json::from_str(&data).unwrap();
                    for (name, number) in data {
                        let number = number.as_str().unwrap().parse().unwrap();
                        let before = self.numbers.insert(name.clone(), number);
                        assert!(before.unwrap_or(0) <= number, "{name} has gone back");
                    }
                    return Came::Event;
                }
            }
        }
    }

    /// Waits until a counter is there.
    fn reaches(&mut self, counter: &str, number: u64) {
        let begun = Instant::now();
        while self.numbers.get(counter) != Some(&number) {
            assert_ne!(self.next(), Came::End);
            assert!(begun.elapsed() < PATIENCE, "{counter}: {:?}", self.numbers);
        }
    }
}

async fn log_in(footfall: &Footfall) -> Reader {
    Reader::new(footfall.client())
        .log_in("admin", "password")
        .await
}

async fn count(footfall: &Footfall, token: &str, counter: &str, times: usize) {
    let mut client = footfall.client().with_token(token);
    for _ in 0..times {
        let path = format!("/api/counters/{counter}");
        assert_eq!(client.send(Method::POST, &path, &[], "").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_move_while_others_count() {
    let footfall = Footfall::start();
    let (reader, token) = (log_in(&footfall).await, footfall.token().await);
    count(&footfall, &token, "a", 2).await;
    let mut follower = Follower::of(&footfall.public(), &reader, "a,b,*");
    assert_eq!(follower.status(), "200");
    for header in [
        "content-type: text/event-stream",
        "x-accel-buffering: no",
        "cache-control: no-",
    ] {
        assert!(follower.head.contains(header), "{}", follower.head);
    }
    // All of them at once, those that are not there yet as well.
    assert_eq!(follower.next(), Came::Event);
    let expected = [("*", 2), ("a", 2), ("b", 0)].map(|(name, number)| (name.to_owned(), number));
    assert_eq!(follower.numbers, expected.into());
    footfall.metric_becomes("footfall_live_streams", 1.0).await;
    count(&footfall, &token, "b", 3).await;
    follower.reaches("b", 3);
    follower.reaches("*", 5);
    // Nothing moves, and both ends know that the other is there.
    assert_eq!(follower.next(), Came::Heartbeat);
    drop(follower);
    footfall.metric_becomes("footfall_live_streams", 0.0).await;
}

/// However many look, and from whichever thread, each is told.
#[tokio::test(flavor = "multi_thread")]
async fn many_pages_see_the_same() {
    let footfall = Footfall::start();
    let (reader, token) = (log_in(&footfall).await, footfall.token().await);
    let address = footfall.public();
    let mut followers: Vec<_> = (0..50)
        .map(|_| Follower::of(&address, &reader, "visits,*"))
        .collect();
    count(&footfall, &token, "visits", 4).await;
    for follower in &mut followers {
        follower.reaches("visits", 4);
        follower.reaches("*", 4);
    }
}

/// Long before the drain is over: its pages go on at another replica.
#[tokio::test(flavor = "multi_thread")]
async fn streams_end_at_once_when_a_replica_drains() {
    let redis = Redis::start();
    let start = || {
        let builder = Footfall::builder().env("REDIS_URL", redis.url());
        builder.env("FOOTFALL_DRAIN_DELAY", "60s").start()
    };
    let (one, other) = (start(), start());
    let (reader, token) = (log_in(&one).await, one.token().await);
    count(&one, &token, "visits", 2).await;
    let mut follower = Follower::of(&one.public(), &reader, "visits");
    follower.reaches("visits", 2);
    one.process.signal(Signal::TERM);
    let begun = Instant::now();
    while follower.next() != Came::End {}
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    // Whoever comes again to this one is sent away.
    assert_eq!(
        Follower::of(&one.public(), &reader, "visits").status(),
        "503"
    );
    let last = follower.numbers["visits"];
    let mut again = Follower::of(&other.public(), &reader, "visits");
    assert_eq!(again.next(), Came::Event);
    assert!(again.numbers["visits"] >= last);
    count(&other, &token, "visits", 1).await;
    again.reaches("visits", 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_replica_that_is_killed_go_on_at_another() {
    let redis = Redis::start();
    let start = || Footfall::builder().env("REDIS_URL", redis.url()).start();
    let (mut one, other) = (start(), start());
    let (reader, token) = (log_in(&one).await, one.token().await);
    count(&one, &token, "visits", 3).await;
    let mut followers: Vec<_> = (0..25)
        .map(|_| Follower::of(&one.public(), &reader, "visits"))
        .collect();
    for follower in &mut followers {
        follower.reaches("visits", 3);
    }
    one.process.kill();
    count(&other, &token, "visits", 1).await;
    for mut follower in followers {
        while follower.next() != Came::End {}
        let mut again = Follower::of(&other.public(), &reader, "visits");
        again.numbers = follower.numbers;
        again.reaches("visits", 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_said_to_be() {
    let redis = Redis::start();
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_STORE_TIMEOUT", "500ms")
        .start();
    let (reader, token) = (log_in(&footfall).await, footfall.token().await);
    count(&footfall, &token, "visits", 1).await;
    let mut follower = Follower::of(&footfall.public(), &reader, "visits");
    follower.reaches("visits", 1);
    redis.signal(Signal::STOP);
    while !follower.is_away {
        assert_ne!(follower.next(), Came::End);
    }
    let failed = "footfall_live_readings_failed_total";
    footfall.ops_client().metric_reaches(failed, 1.0).await;
    redis.signal(Signal::CONT);
    footfall.ready().await;
    count(&footfall, &token, "visits", 1).await;
    follower.reaches("visits", 2);
    assert!(!follower.is_away);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_more_streams_than_they_may_have() {
    let footfall = Footfall::start();
    let reader = log_in(&footfall).await;
    let address = footfall.public();
    let mut followers: Vec<_> = (0..64)
        .map(|_| Follower::of(&address, &reader, "visits"))
        .collect();
    assert!(followers.iter().all(|follower| follower.status() == "200"));
    assert_eq!(Follower::of(&address, &reader, "visits").status(), "429");
    let refused = "footfall_live_streams_refused_total{reason=\"user\"}";
    footfall.metric_becomes(refused, 1.0).await;
    followers.pop();
    let again = async || {
        let follower = Follower::of(&address, &reader, "visits");
        (follower.status() == "200").then_some(())
    };
    until("there is room again", again).await;
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused() {
    let app = TestApp::start().await;
    let mut reader = operator(&app).await;
    let many = (0..101).map(|number| format!("c{number}"));
    let many: Vec<_> = many.collect();
    let many = many.join(",");
    for counters in [
        "",
        ",",
        "NO",
        "a,b%20c",
        "%3Cscript%3E",
        "**",
        many.as_str(),
    ] {
        let path = format!("/console/live?counters={counters}");
        let accept = [("accept", "text/event-stream")];
        let reply = reader.send(Method::GET, &path, &accept, "").await;
        assert_eq!(reply.status, 400, "{counters}: {}", reply.text());
    }
    let mut stranger = app.client();
    let accept = [("accept", "text/event-stream")];
    let reply = stranger
        .send(Method::GET, "/console/live?counters=visits", &accept, "")
        .await;
    assert_eq!(reply.problem(), "missing_token");
}
