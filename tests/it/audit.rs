//! `footfall audit`: a lost or a doubled visit is seen.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use crate::support::{
    Footfall, Redis, client::Target, footfall::footfall_command, load::Insistent, process::Process,
};

struct Audit {
    redis: Redis,
    footfalls: [Footfall; 2],
    token: String,
}

impl Audit {
    async fn start() -> Self {
        let redis = Redis::start();
        let footfalls = [(), ()].map(|()| {
            Footfall::builder()
                .env("REDIS_URL", redis.url())
                .env("FOOTFALL_WORKERS", 1)
                .start()
        });
        let token = footfalls[0].token().await;
        Self {
            redis,
            footfalls,
            token,
        }
    }

    /// Audits while something happens.
    async fn during(&self, named: usize, event: impl AsyncFnOnce()) -> (bool, String) {
        let mut command = footfall_command();
        command
            .env("REDIS_URL", self.redis.url())
            .args(["audit", "--for", "2s"]);
        for footfall in &self.footfalls[..named] {
            command
                .arg("--replica")
                .arg(format!("http://{}", footfall.ops()));
        }
        let mut audit = Process::spawn(command.stdout(Stdio::piped()));
        let mut stdout = BufReader::new(audit.0.stdout.take().unwrap());
        let mut said = String::new();
        stdout.read_line(&mut said).unwrap();
        assert!(said.starts_with("watching "), "{said}");
        event().await;
        let ended = tokio::task::spawn_blocking(move || {
            said.clear();
            stdout.read_to_string(&mut said).unwrap();
            (audit.wait().success(), said)
        });
        ended.await.unwrap()
    }

    async fn visit(&self, replica: usize) {
        let client = self.footfalls[replica].client();
        client
            .with_token(&self.token)
            .get("/api/count")
            .await
            .visits();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_adds_up_is_said() {
    let audit = Audit::start().await;
    audit.visit(0).await;
    let (adds_up, said) = audit.during(2, async || {}).await;
    assert!(adds_up, "{said}");
    assert!(said.starts_with("ok: the store counted 0 visits; the replicas say exactly 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_it_adds_up_too() {
    let audit = Audit::start().await;
    let targets = audit
        .footfalls
        .each_ref()
        .map(|footfall| Target::Tcp(footfall.public()));
    let counters = ["a".to_owned(), "b".to_owned()];
    let load = Insistent::start(&targets, &audit.token, 8, &counters);
    load.count(50).await;
    let (adds_up, said) = audit.during(2, async || load.count(50).await).await;
    load.stop().await;
    assert!(adds_up, "{said}");
    assert!(said.starts_with("ok: "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_visit_is_seen() {
    let audit = Audit::start().await;
    for _ in 0..5 {
        audit.visit(0).await;
    }
    let (adds_up, said) = audit
        .during(2, async || {
            audit.redis.command("DECR footfall:{visits}:count");
        })
        .await;
    assert!(!adds_up);
    assert!(said.starts_with("1 visits are MISSING"), "{said}");
    // The next visit gets a number that another has: that is seen without an audit.
    audit.visit(0).await;
    let footfall = &audit.footfalls[0];
    footfall
        .logged("the store gave a number that it had given before: acknowledged visits are lost");
    let regressions = footfall.metric("footfall_count_regressions_total").await;
    assert_eq!(regressions, Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doubled_visit_is_seen() {
    let audit = Audit::start().await;
    audit.visit(0).await;
    let (adds_up, said) = audit
        .during(2, async || {
            audit.redis.command("INCR footfall:{visits}:count");
        })
        .await;
    assert!(!adds_up);
    assert!(said.starts_with("1 visits are TOO MANY"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_not_named_looks_like_too_many() {
    let audit = Audit::start().await;
    audit.visit(0).await;
    let (adds_up, said) = audit.during(1, async || audit.visit(1).await).await;
    assert!(!adds_up);
    assert!(said.contains("Is every replica named?"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_replica_is_said() {
    let audit = Audit::start().await;
    let address = format!("http://{}", audit.footfalls[0].public());
    let output = footfall_command()
        .env("REDIS_URL", audit.redis.url())
        .args(["audit", "--replica", &address])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("gave no metrics of Footfall (404"), "{said}");
}
