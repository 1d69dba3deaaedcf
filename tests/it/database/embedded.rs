//! The file in which visits are counted is everybody's, and counting comes first.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use footfall::storage::sql::Database;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::support::TestApp;

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
