//! Reading counts, over the connections that all rooms share.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join_all;
use redis::RedisError;

use super::{INDEX_KEY, RedisCounts, count_key};
use crate::{
    counting::{CounterName, Page, Tally, store::readable_name},
    storage::{StoreError, redis::Node},
};

impl RedisCounts {
    pub async fn get(&self, counter: &CounterName) -> Result<Option<u64>, StoreError> {
        let key = count_key(counter);
        let mut read = redis::pipe();
        read.get(&key);
        let (visits,) = self.redis.query(&key, &read).await?;
        parse(counter, visits)
    }

    pub async fn list(
        &self,
        after: Option<&CounterName>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut names = self.names(after, limit + 1).await?;
        let more = names.len() > limit;
        names.truncate(limit);
        let next = names.last().filter(|_| more).cloned();
        let visits = self.get_all(&names).await?;
        // A name is listed a moment before its first visit is counted.
        let counted = names.into_iter().filter_map(|name| {
            let visits = *visits.get(&name)?;
            Some(Tally { name, visits })
        });
        Ok(Page {
            counters: counted.collect(),
            next,
        })
    }

    /// So many names of the index, or all that are left. What is no name does not
    /// count: it would end the list early.
    async fn names(
        &self,
        after: Option<&CounterName>,
        wanted: usize,
    ) -> Result<Vec<CounterName>, StoreError> {
        let mut from = after.map_or(b"-".to_vec(), |name| format!("({name}").into_bytes());
        let mut names = Vec::new();
        loop {
            let mut read = redis::pipe();
            let missing = wanted - names.len();
            read.zrangebylex_limit(INDEX_KEY, &from, "+", 0, missing as isize);
            // Bytes, since what is no name may be no text either.
            let (members,): (Vec<Vec<u8>>,) = self.redis.query(INDEX_KEY, &read).await?;
            names.extend(members.iter().filter_map(|member| readable_name(member)));
            match members.last() {
                Some(last) if members.len() == missing && names.len() < wanted => {
                    from = [b"(", &last[..]].concat();
                }
                _ => return Ok(names),
            }
        }
    }

    /// The visits of several counters, with one round trip to each master.
    async fn get_all(
        &self,
        names: &[CounterName],
    ) -> Result<HashMap<CounterName, u64>, StoreError> {
        let mut by_node: BTreeMap<Node, Vec<&CounterName>> = BTreeMap::new();
        for name in names {
            let place = self.redis.place(&count_key(name)).await?;
            by_node.entry(place.node).or_default().push(name);
        }
        let reads = by_node.iter().map(async |(node, names)| {
            let mut read = redis::pipe();
            for name in names {
                read.get(count_key(name));
            }
            let mut connection = self.redis.connection(node).await?;
            let visits = match read.query_async::<Vec<_>>(&mut connection).await {
                Ok(visits) => {
                    let each = names.iter().zip(visits);
                    let each = each.map(|(name, visits)| parse(name, visits));
                    each.collect::<Result<Vec<_>, _>>()?
                }
                // One of them has moved: one by one they are followed.
                Err(error) if error.is_cluster_error() => {
                    try_join_all(names.iter().map(|name| self.get(name))).await?
                }
                Err(error) => return Err(naming(names, error)),
            };
            let known = names.iter().zip(visits);
            Ok::<_, StoreError>(known.filter_map(|(name, visits)| Some(((*name).clone(), visits?))))
        });
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }
}

/// A count, as somebody else may have written it. One that was refused when it was the first of
/// its counter is 0: nothing was counted.
fn parse(counter: &CounterName, visits: Option<String>) -> Result<Option<u64>, StoreError> {
    let Some(visits) = visits else {
        return Ok(None);
    };
    match visits.parse() {
        Ok(0) => Ok(None),
        Ok(visits) => Ok(Some(visits)),
        Err(_) => Err(StoreError::Refused(format!(
            "the counter {counter} holds no number of visits"
        ))),
    }
}

/// Which counter it was whose reading was refused.
fn naming(names: &[&CounterName], error: RedisError) -> StoreError {
    let answers = error.clone().into_server_errors();
    let first = answers.as_ref().and_then(|answers| answers.first());
    let name = first.and_then(|(position, _)| names.get(*position));
    match (StoreError::from(error), name) {
        (StoreError::Refused(reason), Some(name)) => {
            StoreError::Refused(format!("the counter {name}: {reason}"))
        }
        (error, _) => error,
    }
}
