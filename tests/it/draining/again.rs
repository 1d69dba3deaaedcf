//! What is read again under numbers that are recorded: the same visits, or others.

use footfall::counting::{carried::Written, identity::IdentityKind::Request};

use super::*;

/// What an entry of the stream says.
type Fields = Vec<(String, Vec<u8>)>;

const STREAM: &str = "footfall:{a}:visits";

/// What a Redis may have that has lost an entry and counted others under its numbers.
/// The last number that it is seen by, and how many visits are kept aside.
type Change = (&'static str, &'static str, fn(&mut Fields));

fn field<'a>(fields: &'a mut Fields, name: &str) -> &'a mut Vec<u8> {
    let found = fields.iter_mut().find(|(other, _)| other == name);
    &mut found.unwrap_or_else(|| panic!("{name}")).1
}

/// Visits that are told apart by what is changed alone: they have the same numbers at the same time, but
/// in those cases that say another.
const CHANGES: [Change; 10] = [
    ("another path", "5 3", |fields| {
        *field(fields, "2") = br#"{"p":"/else"}"#.to_vec();
    }),
    ("another property", "6 4", |fields| {
        let carried = String::from_utf8(field(fields, "3").clone()).unwrap();
        let other = carried.replace("true", "false");
        assert_ne!(carried, other);
        *field(fields, "3") = other.into_bytes();
    }),
    ("another visitor", "5 3", |fields| {
        *field(fields, "2") = br##"{"v":"#x","p":"/3"}"##.to_vec();
    }),
    ("one that carries nothing", "5 3", |fields| {
        fields.retain(|(name, _)| name != "2");
    }),
    ("one more that carries something", "3 1", |fields| {
        fields.push(("0".into(), br#"{"p":"/0"}"#.to_vec()));
    }),
    ("another key", "5 3", |fields| field(fields, "k")[0] ^= 1),
    ("another request", "4 2", |fields| {
        field(fields, "r")[15] ^= 1
    }),
    ("one without a key", "5 3", |fields| {
        fields.retain(|(name, _)| name != "k");
    }),
    ("one with a key more", "6 4", |fields| {
        let more = [field(fields, "k").clone(), vec![7; 16]].concat();
        *field(fields, "k") = more;
    }),
    ("an earlier time", "6 4", |fields| {
        let at = String::from_utf8(field(fields, "t").clone()).unwrap();
        let earlier = at.parse::<u64>().unwrap() - 1;
        *field(fields, "t") = earlier.to_string().into_bytes();
    }),
];

impl Place {
    async fn stream(&self) -> Vec<(String, Fields)> {
        self.counts.ask(&format!("XRANGE {STREAM} - +")).await
    }

    /// As if a replica had been killed before it trimmed; what is in the stream by then.
    async fn drains_again(&self, before: &[(String, Vec<u8>)], stream: &[(String, Fields)]) -> u64 {
        self.put_back(before).await;
        let mut connection = self.counts.connection().await;
        let mut put = redis::pipe();
        put.del(STREAM).ignore();
        for (id, fields) in stream {
            let add = put.cmd("XADD").arg(STREAM).arg(id);
            for (name, value) in fields {
                add.arg(name).arg(value);
            }
            add.ignore();
        }
        put.query_async::<()>(&mut connection).await.unwrap();
        let draining = self.drain().await;
        self.is_drained().await;
        assert_eq!(draining.metrics.recorded.get(), 0);
        draining.metrics.repeated.get()
    }
}

fn rich() -> Visit {
    let mut visit = to("/6", plain());
    let carried = Arc::make_mut(visit.carried.as_mut().unwrap());
    let properties = r#"{"great":1e300,"half":0.5,"least":-9223372036854775808,"most":18446744073709551615,"on":true,"text":"1e2"}"#;
    let mut attributes = carried.rest.attributes();
    attributes.properties = serde_json::from_str(properties).unwrap();
    carried.rest = Written::of(&attributes);
    visit
}

#[tokio::test]
async fn others_at_the_same_moment_are_kept_aside() {
    let mut place = Place::new().await;
    place.counts.count(vec![plain(), plain()]).await.unwrap();
    // A moment of its own.
    let time: Vec<u64> = place.counts.ask("TIME").await;
    until("a moment has passed", async || {
        let now: Vec<u64> = place.counts.ask("TIME").await;
        let since = (now[0] - time[0]) * 1_000_000 + now[1] - time[1];
        (since >= 3000).then_some(())
    })
    .await;
    // In the order of their numbers, 3 to 6.
    let visits = vec![plain(), with(Request, 4), to("/3", with(Key, 3)), rich()];
    place.counts.count(visits).await.unwrap();
    let (before, stream) = (place.dump().await, place.stream().await);
    assert_eq!(stream.len(), 2);
    let draining = place.drain().await;
    place.is_drained().await;
    drop(draining);
    assert_eq!(place.drains_again(&before, &stream).await, 0);
    for (what, kept, change) in CHANGES {
        let mut others = stream.clone();
        change(&mut others[1].1);
        let (_, visits) = kept.split_once(' ').unwrap();
        let repeated = place.drains_again(&before, &others).await;
        assert_eq!(repeated.to_string(), visits, "{what}");
        // Once, however often it is read.
        assert_eq!(place.drains_again(&before, &others).await, 0, "{what}");
        let aside = "WITH kept AS (DELETE FROM repeated_visits RETURNING *) SELECT string_agg(last || ' ' || visits, ',') FROM kept";
        assert_eq!(place.postgres.sql(aside), kept, "{what}");
    }
    assert_eq!(place.runs(), "1-6");
    // Who was erased meanwhile is not kept again.
    place
        .postgres
        .sql("UPDATE visits SET visitor = NULL, path = NULL, properties = NULL");
    assert_eq!(place.drains_again(&before, &stream).await, 0);
    // One that was counted lately would have its identity.
    place.postgres.sql("DELETE FROM recorded_identities");
    assert_eq!(place.drains_again(&before, &stream).await, 3);
}
