//! Reading counts, over the connections that all rooms share.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join_all;
use redis::RedisError;
use uuid::Uuid;

use super::{RedisCounts, keys};
use crate::{
    counting::{Company, CounterId, CounterName, Page, Tally, counts::readable_name},
    storage::{StoreError, redis::Node},
};

/// Members of a set that are read at once.
const MEMBERS: usize = 1000;

impl RedisCounts {
    pub async fn get(&self, counter: &CounterId) -> Result<Option<u64>, StoreError> {
        let key = keys::count(counter);
        let mut read = redis::pipe();
        read.get(&key);
        let (visits,) = self.redis.query(&key, &read).await?;
        parse(counter, visits)
    }

    pub async fn list(
        &self,
        company: Company,
        after: Option<&CounterName>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let index = keys::index(company);
        let after = after.map(CounterName::as_str);
        let mut names = self
            .members(&index, after, limit + 1, readable_name)
            .await?;
        let more = names.len() > limit;
        names.truncate(limit);
        let next = names.last().filter(|_| more).cloned();
        let counters = names.into_iter().map(|name| CounterId { company, name });
        let counters: Vec<_> = counters.collect();
        let visits = self.get_all(&counters).await?;
        // A name is listed a moment before its first visit is counted.
        let counted = counters.into_iter().filter_map(|counter| {
            let visits = *visits.get(&counter)?;
            let name = counter.name;
            Some(Tally { name, visits })
        });
        Ok(Page {
            counters: counted.collect(),
            next,
        })
    }

    pub async fn companies(&self) -> Result<Vec<Company>, StoreError> {
        let mut companies = vec![Company::Default];
        loop {
            let after = match companies.last() {
                Some(Company::Id(id)) => Some(id.to_string()),
                _ => None,
            };
            let after = after.as_deref();
            let more = self.members(keys::COMPANIES, after, MEMBERS, readable_company);
            let more = more.await?;
            companies.extend(&more);
            if more.len() < MEMBERS {
                return Ok(companies);
            }
        }
    }

    /// So many members of a set, or all that are left. What cannot be read does not
    /// count: it would end the list early.
    async fn members<T>(
        &self,
        set: &str,
        after: Option<&str>,
        wanted: usize,
        readable: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut from = after.map_or(b"-".to_vec(), |after| format!("({after}").into_bytes());
        let mut found = Vec::new();
        loop {
            let mut read = redis::pipe();
            let missing = wanted - found.len();
            read.zrangebylex_limit(set, &from, "+", 0, missing as isize);
            // Bytes, since what cannot be read may be no text either.
            let (members,): (Vec<Vec<u8>>,) = self.redis.query(set, &read).await?;
            found.extend(members.iter().filter_map(|member| readable(member)));
            match members.last() {
                Some(last) if members.len() == missing && found.len() < wanted => {
                    from = [b"(", &last[..]].concat();
                }
                _ => return Ok(found),
            }
        }
    }

    /// The visits of several counters, with one round trip to each master.
    pub async fn get_all(
        &self,
        counters: &[CounterId],
    ) -> Result<HashMap<CounterId, u64>, StoreError> {
        let mut by_node: BTreeMap<Node, Vec<&CounterId>> = BTreeMap::new();
        for counter in counters {
            let place = self.redis.place(&keys::count(counter)).await?;
            by_node.entry(place.node).or_default().push(counter);
        }
        let reads = by_node.iter().map(async |(node, counters)| {
            let mut read = redis::pipe();
            for counter in counters {
                read.get(keys::count(counter));
            }
            let mut connection = self.redis.connection(node).await?;
            let visits = match read.query_async::<Vec<_>>(&mut connection).await {
                Ok(visits) => {
                    let each = counters.iter().zip(visits);
                    let each = each.map(|(counter, visits)| parse(counter, visits));
                    each.collect::<Result<Vec<_>, _>>()?
                }
                // One of them has moved: one by one they are followed.
                Err(error) if error.is_cluster_error() => {
                    try_join_all(counters.iter().map(|counter| self.get(counter))).await?
                }
                Err(error) => return Err(naming(counters, error)),
            };
            let known = counters.iter().zip(visits);
            let known = known.filter_map(|(counter, visits)| Some(((*counter).clone(), visits?)));
            Ok::<_, StoreError>(known)
        });
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }
}

/// A company that has counters, as Redis has it. Somebody else may have written there.
fn readable_company(stored: &[u8]) -> Option<Company> {
    let text = std::str::from_utf8(stored).ok();
    let id = text.and_then(|text| Uuid::try_parse(text).ok());
    let id = id.filter(|id| id.to_string().as_bytes() == stored);
    if id.is_none() {
        let entry = stored.escape_ascii().to_string();
        tracing::warn!(
            entry,
            "{} lists something that is no company's id",
            keys::COMPANIES
        );
    }
    id.map(Company::Id)
}

/// A count, as somebody else may have written it. One that was refused when it was the first of
/// its counter is 0: nothing was counted.
fn parse(counter: &CounterId, visits: Option<String>) -> Result<Option<u64>, StoreError> {
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
fn naming(counters: &[&CounterId], error: RedisError) -> StoreError {
    let answers = error.clone().into_server_errors();
    let first = answers.as_ref().and_then(|answers| answers.first());
    let counter = first.and_then(|(position, _)| counters.get(*position));
    match (StoreError::from(error), counter) {
        (StoreError::Refused(reason), Some(counter)) => {
            StoreError::Refused(format!("the counter {counter}: {reason}"))
        }
        (error, _) => error,
    }
}
