//! Every visit gets its own number, and the same visit the same one.

use std::path::PathBuf;

use hyper::Method;

use crate::support::{
    Client, Footfall, Redis,
    client::Target,
    load::{assert_exact, count_visits},
};

/// Three replicas that share a store; their TCP and Unix addresses.
struct Replicas {
    replicas: Vec<Footfall>,
    sockets: Vec<PathBuf>,
    _directory: tempfile::TempDir,
}

impl Replicas {
    fn on(redis: &Redis) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sockets: Vec<_> = (1..=3)
            .map(|slot| directory.path().join(format!("{slot}.sock")))
            .collect();
        let replicas = sockets.iter().map(|socket| {
            Footfall::builder()
                .env("REDIS_URL", redis.url())
                .socket(socket)
                .start()
        });
        Self {
            replicas: replicas.collect(),
            sockets,
            _directory: directory,
        }
    }

    async fn token(&self) -> String {
        self.replicas[0].token().await
    }

    fn tcp_targets(&self) -> Vec<Target> {
        self.replicas
            .iter()
            .map(|replica| Target::Tcp(replica.public()))
            .collect()
    }

    fn unix_targets(&self) -> Vec<Target> {
        self.sockets.iter().cloned().map(Target::Unix).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_thousand_visits_over_three_replicas_and_redis() {
    let redis = Redis::start();
    let replicas = Replicas::on(&redis);
    let numbers = count_visits(
        &replicas.unix_targets(),
        &replicas.token().await,
        96,
        60_000,
    )
    .await;
    assert_eq!(numbers.len(), 60_000);
    assert_exact(&numbers);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifteen_thousand_visits_over_three_processes_on_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let start = |_| Footfall::builder().directory(directory.path()).start();
    let processes: Vec<_> = (0..3).map(start).collect();
    let targets: Vec<_> = processes
        .iter()
        .map(|process| Target::Tcp(process.public()))
        .collect();
    let token = processes[0].token().await;
    let numbers = count_visits(&targets, &token, 48, 15_000).await;
    assert_eq!(numbers.len(), 15_000);
    assert_exact(&numbers);
}

/// Sends one identity 300 times at once and checks that it is one visit.
async fn one_identity_three_hundred_times(targets: &[Target], token: &str, header: &'static str) {
    let tasks: Vec<_> = (0..300)
        .map(|index| {
            let mut client = Client::new(targets[index % targets.len()].clone())
                .with_token(token)
                .with(header, "the-same-visit");
            tokio::spawn(async move {
                let reply = client.get("/api/count").await;
                (reply.visits(), reply.replayed())
            })
        })
        .collect();
    let mut replies = Vec::new();
    for task in tasks {
        replies.push(task.await.unwrap());
    }
    let number = replies[0].0;
    assert!(
        replies.iter().all(|(visits, _)| *visits == number),
        "{replies:?}"
    );
    assert_eq!(
        replies.iter().filter(|(_, replayed)| !replayed).count(),
        1,
        "exactly one of them was counted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_identity_sent_three_hundred_times_at_once_is_one_visit() {
    let redis = Redis::start();
    let replicas = Replicas::on(&redis);
    let token = replicas.token().await;
    one_identity_three_hundred_times(&replicas.tcp_targets(), &token, "idempotency-key").await;
    one_identity_three_hundred_times(&replicas.unix_targets(), &token, "x-request-id").await;
    let mut client = replicas.replicas[0].client().with_token(&token);
    assert_eq!(
        client.get("/api/counters/visits").await.visits(),
        2,
        "one per kind of identity"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shuffled_storm_of_four_thousand_identities_three_times_each() {
    const IDENTITIES: usize = 4000;
    let redis = Redis::start();
    let replicas = Replicas::on(&redis);
    let token = replicas.token().await;
    let targets = replicas.unix_targets();
    // A fixed stride that is coprime to the number of requests visits each once, out of order.
    let order: Vec<usize> = (0..3 * IDENTITIES)
        .map(|step| step * 7919 % (3 * IDENTITIES))
        .collect();
    let tasks: Vec<_> = order
        .chunks(order.len() / 48)
        .enumerate()
        .map(|(index, chunk)| {
            let mut client = Client::new(targets[index % targets.len()].clone()).with_token(&token);
            let chunk = chunk.to_vec();
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for request in chunk {
                    let identity = request % IDENTITIES;
                    let header = if identity.is_multiple_of(2) {
                        "idempotency-key"
                    } else {
                        "x-request-id"
                    };
                    let value = format!("visit-{identity}");
                    let reply = client
                        .send(Method::GET, "/api/count", &[(header, &value)], "")
                        .await;
                    numbers.push((identity, reply.visits()));
                }
                numbers
            })
        })
        .collect();
    let mut given = vec![None; IDENTITIES];
    for task in tasks {
        for (identity, number) in task.await.unwrap() {
            assert_eq!(
                *given[identity].get_or_insert(number),
                number,
                "identity {identity}"
            );
        }
    }
    let numbers: Vec<u64> = given.into_iter().map(Option::unwrap).collect();
    assert_exact(&numbers);
    let mut client = replicas.replicas[0].client().with_token(&token);
    assert_eq!(client.get("/api/counters/visits").await.visits(), 4000);
}

/// Counters are listed in the order of their names, page by page, each once.
async fn pages(footfall: &Footfall) {
    let mut client = footfall.client().logged_in().await;
    assert_eq!(
        client.get("/api/counters").await.json(),
        serde_json::json!({ "counters": [], "next": null })
    );
    let mut names: Vec<String> = (0..25).map(|index| format!("page-{index}")).collect();
    for name in &names {
        assert_eq!(
            client.post(&format!("/api/counters/{name}")).await.visits(),
            1
        );
    }
    names.sort();
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client
            .get(&format!("/api/counters?limit=10{cursor}"))
            .await
            .json();
        let counters = page["counters"].as_array().unwrap();
        found.extend(
            counters
                .iter()
                .map(|counter| counter["name"].as_str().unwrap().to_owned()),
        );
        assert!(found.len() <= names.len(), "a name is on two pages");
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, names);
    assert_eq!(
        client.get("/api/counters/page-7").await.visits(),
        1,
        "reading does not count"
    );
    let reply = client.get("/api/counters/never").await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (404, "counter_not_found")
    );
}

#[tokio::test]
async fn counters_are_listed_from_redis() {
    let redis = Redis::start();
    pages(&Footfall::builder().env("REDIS_URL", redis.url()).start()).await;
}

#[tokio::test]
async fn counters_are_listed_from_sqlite() {
    pages(&Footfall::start()).await;
}
