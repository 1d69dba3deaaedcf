//! Many clients at once.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::client::{Client, Target};

/// Sends `total` counting requests over `connections` connections spread over
/// the targets, and gives the numbers they got. Any failure fails the test.
pub async fn count_visits(
    targets: &[Target],
    token: &str,
    connections: usize,
    total: usize,
) -> Vec<u64> {
    let left = Arc::new(AtomicUsize::new(total));
    let tasks: Vec<_> = (0..connections)
        .map(|index| {
            let mut client = Client::new(targets[index % targets.len()].clone()).with_token(token);
            let left = left.clone();
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                        left.checked_sub(1)
                    })
                    .is_ok()
                {
                    numbers.push(client.get("/api/count").await.visits());
                }
                numbers
            })
        })
        .collect();
    let mut numbers = Vec::with_capacity(total);
    for task in tasks {
        numbers.extend(task.await.unwrap());
    }
    numbers
}

/// Checks that the numbers are exactly 1, 2, 3, … up to their count.
#[track_caller]
pub fn assert_exact(numbers: &[u64]) {
    let distinct: HashSet<_> = numbers.iter().collect();
    assert_eq!(distinct.len(), numbers.len(), "a number was given twice");
    assert_eq!(numbers.iter().min(), Some(&1));
    assert_eq!(
        numbers.iter().max(),
        Some(&(numbers.len() as u64)),
        "a number was skipped"
    );
}
