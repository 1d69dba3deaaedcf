//! What both databases answer is what one finds who looks at every visit: random visits, random filters.
//!
//! `AUDIENCE_CASES=10000 cargo test --release --test it evaluation::oracle` asks so many questions of each database.

use footfall::{
    counting::carried::Attributes,
    record::{table::recordings::Recording, values::summing::sum_up},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::*;
use crate::filters::{
    oracle::{Visit as Known, World},
    possible::{self, INSTANT},
};

/// Questions that are asked of each database, unless `AUDIENCE_CASES` says how many.
const CASES: usize = 120;

/// Visits that questions are asked of, at most.
const VISITS: usize = 60;

/// Questions about the same visits.
const QUESTIONS: std::ops::Range<usize> = 8..16;

fn carried(visit: &Known) -> Visit {
    let field = |name: &str| visit.fields.get(name).map(|text| text.as_str().into());
    let properties = visit.properties.iter();
    let properties = properties.map(|(key, value)| (key.as_str().into(), value.clone()));
    let attributes = Attributes {
        path: field("path"),
        referrer: field("referrer"),
        campaign: field("campaign"),
        country: field("country"),
        properties: properties.collect(),
    };
    let visitor = visit.visitor.map(|name| format!("={name}"));
    (
        visit.at,
        stored(visitor.as_deref().unwrap_or_default(), attributes),
    )
}

/// A company of which all this is known, and as of when it is asked.
async fn known(place: &Place, world: &World) -> AsOf {
    let mut as_of = AsOf {
        instant: INSTANT,
        ..AsOf::default()
    };
    for (id, filter) in &world.audiences {
        // That of another case has the same id.
        let own = own_id(place, *id);
        let filter = place.audience(own, &with_own_ids(place, filter)).await;
        let hash: Vec<u8> = (0..32)
            .map(|place| u8::from_str_radix(&filter.hash[2 * place..2 * place + 2], 16).unwrap())
            .collect();
        as_of.filters.insert(own, hash.try_into().unwrap());
    }
    for recording in recorded(place, world).await {
        as_of.numbers.insert(recording.id, recording.through);
    }
    as_of
}

fn own_id(place: &Place, id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ place.company.id().as_u128().rotate_left(64))
}

/// The same filter, of audiences that are of this place.
fn with_own_ids(place: &Place, filter: &Value) -> Value {
    match filter {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let own = match (name.as_str(), value.as_str()) {
                    ("audience", Some(id)) => json!(own_id(place, id.parse().unwrap())),
                    _ => with_own_ids(place, value),
                };
                (name.clone(), own)
            });
            Value::Object(members.collect())
        }
        Value::Array(values) => values
            .iter()
            .map(|value| with_own_ids(place, value))
            .collect(),
        other => other.clone(),
    }
}

async fn recorded(place: &Place, world: &World) -> Vec<Recording> {
    let names: BTreeSet<_> = world.visits.iter().map(|visit| visit.counter).collect();
    let mut recordings = Vec::new();
    for name in names {
        let visits = world.visits.iter().filter(|visit| visit.counter == name);
        let visits: Vec<Visit> = visits.map(carried).collect();
        place.visits(name, &visits).await;
        recordings.push(super::plans::counter(place, name).await.recording);
    }
    recordings
}

async fn compare(place: &Place, world: &World, as_of: &AsOf, questions: &[Value], when: &str) {
    for question in questions {
        let asked = with_own_ids(place, question);
        let evaluated = place.evaluated(&asked, Some(as_of)).await;
        let evaluated = evaluated.unwrap_or_else(|problem| panic!("{question}: {problem:?}"));
        let expected: BTreeSet<String> = world
            .visitors(question)
            .into_iter()
            .map(|name| format!("={name}"))
            .collect();
        let answered = place.keys(&evaluated).await;
        assert_eq!(
            answered,
            expected,
            "{} {when}\n{question}\n{world:#?}",
            place.kind()
        );
        assert_eq!(evaluated.visitors.len(), expected.len() as u64);
    }
}

#[tokio::test]
async fn both_databases_answer_what_the_visits_say() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let cases = number("AUDIENCE_CASES").map_or(CASES, |cases| cases as usize);
    println!("SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let source = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), source);
    let strategy = possible::questions(VISITS, QUESTIONS);
    let places = Place::both().await;
    let (mut asked, mut meant) = (0, 0);
    while asked < cases {
        let (world, questions) = strategy.new_tree(&mut runner).unwrap().current();
        asked += questions.len();
        meant += questions
            .iter()
            .filter(|question| !world.visitors(question).is_empty())
            .count();
        for first in &places {
            let place = first.another().await;
            let as_of = known(&place, &world).await;
            compare(&place, &world, &as_of, &questions, "visit by visit").await;
            // Some days are over, and summed up; then all are, and there are visits after the answer.
            let mut recordings = Vec::new();
            for name in possible::COUNTERS {
                if world.visits.iter().any(|visit| visit.counter == name) {
                    recordings.push(super::plans::counter(&place, name).await.recording);
                }
            }
            for recording in &recordings {
                sum_up(place.database(), recording).await.unwrap();
            }
            compare(
                &place,
                &world,
                &as_of,
                &questions,
                "with days that are over",
            )
            .await;
            for recording in &recordings {
                let name = recording.counter.name.as_str();
                let later = [
                    to(INSTANT + 1, "=ada", "/"),
                    to(INSTANT + 2 * DAY, "=ada", "/a"),
                ];
                place.visits(name, &later).await;
                let recording = super::plans::counter(&place, name).await.recording;
                sum_up(place.database(), &recording).await.unwrap();
            }
            compare(&place, &world, &as_of, &questions, "with all days over").await;
        }
    }
    assert!(
        meant * 4 > asked,
        "few questions mean anybody: {meant} of {asked}"
    );
}
