//! Addresses are cut after 30 days, and entries go after 400.

use footfall::audit::{
    metrics::AuditMetrics,
    retention::{Tidied, tidy},
};

use super::*;

async fn tidied(trail: &Trail) -> Tidied {
    let metrics = AuditMetrics::detached().unwrap();
    let tidied = tidy(trail.database(), &metrics).await.unwrap();
    assert_eq!(metrics.cut.get(), tidied.cut);
    assert_eq!(metrics.expired.get(), tidied.dropped);
    tidied
}

#[tokio::test]
async fn the_oldest_go_and_the_chain_holds() {
    for trail in both().await {
        let other = trail.company("other").await;
        for days in [500, 450, 401, 399, 31, 29] {
            trail.append_old(DEFAULT_ID, days).await;
        }
        trail.append_old(other, 390).await;
        record_each(trail.database(), vec![entry(DEFAULT_ID)]).await;
        let hashes: Vec<_> = trail.entries(DEFAULT_ID).await;
        let third = hashes[2].row.hash.clone();
        let done = tidied(&trail).await;
        // Of those that go, too: what is cut may be dropped in the same hour.
        assert_eq!((done.dropped, done.cut), (3, 6), "{}", trail.kind());
        assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
        let chains = trail.chains().await;
        let chain = &chains[0];
        assert_eq!((chain.first_seq, chain.last_seq), (4, 7));
        assert_eq!(
            chain.first_hash, third,
            "the last hash is the new beginning"
        );
        let entries = trail.entries(DEFAULT_ID).await;
        let kept: Vec<_> = entries
            .iter()
            .map(|listed| (listed.row.seq, listed.address.as_deref().map(<[u8]>::len)))
            .collect();
        let expected = [(4, Some(3)), (5, Some(3)), (6, Some(4)), (7, Some(4))];
        assert_eq!(kept, expected, "{}", trail.kind());
        assert_eq!(entries[0].address.as_deref(), Some([192, 0, 2].as_slice()));
        assert_eq!(trail.entries(other).await.len(), 1);
        // A second time there is nothing to do, and the chain grows on.
        assert_eq!(tidied(&trail).await, Tidied::default());
        record_each(trail.database(), vec![entry(DEFAULT_ID)]).await;
        assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
    }
}

#[tokio::test]
async fn a_chain_of_which_all_is_old_begins_where_it_ended() {
    for trail in both().await {
        for days in [500, 450] {
            trail.append_old(DEFAULT_ID, days).await;
        }
        let end = trail.chains().await.remove(0);
        assert_eq!(tidied(&trail).await.dropped, 2);
        let chain = trail.chains().await.remove(0);
        assert_eq!((chain.first_seq, chain.last_seq), (3, 2));
        assert_eq!(
            (&chain.first_hash, &chain.last_hash),
            (&end.last_hash, &end.last_hash)
        );
        assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
        record_each(trail.database(), vec![entry(DEFAULT_ID)]).await;
        assert_eq!(trail.entries(DEFAULT_ID).await[0].row.seq, 3);
        assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
    }
}

/// One that claims to be old, behind one that is not, takes nothing with it.
#[tokio::test]
async fn a_made_up_time_drops_nothing() {
    for trail in both().await {
        record_each(trail.database(), vec![entry(DEFAULT_ID)]).await;
        trail.append_old(DEFAULT_ID, 500).await;
        assert_eq!(tidied(&trail).await.dropped, 0, "{}", trail.kind());
        assert_eq!(trail.entries(DEFAULT_ID).await.len(), 2);
    }
}

/// More than one transaction takes, and two replicas at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_go_in_steps_and_two_may_do_it_at_once() {
    for trail in both().await {
        for _ in 0..60 {
            trail.append_old(DEFAULT_ID, 450).await;
        }
        record_each(trail.database(), vec![entry(DEFAULT_ID)]).await;
        let (one, other) = tokio::join!(tidied(&trail), tidied(&trail));
        assert_eq!(one.dropped + other.dropped, 60, "{}", trail.kind());
        assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
        assert_eq!(trail.entries(DEFAULT_ID).await.len(), 1);
    }
}

/// A chain that does not hold is not made to hold by dropping what does not fit.
#[tokio::test]
async fn a_broken_chain_is_left_as_it_is() {
    for trail in both().await {
        for days in [500, 450, 440, 1] {
            trail.append_old(DEFAULT_ID, days).await;
        }
        let company = trail.literal(DEFAULT_ID);
        let triggers = trail.postgres.is_some();
        trail
            .tamper(&format!(
                "DELETE FROM audit_addresses WHERE company_id = {company};
                 DELETE FROM audit_entries WHERE company_id = {company} AND seq = 3"
            ))
            .await;
        let metrics = AuditMetrics::detached().unwrap();
        let tidied = tidy(trail.database(), &metrics).await;
        // A SQLite without its triggers has still the column, which cannot be empty.
        assert!(tidied.is_err(), "{triggers}: {tidied:?}");
        assert_eq!(trail.entries(DEFAULT_ID).await.len(), 3);
    }
}
