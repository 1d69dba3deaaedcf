//! Refreshing as a model, over replicas: clients refresh, repeat, replay and log out at random, time
//! passes, replicas are lost; and of each session at most one line of tokens lives.

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::*;

/// Steps of one run.
const STEPS: usize = 120;

/// Sessions of one run.
const SESSIONS: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// With the token that many steps behind the newest.
    Refresh {
        session: usize,
        behind: usize,
        replica: usize,
    },
    /// With the newest, on all replicas at the same time.
    Race {
        session: usize,
    },
    Revoke {
        session: usize,
        replica: usize,
    },
    /// Time passes, in seconds.
    Wait {
        seconds: i64,
    },
    /// A replica dies, and another takes its place.
    Lose {
        replica: usize,
    },
}

fn steps(replicas: usize) -> impl Strategy<Value = Vec<Step>> {
    let (session, replica) = (0..SESSIONS, 0..replicas);
    let step = prop_oneof![
        // Mostly the newest, and the one before it.
        10 => (session.clone(), prop_oneof![6 => Just(0), 3 => Just(1), 1 => 2..5_usize], replica.clone())
            .prop_map(|(session, behind, replica)| Step::Refresh { session, behind, replica }),
        2 => session.clone().prop_map(|session| Step::Race { session }),
        1 => (session, replica.clone()).prop_map(|(session, replica)| Step::Revoke { session, replica }),
        3 => prop_oneof![3 => Just(1), 1 => Just(40)].prop_map(|seconds| Step::Wait { seconds }),
        1 => replica.prop_map(|replica| Step::Lose { replica }),
    ];
    proptest::collection::vec(step, STEPS)
}

/// What the model knows of a session.
struct Known {
    /// All tokens there were, the newest last.
    tokens: Vec<Pair>,
    /// Seconds since the newest was made.
    age: i64,
    has_ended: bool,
}

struct World {
    stack: Stack,
    person: Person,
    known: Vec<Known>,
}

impl World {
    async fn new(stack: Stack) -> Self {
        let [person, ..] = people(&stack.apps[0]).await;
        let mut world = Self {
            stack,
            person,
            known: Vec::new(),
        };
        for _ in 0..SESSIONS {
            let known = world.login().await;
            world.known.push(known);
        }
        world
    }

    async fn login(&self) -> Known {
        Known {
            tokens: vec![Pair::login(&mut self.stack.client(), &self.person).await],
            age: 0,
            has_ended: false,
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Refresh {
                session,
                behind,
                replica,
            } => self.refresh(session, behind, replica).await,
            Step::Race { session } => self.race(session).await,
            Step::Revoke { session, replica } => {
                let known = &mut self.known[session];
                let access = &known.tokens.last().unwrap().access;
                let mut client = self.stack.apps[replica].client().with_token(access);
                assert_eq!(client.post("/auth/logout").await.status, 204);
                known.has_ended = true;
            }
            Step::Wait { seconds } => {
                let sql = format!("UPDATE sessions SET rotated_at = rotated_at - {seconds} * 1000");
                people::execute(&self.stack.apps[0], sql).await;
                self.known.iter_mut().for_each(|known| known.age += seconds);
                people::unlock(&self.stack).await;
            }
            Step::Lose { replica } => self.stack.lose(replica).await,
        }
        self.check().await;
    }

    async fn refresh(&mut self, session: usize, behind: usize, replica: usize) {
        let known = &mut self.known[session];
        let Some(index) = (known.tokens.len() - 1).checked_sub(behind) else {
            return;
        };
        // The test itself takes seconds: near the end of the moment nothing is known.
        if behind == 1 && (15..40).contains(&known.age) {
            return;
        }
        let token = known.tokens[index].refresh.clone();
        let reply = refresh(&mut self.stack.apps[replica].client(), &token).await;
        match (known.has_ended, behind) {
            (true, _) => refused(&reply, 401, "session_ended"),
            (false, 0) => {
                known.tokens.push(Pair::of(&reply));
                known.age = 0;
            }
            (false, 1) if known.age < 15 => {
                assert_eq!(
                    Pair::of(&reply).refresh,
                    known.tokens.last().unwrap().refresh
                );
            }
            (false, _) => {
                refused(&reply, 401, "refresh_token_reused");
                known.has_ended = true;
            }
        }
    }

    async fn race(&mut self, session: usize) {
        let known = &mut self.known[session];
        let token = known.tokens.last().unwrap().refresh.clone();
        let apps = self.stack.apps.iter();
        let replies = apps.map(|app| {
            let token = &token;
            async move { refresh(&mut app.client(), token).await }
        });
        let replies = futures_util::future::join_all(replies).await;
        if known.has_ended {
            return replies
                .iter()
                .for_each(|reply| refused(reply, 401, "session_ended"));
        }
        let pairs: Vec<_> = replies.iter().map(Pair::of).collect();
        assert!(
            pairs.iter().all(|pair| pair.refresh == pairs[0].refresh),
            "one successor"
        );
        known.tokens.push(pairs[0].clone());
        known.age = 0;
    }

    /// No access token of an ended session is good anywhere, and the newest of others is everywhere.
    async fn check(&mut self) {
        for session in 0..self.known.len() {
            let known = &self.known[session];
            let expected = if known.has_ended { 401 } else { 200 };
            for app in &self.stack.apps {
                let mut client = app
                    .client()
                    .with_token(&known.tokens.last().unwrap().access);
                assert_eq!(client.get("/api/count").await.status, expected);
                if let (true, Some(older)) = (known.has_ended, known.tokens.iter().rev().nth(1)) {
                    let mut client = app.client().with_token(&older.access);
                    assert_eq!(client.get("/api/count").await.status, 401);
                }
            }
            if known.has_ended && session % 2 == 0 {
                self.known[session] = self.login().await;
            }
        }
    }
}

async fn run(stack: Stack, seed: u8) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let steps = steps(stack.apps.len())
        .new_tree(&mut runner)
        .unwrap()
        .current();
    let mut world = World::new(stack).await;
    for (number, step) in steps.into_iter().enumerate() {
        println!("{number}: {step:?}");
        world.step(step).await;
    }
}

impl Stack {
    /// A replica is gone, with all that it knew, and another one starts.
    async fn lose(&mut self, index: usize) {
        let builder = TestApp::builder();
        let builder = match (&self.redis, &self.postgres) {
            (Some(redis), Some(database)) => builder
                .env("REDIS_URL", redis.url())
                .env("DATABASE_URL", database.url()),
            _ => builder.directory(self._folder.path()),
        };
        self.apps[index] = start(builder, &[]).await;
        if self.postgres.is_some() {
            self.apps[index]
                .metric_becomes("footfall_database_up", 1.0)
                .await;
        }
        self.apps[index].ready().await;
    }
}

#[tokio::test]
async fn over_three_replicas_on_redis_and_postgresql() {
    run(Stack::postgres(3, &[]).await, 1).await;
}

#[tokio::test]
async fn over_two_replicas_on_one_file() {
    run(Stack::sqlite(2, &[]).await, 2).await;
}
