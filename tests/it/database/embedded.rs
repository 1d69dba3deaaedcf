//! The file in which visits are counted is everybody's, and counting comes first.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use footfall::{
    auth::revocation::{Pass, Revocation},
    company::DEFAULT_ID,
    storage::sql::Database,
};
use tokio::{sync::oneshot, task::JoinHandle};
use uuid::Uuid;

use crate::support::{TestApp, process::until};

/// Begins a transaction that says how many had begun before, and ends when it is told to.
fn begin(
    database: &Database,
    begun: &Arc<AtomicUsize>,
    end: oneshot::Receiver<()>,
) -> JoinHandle<()> {
    let (database, begun) = (database.clone(), begun.clone());
    tokio::spawn(async move {
        let written = database.write("test", move |_| {
            Box::pin(async move {
                begun.fetch_add(1, Ordering::Relaxed);
                let _ = end.await;
                Ok(())
            })
        });
        written.await.unwrap();
    })
}

#[tokio::test]
async fn a_visit_waits_for_one_transaction_of_others_and_not_for_all_of_them() {
    const OTHERS: usize = 30;
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    client.get("/api/count").await.visits();
    let database = app.database.as_ref().unwrap();
    let begun = Arc::new(AtomicUsize::new(0));
    let (end, ends) = oneshot::channel();
    let mut all = vec![begin(database, &begun, ends)];
    while begun.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..OTHERS {
        let (end, ends) = oneshot::channel();
        drop(end);
        all.push(begin(database, &begun, ends));
    }
    // They are all on this thread: each has come to where it waits.
    for _ in 0..OTHERS {
        tokio::task::yield_now().await;
    }
    let visit = tokio::spawn(async move { client.get("/api/count").await.visits() });
    for _ in 0..OTHERS {
        tokio::task::yield_now().await;
    }
    end.send(()).unwrap();
    assert_eq!(visit.await.unwrap(), 2);
    // One that was asking for the file already, and one more that was told of the end of that one.
    let before = begun.load(Ordering::Relaxed);
    assert!(before <= 3, "{before} of {OTHERS} came first");
    for one in all {
        one.await.unwrap();
    }
    assert_eq!(begun.load(Ordering::Relaxed), OTHERS + 1);
}

/// Somebody looks for what is not in a long audit trail, and many do.
#[tokio::test]
async fn long_looks_keep_no_visit_from_knowing_what_was_revoked() {
    let app = TestApp::start().await;
    let pass = Pass {
        session: Uuid::now_v7(),
        user: Uuid::now_v7(),
        user_generation: 1,
        company: DEFAULT_ID,
        company_generation: 1,
    };
    let mut client = app.client().with_token(&app.token_on(&pass));
    client.get("/api/count").await.visits();
    let begun = Arc::new(AtomicUsize::new(0));
    let mut ends = Vec::new();
    for _ in 0..5 {
        let (end, ended) = oneshot::channel::<()>();
        ends.push(end);
        let (database, begun) = (app.database.clone().unwrap(), begun.clone());
        tokio::spawn(async move {
            let look = database.read("test", move |_| {
                Box::pin(async move {
                    begun.fetch_add(1, Ordering::Relaxed);
                    let _ = ended.await;
                    Ok(())
                })
            });
            // The last of them get no turn.
            let _ = look.await;
        });
    }
    until("all that may look do so", async || {
        (begun.load(Ordering::Relaxed) >= 2).then_some(())
    })
    .await;
    let another = Revocation::Session(Uuid::now_v7());
    app.revoke(&[another]).await.unwrap();
    assert_eq!(client.get("/api/count").await.visits(), 2);
    let read = client.get("/api/counters/visits").await;
    assert_eq!(read.visits(), 2);
}
