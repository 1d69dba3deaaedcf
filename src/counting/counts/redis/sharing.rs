//! Batches of many counters share calls where they share a server.
//!
//! A call of a script costs Redis several times what counting a visit does, so many counters with a
//! visit each are one call's work. Each batch is counted, refused or failed by itself in it, as it
//! would be in a call of its own; only whether there is an answer at all is common to them.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use redis::{RedisError, Value, from_redis_value};
use tokio::time::timeout_at;

use super::{
    Ended, Limits, RedisCounts, Sent,
    answer::{OTHER_MODE, OUTDATED, UNLISTED, interpret},
    keys,
    script::{Call, SHARED},
};
use crate::{
    auth::revocation::Known,
    counting::Batch,
    storage::{StoreError, redis::Node},
};

/// Counters of a call at most: Redis runs nothing else meanwhile. With more there is little left to share.
const MOST_COUNTERS: usize = 128;

/// Visits of a call at most, as many as one batch may have.
const MOST_VISITS: usize = 1024;

/// What the script answers for one counter.
type Answer = Result<Vec<i64>, StoreError>;

/// Batches that share a call, by their positions.
struct Group<'a> {
    known: Option<&'a Known>,
    visits: usize,
    members: Vec<usize>,
}

impl Group<'_> {
    fn has_room_for(&self, batch: &Batch) -> bool {
        self.known == batch.known.as_ref()
            && self.members.len() < MOST_COUNTERS
            && self.visits + batch.visits.len() <= MOST_VISITS
    }
}

/// Which batches share a call. What is known of revocations is compared once in each.
fn group(batches: &[Batch]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    for (position, batch) in batches.iter().enumerate() {
        let open = groups.iter_mut().rfind(|group| group.has_room_for(batch));
        match open {
            Some(group) => {
                group.visits += batch.visits.len();
                group.members.push(position);
            }
            None => groups.push(Group {
                known: batch.known.as_ref(),
                visits: batch.visits.len(),
                members: vec![position],
            }),
        }
    }
    groups
}

impl RedisCounts {
    /// Whether these batches may share calls. A cluster has no script that has keys of two counters.
    pub(super) fn may_share(&self, batches: &[Batch]) -> bool {
        batches.len() > 1 && !self.redis.is_cluster() && !self.apart.load(Ordering::Relaxed)
    }

    /// Counts batches, each of another counter: in as few calls as may be, all sent at once.
    pub(super) async fn count_shared(&self, batches: &[Batch], limits: Limits<'_>) -> Vec<Ended> {
        let groups = group(batches).into_iter();
        let calls = groups.map(|group| self.count_group(batches, group.members, limits));
        let mut ended: Vec<_> = join_all(calls).await.into_iter().flatten().collect();
        ended.sort_unstable_by_key(|(position, _)| *position);
        ended.into_iter().map(|(_, ended)| ended).collect()
    }

    async fn count_group(
        &self,
        batches: &[Batch],
        members: Vec<usize>,
        limits: Limits<'_>,
    ) -> Vec<(usize, Ended)> {
        if let [position] = *members {
            return vec![(position, self.count_alone(&batches[position], limits).await)];
        }
        let key = keys::count(&batches[members[0]].counter);
        let closed = self.closed(&key).await;
        let call = |position| (position, self.first_call(&batches[position], closed));
        let mut called: Vec<_> = members.into_iter().map(call).collect();
        // As the script wants them.
        called.sort_by_key(|(_, call)| !call.is_plain());
        let (members, calls): (Vec<_>, Vec<_>) = called.into_iter().unzip();
        let answers = timeout_at(limits.deadline, self.call_shared(&key, &calls)).await;
        let (node, answers): (_, Vec<Option<Answer>>) =
            match answers.unwrap_or(Err(StoreError::Timeout)) {
                Ok((node, answers)) => (Some(node), answers.into_iter().map(Some).collect()),
                Err(StoreError::Refused(reason)) => {
                    // Nothing was done. Whoever has refused it may take each by itself: a user that may not
                    // have the keys of all of them, something in between that knows one key a call.
                    if !self.apart.swap(true, Ordering::Relaxed) {
                        tracing::info!(reason, "Redis takes no calls for several counters");
                    }
                    (None, vec![None; calls.len()])
                }
                Err(error) => (None, vec![Some(Err(error)); calls.len()]),
            };
        let ended = calls
            .iter()
            .zip(answers)
            .map(async |(call, answer)| self.end(call, node.as_ref(), answer, limits).await);
        members.into_iter().zip(join_all(ended).await).collect()
    }

    /// How a batch ends that was answered so.
    async fn end(
        &self,
        call: &Call<'_>,
        node: Option<&Node>,
        answer: Option<Answer>,
        limits: Limits<'_>,
    ) -> Ended {
        let again = match &answer {
            None => true,
            // What is new has to be listed, and what is stored otherwise to be written otherwise.
            Some(Ok(numbers)) => matches!(numbers[..], [UNLISTED] | [OTHER_MODE, _]),
            Some(Err(_)) => false,
        };
        let (Some(answer), false) = (answer, again) else {
            // Apart: what is rare and large is not to be moved with every batch.
            return Box::pin(self.count_alone(call.batch, limits)).await;
        };
        let refusals = &limits.health.refusals;
        refusals.note(|| call.batch.counter.to_string(), &answer);
        let numbers = answer?;
        let node = node.cloned().ok_or_else(super::moving)?;
        if numbers[..] == [OUTDATED] {
            return Ok((node, super::outdated(call.batch)));
        }
        Ok((node, interpret(call.batch, &numbers, call.closed)?))
    }

    async fn call_shared(
        &self,
        key: &str,
        calls: &[Call<'_>],
    ) -> Result<(Node, Vec<Answer>), StoreError> {
        let known = calls.first().and_then(|call| call.batch.known.as_ref());
        let sent = Sent {
            command: &Call::shared(calls),
            script: SHARED,
        };
        let (node, value) = self.send_if(key, sent, known).await?;
        Ok((
            node,
            answers(value.unwrap_or(Value::Int(OUTDATED)), calls.len())?,
        ))
    }
}

/// What a call for so many counters was answered, for each of them.
fn answers(value: Value, counters: usize) -> Result<Vec<Answer>, StoreError> {
    let answer = |value: Value| -> Answer {
        match value {
            Value::Int(first) => Ok(vec![first]),
            value => Ok(from_redis_value(value.extract_error()?).map_err(RedisError::from)?),
        }
    };
    match value {
        Value::Int(OUTDATED) => Ok(vec![Ok(vec![OUTDATED]); counters]),
        Value::Array(values) if values.len() == counters => {
            Ok(values.into_iter().map(answer).collect())
        }
        value => Err(StoreError::Failed(format!(
            "the script for {counters} counters gave {value:?}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use redis::parse_redis_value;

    use super::{
        super::samples::{NONE, batch_of},
        *,
    };

    /// One batch for each: its visits, and whether passes were looked at up to an epoch, and which.
    fn batches(of: &[(usize, Option<u8>)]) -> Vec<Batch> {
        let batch = |(visits, known): &(usize, Option<u8>)| Batch {
            known: known.map(|epoch| Known {
                epoch: epoch.to_string().into(),
                whole_at: None,
                from: None,
            }),
            ..batch_of("a", &vec![NONE; *visits])
        };
        of.iter().map(batch).collect()
    }

    proptest! {
        #[test]
        fn each_batch_is_in_one_group(
            of in prop::collection::vec((1..400_usize, prop::option::of(0..2_u8)), 0..300)
        ) {
            let batches = batches(&of);
            let groups = group(&batches);
            let members: Vec<_> = groups.iter().flat_map(|group| &group.members).collect();
            prop_assert_eq!(members.len(), batches.len());
            prop_assert_eq!(members.iter().collect::<HashSet<_>>().len(), batches.len());
            for group in &groups {
                let visits = group.members.iter().map(|position| batches[*position].visits.len());
                prop_assert!(visits.sum::<usize>() <= MOST_VISITS);
                prop_assert!(group.members.len() <= MOST_COUNTERS);
                let mut known = group.members.iter().map(|position| &batches[*position].known);
                prop_assert!(known.all(|known| known.as_ref() == group.known));
            }
        }
    }

    #[test]
    fn what_fits_shares() {
        let sizes = |of: &[(usize, Option<u8>)]| {
            let batches = batches(of);
            let groups = group(&batches);
            groups
                .iter()
                .map(|group| group.members.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[(1, None); 128]), [128]);
        assert_eq!(sizes(&[(1, None); 129]), [128, 1]);
        assert_eq!(sizes(&[(1024, None), (1, None), (1023, None)]), [1, 2]);
        assert_eq!(sizes(&[(1, None), (1, Some(7)), (1, None)]), [2, 1]);
    }

    fn read(text: &str, counters: usize) -> Result<Vec<Answer>, StoreError> {
        answers(parse_redis_value(text.as_bytes()).unwrap(), counters)
    }

    #[test]
    fn each_counter_has_an_answer_of_its_own() {
        let text = "*4\r\n:7\r\n*2\r\n:1\r\n:-1\r\n\
                    -REFUSED WRONGTYPE wrong\r\n-PARTIAL OOM full\r\n";
        let found = read(text, 4).unwrap();
        assert_eq!(found[0].as_ref().unwrap(), &[7]);
        assert_eq!(found[1].as_ref().unwrap(), &[1, -1]);
        let said = |answer: &Answer| match answer {
            Err(StoreError::Refused(said)) => format!("refused {said}"),
            Err(StoreError::Failed(said)) => format!("failed {said}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(said(&found[2]), "refused WRONGTYPE wrong");
        assert_eq!(said(&found[3]), "failed OOM full");
    }

    #[test]
    fn more_was_revoked_for_all_of_them() {
        for answer in read(":-2\r\n", 3).unwrap() {
            assert_eq!(answer.unwrap(), [OUTDATED]);
        }
    }

    /// Whoever has executed a call has counted, whatever it says.
    #[test]
    fn an_answer_of_another_length_is_none() {
        for text in [
            "*1\r\n:1\r\n",
            "*3\r\n:1\r\n:1\r\n:1\r\n",
            ":1\r\n",
            "+OK\r\n",
        ] {
            let failed = matches!(read(text, 2), Err(StoreError::Failed(_)));
            assert!(failed, "{text}");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_may_be_one_of_a_visit_that_was_counted() {
        let found = read("*2\r\n:1\r\n*1\r\n+what\r\n", 2).unwrap();
        assert!(found[0].is_ok());
        assert!(found[1].as_ref().unwrap_err().outcome_is_unknown());
    }
}
