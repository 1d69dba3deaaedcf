//! How visits wait and are answered, with stores that are slow, busy or away.

use super::*;
use crate::counting::{Company, identity::IdentityKind};

type Number = oneshot::Receiver<Result<Counted, CountError>>;

fn waiting(company: Company, name: &str, key: Option<u8>) -> (Waiting, Number) {
    let (reply, number) = oneshot::channel();
    let name = name.parse().unwrap();
    let identity = key.map(|key| Identity::new(IdentityKind::Key, "user", &[key]));
    let waiting = Waiting {
        counter: CounterId { company, name },
        visit: Visit {
            identity,
            ..Visit::default()
        },
        reply,
    };
    (waiting, number)
}

/// Numbers each batch from 1 on, as a store would.
fn answer_all(mut all: Vec<Waiting>) -> Vec<Batch> {
    let plan = Plan::new(&mut all, None);
    assert!(all.is_empty());
    for (batch, recipients) in plan.batches.iter().zip(plan.recipients) {
        assert_eq!(batch.visits.len(), recipients.len());
        let numbers = (1..).take(recipients.len());
        let replayed = false;
        let outcomes = numbers.map(|number| Ok(Counted { number, replayed }));
        answer(recipients, Ok(outcomes.collect()));
    }
    plan.batches
}

fn given(number: Number) -> (u64, bool) {
    let counted = number.blocking_recv().unwrap().unwrap();
    (counted.number, counted.replayed)
}

#[test]
fn visits_of_a_counter_share_a_batch_in_their_order() {
    let other = Company::Id(uuid::Uuid::now_v7());
    let counters = [
        (Company::Default, "b"),
        (other, "a"),
        (Company::Default, "a"),
    ];
    let mut all = Vec::new();
    let mut numbers = Vec::new();
    for round in 1..=3 {
        for (company, name) in counters {
            let (waiting, number) = waiting(company, name, None);
            all.push(waiting);
            numbers.push((round, number));
        }
    }
    let batches = answer_all(all);
    assert_eq!(batches.len(), counters.len());
    for (round, number) in numbers {
        assert_eq!(given(number), (round, false));
    }
}

#[test]
fn requests_of_one_identity_are_one_visit() {
    let other = Company::Id(uuid::Uuid::now_v7());
    let (default, key) = (Company::Default, Some(1));
    let (first, first_number) = waiting(default, "a", key);
    let (between, between_number) = waiting(default, "a", None);
    let (again, again_number) = waiting(default, "a", key);
    // Those of another counter are others, wherever in its batch they are.
    let (others, others_number) = waiting(other, "a", Some(2));
    let (namesake, namesake_number) = waiting(other, "a", key);
    let batches = answer_all(vec![first, others, between, namesake, again]);
    let visits = batches.iter().map(|batch| batch.visits.len());
    assert_eq!(visits.collect::<Vec<_>>(), [2, 2]);
    assert_eq!(given(first_number), (1, false));
    assert_eq!(given(between_number), (2, false));
    assert_eq!(given(again_number), (1, true));
    assert_eq!(given(others_number), (1, false));
    assert_eq!(given(namesake_number), (2, false));
}

/// Whoever has gone must not be the one who is told that the visit was counted.
#[test]
fn a_closed_reply_uses_nothing_up() {
    let (first, gone) = waiting(Company::Default, "a", Some(1));
    let (again, number) = waiting(Company::Default, "a", Some(1));
    drop(gone);
    answer_all(vec![first, again]);
    assert_eq!(given(number), (1, false));
}

#[test]
fn an_error_is_everyones() {
    let (first, one) = waiting(Company::Default, "a", Some(1));
    let (again, other) = waiting(Company::Default, "a", Some(1));
    let plan = Plan::new(&mut vec![first, again], None);
    for recipients in plan.recipients {
        answer(recipients, Err(StoreError::Timeout));
    }
    for number in [one, other] {
        let result = number.blocking_recv().unwrap();
        assert!(matches!(
            result,
            Err(CountError::Store(StoreError::Timeout))
        ));
    }
}

/// Each request has its own token again, also where several were one visit.
#[test]
fn what_was_not_counted_waits_again_as_it_was() {
    let pass = |session| {
        Some(Arc::new(Pass {
            session: uuid::Uuid::from_u128(session),
            user: uuid::Uuid::nil(),
            user_generation: 1,
            company: uuid::Uuid::nil(),
            company_generation: 1,
        }))
    };
    let known = Known {
        epoch: "7".into(),
        whole_at: None,
        from: None,
    };
    let (mut all, mut numbers) = (Vec::new(), Vec::new());
    for (key, session) in [(Some(1), 1), (None, 2), (Some(1), 3), (Some(2), 0)] {
        let (mut waiting, number) = waiting(Company::Default, "a", key);
        waiting.visit.pass = pass(session).filter(|_| session > 0);
        all.push(waiting);
        numbers.push(number);
    }
    let described = |all: &[Waiting]| {
        let visits = all.iter().map(|waiting| waiting.visit.clone());
        let mut visits: Vec<_> = visits.map(|visit| format!("{visit:?}")).collect();
        visits.sort();
        visits
    };
    let before = described(&all);
    let plan = Plan::new(&mut all, Some(&known));
    assert_eq!(plan.batches.len(), 1);
    assert_eq!(plan.batches[0].known.as_ref(), Some(&known));
    assert_eq!(plan.batches[0].visits.len(), 3);
    for (batch, recipients) in plan.batches.into_iter().zip(plan.recipients) {
        wait_again(batch, recipients, &mut all);
    }
    assert_eq!(described(&all), before);
    answer_all(all);
    let replayed = numbers.into_iter().map(|number| given(number).1);
    assert_eq!(replayed.filter(|replayed| *replayed).count(), 1);
}

/// What has no pass is sent as ever, whatever else is in the round.
#[test]
fn a_batch_without_a_pass_compares_nothing() {
    let (waiting, _number) = waiting(Company::Default, "a", None);
    let known = Known {
        epoch: "7".into(),
        whole_at: None,
        from: None,
    };
    let plan = Plan::new(&mut vec![waiting], Some(&known));
    assert_eq!(plan.batches[0].known, None);
}
