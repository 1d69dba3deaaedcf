//! Appending, by one and by many.

use std::sync::Arc;

use footfall::audit::record_all;

use super::*;

#[tokio::test]
async fn an_entry_is_kept_as_it_was_told() {
    for trail in both().await {
        let told = entry(DEFAULT_ID);
        record_each(trail.database(), vec![told.clone()]).await;
        let plain = Entry::new(DEFAULT_ID, Actor::System, Action::MailFailed);
        record_each(trail.database(), vec![plain]).await;
        let entries = trail.entries(DEFAULT_ID).await;
        let [first, second] = entries.as_slice() else {
            panic!("{entries:?}");
        };
        let row = &first.row;
        assert_eq!((row.seq, row.events), (1, 1));
        assert_eq!(row.first_at, row.recorded_at);
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
        assert!((now - row.recorded_at).abs() < 10 * 60_000);
        assert_eq!(
            (row.actor.as_str(), row.actor_id),
            ("user", told.actor.id())
        );
        assert_eq!(
            (row.action.as_str(), row.outcome.as_str()),
            ("account.role", "success")
        );
        let object = told.object.unwrap();
        assert_eq!(row.object.as_deref(), Some("user"));
        assert_eq!(row.object_id, Some(object.id));
        assert_eq!(row.request_id.as_deref(), Some("a-request"));
        assert_eq!(row.details, r#"{"from":"member","to":"admin"}"#);
        assert_eq!(first.address.as_deref(), Some([192, 0, 2, 77].as_slice()));
        assert_eq!(row.hash, row.hash_after(&[0; 32]));
        let row = &second.row;
        assert_eq!(
            (row.seq, row.actor.as_str(), row.details.as_str()),
            (2, "system", "{}")
        );
        assert_eq!(
            (&row.object, &row.request_id, &second.address),
            (&None, &None, &None)
        );
        assert_eq!(row.hash, row.hash_after(&first.row.hash));
    }
}

/// Nothing is told that was not done.
#[tokio::test]
async fn what_is_not_committed_is_not_recorded() {
    for trail in both().await {
        record_each(trail.database(), vec![entry(DEFAULT_ID)]).await;
        let undone = trail.database().write("test", |connection| {
            Box::pin(async {
                connection.within(DEFAULT_ID).await?;
                record(connection, &entry(DEFAULT_ID)).await?;
                Err::<(), _>(DebugError::into())
            })
        });
        assert!(undone.await.is_err());
        record_each(trail.database(), vec![entry(DEFAULT_ID)]).await;
        let entries = trail.entries(DEFAULT_ID).await;
        let numbers: Vec<_> = entries.iter().map(|listed| listed.row.seq).collect();
        assert_eq!(numbers, [1, 2], "{}", trail.kind());
        assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
    }
}

/// Any error of the work.
struct DebugError;

impl DebugError {
    fn into() -> DatabaseError {
        DatabaseError::Refused("the test".into())
    }
}

/// No company's chain is begun for nobody.
#[tokio::test]
async fn a_company_that_is_not_there_has_no_trail() {
    for trail in both().await {
        let recorded = trail.database().write("test", |connection| {
            Box::pin(async {
                connection.across_companies().await?;
                record(connection, &entry(Uuid::from_u128(5))).await
            })
        });
        let refused = recorded.await;
        assert!(
            matches!(refused, Err(DatabaseError::Refused(_))),
            "{refused:?}"
        );
        assert_eq!(trail.chains().await, []);
    }
}

/// Three connections to one database, each as a process has its own.
async fn three(trail: &Trail) -> Vec<Arc<Opened>> {
    let mut opened = Vec::new();
    for _ in 0..3 {
        opened.push(Arc::new(match &trail.postgres {
            Some(postgres) => databases::at(&postgres.url(), &[]).await.up().await,
            None => trail.opened.again().await,
        }));
    }
    opened
}

/// Many append to two chains at once, in either order, each some of them in one transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_appends_at_once_appends_one_after_the_other() {
    const WRITERS: usize = 12;
    const ROUNDS: usize = 8;
    for trail in both().await {
        let other = trail.company("other").await;
        let databases = three(&trail).await;
        let writers = (0..WRITERS).map(|writer| {
            let opened = databases[writer % 3].clone();
            tokio::spawn(async move {
                let mut done = 0;
                for _ in 0..ROUNDS {
                    let mut companies = vec![DEFAULT_ID, other, DEFAULT_ID];
                    companies.rotate_left(writer % 2);
                    let written = opened.database.write("test", move |connection| {
                        Box::pin(async move {
                            connection.across_companies().await?;
                            let entries: Vec<_> = companies.into_iter().map(entry).collect();
                            record_all(connection, &entries).await
                        })
                    });
                    match written.await {
                        Ok(()) => done += 1,
                        // A deadlock would be one, and must not be.
                        Err(error) => {
                            let why = error.to_string();
                            assert!(!why.contains("deadlock"), "{why}");
                            assert!(matches!(error, DatabaseError::Busy(_)), "{why}");
                        }
                    }
                }
                done
            })
        });
        let mut done = 0;
        for writer in writers.collect::<Vec<_>>() {
            done += writer.await.unwrap();
        }
        assert!(done >= WRITERS * ROUNDS / 2, "{}: {done}", trail.kind());
        for (company, number) in [(DEFAULT_ID, 2 * done), (other, done)] {
            assert_eq!(trail.breaks(company, vec![]).await, [], "{}", trail.kind());
            let entries = trail.entries(company).await;
            let mut numbers: Vec<_> = entries.iter().map(|listed| listed.row.seq).collect();
            numbers.sort_unstable();
            let expected: Vec<_> = (1..=number as i64).collect();
            assert_eq!(numbers, expected, "{}", trail.kind());
        }
    }
}
