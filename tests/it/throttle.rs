//! Limits by name, which two replicas share, over Redis and over one file.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, UNIX_EPOCH},
};

use footfall::{
    auth::throttle::{Action, Allowed, Guess, Refusal, Throttle, Verdict},
    storage::{Backend, Store, StoreError},
};
use uuid::Uuid;

use crate::support::{Redis, assembly::Assembly, footfall::SECRET_KEY};

/// Two replicas on one store.
struct Replicas {
    throttles: [Throttle; 2],
    store: Store,
    redis: Option<Redis>,
    _directory: tempfile::TempDir,
}

impl Replicas {
    async fn on(redis: Option<Redis>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = redis.as_ref().map(|redis| ("REDIS_URL", redis.url()));
        let environment: BTreeMap<String, String> = [
            ("FOOTFALL_ENV", "testing".to_owned()),
            ("SECRET_KEY", SECRET_KEY.to_owned()),
            ("FOOTFALL_STORE_TIMEOUT", "8s".to_owned()),
        ]
        .into_iter()
        .chain(url)
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let one = Assembly::new(&environment, directory.path()).await.store;
        let other = Assembly::new(&environment, directory.path()).await.store;
        for store in [&one, &other] {
            store.health.mark_up();
        }
        Self {
            throttles: [Throttle::new(one.clone()), Throttle::new(other)],
            store: one,
            redis,
            _directory: directory,
        }
    }

    async fn both() -> [Self; 2] {
        [Self::on(None).await, Self::on(Some(Redis::start())).await]
    }

    /// What each replica in turn says, this many times, and whether who is addressed is told.
    async fn allow(&self, times: usize, action: Action<'_>) -> Vec<Result<bool, Refusal>> {
        let mut said = Vec::new();
        for turn in 0..times {
            let allowed = self.throttles[turn % 2].allow(action).await;
            said.push(allowed.map(|allowed| allowed.is_told));
        }
        said
    }

    /// The same guess, wrong each time, from replica to replica: how often it may be made.
    async fn wrong(&self, guess: Guess<'_>) -> u64 {
        for turn in 0..200 {
            match self.throttles[turn % 2].charge(guess).await {
                Some(Verdict::Go(charge)) => self.throttles[turn % 2].settle(charge, false).await,
                Some(Verdict::Locked(wait)) => {
                    assert!(wait <= Duration::from_mins(5), "{wait:?}");
                    return turn as u64;
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("there is no limit");
    }

    /// Whether it may be made once more. Given back, however often.
    async fn may(&self, guess: Guess<'_>) -> bool {
        match self.throttles[0].charge(guess).await {
            Some(Verdict::Go(charge)) => {
                self.throttles[0].settle(charge, true).await;
                true
            }
            Some(Verdict::Locked(_)) => false,
            other => panic!("{other:?}"),
        }
    }

    /// What was done in this bucket was done this much earlier.
    async fn age(&self, bucket: &str, by: Duration) {
        let by = by.as_millis();
        match (&self.redis, &self.store.backend) {
            (Some(redis), _) => {
                let key = format!("footfall:limit:{bucket}");
                let members = redis.command(&format!("ZRANGE {key} 0 -1"));
                let members = members.lines().filter(|line| line.contains('-'));
                for member in members {
                    redis.command(&format!("ZINCRBY {key} -{by} {member}"));
                }
            }
            (None, Backend::Sqlite(sqlite)) => {
                let mut writer = sqlite.writer().await.unwrap();
                let update = "UPDATE login_failures SET expires_at = expires_at - ? WHERE subject > ? AND subject < ?";
                let mut transaction = writer.begin().await.unwrap();
                let done = sqlx::query(update)
                    .bind(by as i64)
                    .bind(format!("{bucket}/"))
                    .bind(format!("{bucket}0"))
                    .execute(&mut *transaction);
                assert!(done.await.unwrap().rows_affected() > 0, "{bucket}");
                transaction.commit().await.unwrap();
            }
            (None, Backend::Redis(_)) => unreachable!("there would be one"),
        }
    }
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn is_too_many<T>(said: &Result<T, Refusal>, window: Duration) -> bool {
    matches!(said, Err(Refusal::TooMany(wait)) if !wait.is_zero() && *wait <= window)
}

type OfMail = fn(Option<IpAddr>, &'static str) -> Action<'static>;

const OF_MAILS: [(&str, OfMail); 2] = [
    ("forgot", |client, email| Action::Forgot { client, email }),
    ("resend", |client, email| Action::Resend { client, email }),
];

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn what_sends_mails_is_limited_by_address_and_by_email() {
    const EMAILS: [&str; 6] = ["a@x", "b@x", "c@x", "d@x", "e@x", "f@x"];
    const CLIENTS: [&str; 6] = [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "192.0.2.4",
        "192.0.2.5",
        "192.0.2.6",
    ];
    for replicas in Replicas::both().await {
        for (name, action) in OF_MAILS {
            // Five of one network, whoever the mails go to.
            for (turn, email) in EMAILS.into_iter().enumerate() {
                let client = address(&format!("2001:db8::{turn}"));
                let said = replicas.allow(1, action(client, email)).await;
                match turn < 5 {
                    true => assert_eq!(said, [Ok(true)], "{name} {turn}"),
                    false => assert!(is_too_many(&said[0], HOUR), "{name}: {said:?}"),
                }
            }
            // What was refused was not charged to the one it was about.
            for client in &CLIENTS[..3] {
                let said = replicas.allow(1, action(address(client), "F@x")).await;
                assert_eq!(said, [Ok(true)], "{name} {client}");
            }
            // Three to one e-mail, wherever it is asked from: then nobody is told.
            for client in CLIENTS {
                let said = replicas.allow(1, action(address(client), "f@X")).await;
                assert_eq!(said, [Ok(false)], "{name} {client}");
            }
            // Who asks in vain has asked.
            let said = replicas.allow(5, action(address(CLIENTS[5]), "f@x")).await;
            let told: Vec<_> = said.iter().map(|said| is_too_many(said, HOUR)).collect();
            assert_eq!(told, [false, false, false, false, true], "{name}: {said:?}");
            // Nobody told from where: the e-mail alone counts.
            let said = replicas.allow(4, action(None, "g@x")).await;
            assert_eq!(said, [Ok(true), Ok(true), Ok(true), Ok(false)], "{name}");
        }
    }
}

/// Who needs several tries to find a good password loses no mail by it.
#[tokio::test]
async fn registrations_are_limited_by_address_and_their_mails_by_email() {
    for replicas in Replicas::both().await {
        let client = address("192.0.2.1");
        let said = replicas.allow(6, Action::Register { client }).await;
        assert!(said[..5].iter().all(Result::is_ok), "{said:?}");
        assert!(is_too_many(&said[5], HOUR), "{said:?}");
        let email = "a@x";
        let said = replicas.allow(4, Action::RegisterMail { email }).await;
        assert_eq!(said, [Ok(true), Ok(true), Ok(true), Ok(false)]);
    }
}

#[tokio::test]
async fn invitations_are_limited_by_inviter_company_and_email() {
    for replicas in Replicas::both().await {
        let company = Uuid::now_v7();
        let email = |number: usize| format!("{number}@x");
        for inviter in 0..3 {
            let user = Uuid::now_v7();
            for number in 0..101 {
                let email = &email(1000 * inviter + number);
                let said = replicas
                    .allow(
                        1,
                        Action::Invite {
                            user,
                            company,
                            email,
                        },
                    )
                    .await;
                match number < 100 {
                    true => assert_eq!(said, [Ok(true)], "{inviter} {number}"),
                    false => assert!(is_too_many(&said[0], HOUR), "{inviter}: {said:?}"),
                }
            }
        }
        let user = Uuid::now_v7();
        let said = replicas
            .allow(
                1,
                Action::Invite {
                    user,
                    company,
                    email: "b@x",
                },
            )
            .await;
        assert!(is_too_many(&said[0], HOUR), "{said:?}");
        // Of another company: by the e-mail, of which nobody is told.
        let company = Uuid::now_v7();
        let said = replicas
            .allow(
                4,
                Action::Invite {
                    user,
                    company,
                    email: "c@x",
                },
            )
            .await;
        assert_eq!(said, [Ok(true), Ok(true), Ok(true), Ok(false)]);
    }
}

#[tokio::test]
async fn a_session_refreshes_thirty_times_a_minute() {
    for replicas in Replicas::both().await {
        let minute = Duration::from_mins(1);
        let session = Uuid::now_v7();
        let said = replicas.allow(31, Action::Refresh { session }).await;
        assert!(said[..30].iter().all(Result::is_ok), "{said:?}");
        assert!(is_too_many(&said[30], minute), "{said:?}");
        let another = Uuid::now_v7();
        let said = replicas
            .allow(1, Action::Refresh { session: another })
            .await;
        assert_eq!(said, [Ok(true)]);
    }
}

/// In no stretch of the window there are more than the limit, and the wait that is told is long enough.
#[tokio::test]
async fn each_counts_for_one_window_from_when_it_was_done() {
    let minute = Duration::from_mins(1);
    for replicas in Replicas::both().await {
        let session = Uuid::now_v7();
        let bucket = format!("refresh:session:{session}");
        let action = Action::Refresh { session };
        let said = replicas.allow(20, action).await;
        assert!(said.iter().all(Result::is_ok), "{said:?}");
        replicas.age(&bucket, Duration::from_secs(50)).await;
        let said = replicas.allow(11, action).await;
        assert!(said[..10].iter().all(Result::is_ok), "{said:?}");
        let Err(Refusal::TooMany(wait)) = said[10] else {
            panic!("{said:?}")
        };
        assert!(wait <= Duration::from_secs(10), "{wait:?}");
        // After it the first twenty, done within a moment, are forgotten, and the ten that came
        // later are not.
        let moment = Duration::from_secs(5);
        replicas.age(&bucket, wait + moment).await;
        let said = replicas.allow(21, action).await;
        assert!(said[..20].iter().all(Result::is_ok), "{said:?}");
        assert!(is_too_many(&said[20], minute), "{said:?}");
    }
}

#[tokio::test]
async fn a_clock_set_back_holds_nobody_for_longer() {
    for replicas in Replicas::both().await {
        let session = Uuid::now_v7();
        let bucket = format!("refresh:session:{session}");
        let future = UNIX_EPOCH.elapsed().unwrap() + Duration::from_hours(24);
        for number in 0..40 {
            match (&replicas.redis, &replicas.store.backend) {
                (Some(redis), _) => {
                    let at = future.as_millis();
                    redis.command(&format!("ZADD footfall:limit:{bucket} {at} {number}"));
                }
                (None, Backend::Sqlite(sqlite)) => {
                    let mut writer = sqlite.writer().await.unwrap();
                    let insert = "INSERT INTO login_failures VALUES (?, 1, ?)";
                    let insert = sqlx::query(insert).bind(format!("{bucket}/{number}"));
                    let insert = insert.bind(future.as_millis() as i64);
                    let mut transaction = writer.begin().await.unwrap();
                    insert.execute(&mut *transaction).await.unwrap();
                    transaction.commit().await.unwrap();
                }
                (None, Backend::Redis(_)) => unreachable!("there would be one"),
            }
        }
        let said = replicas.allow(30, Action::Refresh { session }).await;
        assert!(said.iter().all(Result::is_ok), "{said:?}");
    }
}

#[tokio::test]
async fn wrong_api_tokens_are_limited_by_address() {
    for replicas in Replicas::both().await {
        let of = |text| Guess::ApiToken {
            client: address(text),
        };
        // Right ones cost nothing.
        for _ in 0..25 {
            assert!(replicas.may(of("192.0.2.1")).await);
        }
        assert_eq!(replicas.wrong(of("192.0.2.1")).await, 20);
        assert!(!replicas.may(of("192.0.2.1")).await);
        assert!(replicas.may(of("192.0.2.2")).await);
        assert!(replicas.may(Guess::ApiToken { client: None }).await);
    }
}

/// Whoever has logged in somewhere before is locked out there by nobody else, and has no more
/// tries there than a stranger.
#[tokio::test]
async fn a_known_device_has_a_bucket_of_its_own() {
    for replicas in Replicas::both().await {
        let known = Uuid::now_v7();
        let login = |client: &str, username, device| Guess::Login {
            client: address(client),
            username,
            device,
        };
        // Strangers lock the user, and the address, for all who are not known.
        for number in 1..=5 {
            let stranger = login(&format!("192.0.2.{number}"), "ada", None);
            assert_eq!(replicas.wrong(stranger).await, 10, "{number}");
        }
        assert!(!replicas.may(login("192.0.2.1", "ada", None)).await);
        assert!(!replicas.may(login("198.51.100.1", "ada", None)).await);
        assert!(replicas.may(login("192.0.2.1", "ada", Some(known))).await);
        // And what fails on the device concerns neither user nor address.
        let device = login("203.0.113.1", "ida", Some(known));
        assert_eq!(replicas.wrong(device).await, 10);
        assert!(!replicas.may(device).await);
        for client in ["203.0.113.1", "198.51.100.2"] {
            assert!(replicas.may(login(client, "ida", None)).await, "{client}");
        }
        assert_eq!(replicas.wrong(login("203.0.113.1", "ida", None)).await, 10);
    }
}

#[tokio::test]
async fn many_at_once_are_no_more_than_the_limit() {
    for replicas in Replicas::both().await {
        let client = address("192.0.2.1");
        let emails: Vec<_> = (0..20).map(|number| format!("{number}@x")).collect();
        let asking = emails.iter().enumerate().map(|(turn, email)| {
            let action = Action::Forgot { client, email };
            replicas.throttles[turn % 2].allow(action)
        });
        let said = futures_util::future::join_all(asking).await;
        let allowed = said.iter().filter(|said| said.is_ok()).count();
        assert_eq!(allowed, 5, "{said:?}");
        let told = said.iter().filter(|said| is_too_many(said, HOUR));
        assert_eq!(told.count(), 15, "{said:?}");
    }
}

/// Whoever is logged in stays so, guesses are bounded by other means; mails wait.
#[tokio::test]
async fn without_the_store_nothing_sends_mails() {
    for replicas in Replicas::both().await {
        replicas.store.health.mark_away(&StoreError::Timeout);
        let throttle = &replicas.throttles[0];
        for (name, action) in OF_MAILS {
            let said = throttle.allow(action(None, "a@x")).await;
            assert_eq!(said, Err(Refusal::Unavailable), "{name}");
        }
        for _ in 0..31 {
            let session = Uuid::nil();
            assert_eq!(
                throttle.allow(Action::Refresh { session }).await,
                Ok(Allowed::uncounted())
            );
            let client = address("192.0.2.1");
            assert_eq!(throttle.charge(Guess::ApiToken { client }).await, None);
        }
    }
}
