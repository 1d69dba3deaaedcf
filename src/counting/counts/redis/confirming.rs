//! Waiting for replicas, where a visit counts only when enough of them have it.

use std::collections::HashSet;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::{Ended, RedisCounts};
use crate::{
    counting::Outcome,
    storage::{StoreError, redis::Node},
};

impl RedisCounts {
    /// Waits until enough replicas have what was counted, and what was counted
    /// by another and is replayed here. What was refused is on none of them.
    pub(super) async fn confirm(&self, results: &mut [Ended], deadline: Instant) {
        let counted = |outcomes: &[Outcome]| outcomes.iter().any(Result::is_ok);
        let nodes: HashSet<Node> = results
            .iter()
            .flatten()
            .filter(|(_, outcomes)| counted(outcomes))
            .map(|(node, _)| node.clone())
            .collect();
        let waits = nodes.into_iter().map(async |node| {
            let waiting = timeout_at(deadline, self.wait(&node)).await;
            (node, waiting.unwrap_or(Err(StoreError::Timeout)))
        });
        for (node, confirmed) in join_all(waits).await {
            let Err(error) = confirmed else { continue };
            // It was counted, whatever WAIT says.
            let unconfirmed = if error.outcome_is_unknown() {
                error
            } else {
                StoreError::Unconfirmed(error.to_string())
            };
            for result in results.iter_mut() {
                if matches!(result, Ok((by, outcomes)) if *by == node && counted(outcomes)) {
                    *result = Err(unconfirmed.clone());
                }
            }
        }
    }

    pub(super) async fn wait(&self, node: &Node) -> Result<(), StoreError> {
        // Shorter than the whole operation may take, so that it is known how many there were.
        let limit = self.redis.timeout() * 3 / 4;
        let wait = redis::cmd("WAIT")
            .arg(self.wait_replicas)
            .arg(limit.as_millis() as u64)
            .take();
        let (mut connection, _) = self.connection(node).await?;
        let confirmed: u32 = wait.query_async(&mut connection).await?;
        if confirmed < self.wait_replicas {
            return Err(StoreError::Unconfirmed(format!(
                "{confirmed} of {} replicas answered in time",
                self.wait_replicas
            )));
        }
        Ok(())
    }
}
