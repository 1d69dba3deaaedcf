//! The lists of counters and companies, which a new counter is put into before it is counted.

use super::{RedisCounts, keys};
use crate::{
    counting::{Company, CounterId},
    storage::StoreError,
};

/// The script that puts a counter into the index.
const LIST_SCRIPT: &str = include_str!("list.lua");

/// What a store may refuse that refuses no counter it has listed: the keys of each company are
/// others, and so are those that a user may use.
pub(super) fn new_counters(company: Company) -> String {
    match company {
        Company::Default => "new counters".to_owned(),
        Company::Id(id) => format!("new counters of the company {id}"),
    }
}

impl RedisCounts {
    /// Puts a counter into the index of its company; says whether there was room.
    pub(in crate::counting::counts) async fn list_counter(
        &self,
        counter: &CounterId,
    ) -> Result<bool, StoreError> {
        if let Company::Id(id) = counter.company {
            // Counting needs no database, so no other place is sure to know the companies.
            self.enter(keys::COMPANIES, &id.to_string(), u32::MAX)
                .await?;
        }
        let index = keys::index(counter.company);
        let most = self.memory.counters_before(counter);
        self.enter(&index, counter.name.as_str(), most).await
    }

    /// Puts a member into a set, unless it has as many as it may have. The set may be on
    /// another server than the counter, so it has replicas of its own.
    async fn enter(&self, set: &str, member: &str, most: u32) -> Result<bool, StoreError> {
        // With its text: what is listed is never listed again.
        let list = redis::cmd("EVAL")
            .arg(LIST_SCRIPT)
            .arg(1)
            .arg(set)
            .arg(member)
            .arg(most)
            .take();
        let (node, listed) = self.send(set, &list).await?;
        if listed && self.wait_replicas > 0 {
            self.wait(&node).await?;
        }
        Ok(listed)
    }
}
