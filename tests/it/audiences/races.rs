//! The same at the same time, over three replicas: one has it, and the others are told who.

use futures_util::future::join_all;

use super::*;

const AT_ONCE: usize = 100;

/// Whoever waits too long for one of the few connections to the database is told so, and not who was first. On a
/// machine that has much else to do that may be anybody.
const PATIENT: [(&str, &str); 3] = [
    ("FOOTFALL_REQUEST_TIMEOUT", "60s"),
    ("FOOTFALL_DATABASE_TIMEOUT", "50s"),
    ("FOOTFALL_STORE_TIMEOUT", "50s"),
];

/// The name and the filter that one of them sends.
type Sent = fn(usize) -> (String, Value);

/// So many clients, by turns of each replica.
fn clients(stage: &Stage, others: &[TestApp], token: &str) -> Vec<Client> {
    let apps: Vec<_> = [&stage.app].into_iter().chain(others).collect();
    let client = |number: usize| apps[number % apps.len()].client().with_token(token);
    (0..AT_ONCE).map(client).collect()
}

/// Of these one has succeeded, and all others name it.
#[track_caller]
fn assert_one(list: List, replies: &[Reply], what: &str) -> String {
    let (made, refused): (Vec<_>, Vec<_>) =
        replies.iter().partition(|reply| reply.status.is_success());
    assert_eq!(made.len(), 1, "{made:?}");
    let made = made[0].json();
    let (id, name) = (
        made["id"].as_str().unwrap(),
        made[list.name()].as_str().unwrap(),
    );
    assert_eq!(refused.len(), replies.len() - 1);
    for reply in refused {
        list.assert_taken(reply, what, id, name);
    }
    id.to_owned()
}

async fn race(stage: &Stage, others: &[TestApp], anna: &Person) {
    for list in List::BOTH {
        let rounds: [(&str, Sent); 3] = [
            ("name_taken", |_| ("equal".into(), did("equal"))),
            ("name_taken", |number| {
                ("same name".into(), did(&format!("c{number}")))
            }),
            ("filter_exists", |number| {
                (format!("name {number}"), did("same.filter"))
            }),
        ];
        let mut made = Vec::new();
        for (what, sent) in rounds {
            let mut clients = clients(stage, others, &anna.token);
            let posting = clients.iter_mut().enumerate().map(|(number, client)| {
                let (name, filter) = sent(number);
                async move { list.post(client, &name, &filter).await }
            });
            let replies = join_all(posting).await;
            assert!(
                replies.iter().any(|reply| reply.status == 201),
                "{replies:?}"
            );
            made.push(assert_one(list, &replies, what));
        }
        let mut client = stage.client(anna);
        let page = client.get(list.path()).await.json();
        assert_eq!(ids(list, &page), made, "{}", stage.kind);

        // Many change what is theirs into the same.
        let mut own = Vec::new();
        for number in 0..10 {
            let name = format!("own {number}");
            own.push(
                list.save(&mut client, &name, &did(&format!("own{number}")))
                    .await,
            );
        }
        let mut clients = clients(stage, others, &anna.token);
        let putting = clients.iter_mut().zip(&own).map(|(client, id)| async move {
            list.put(client, id, "wanted by all", &did("wanted")).await
        });
        let replies = join_all(putting).await;
        assert_one(list, &replies, "name_taken");
        let hashes = format!(
            "SELECT count(*) - count(DISTINCT hash) FROM {}",
            list.entries()
        );
        assert_eq!(stage.number(Box::leak(hashes.into_boxed_str())).await, 0);
    }
}

#[tokio::test]
async fn of_a_hundred_equal_ones_over_three_replicas_there_is_one() {
    let (stage, anna) = with_member(Stage::postgres_with(&PATIENT).await).await;
    let others = more(&stage, 2, &PATIENT).await;
    race(&stage, &others, &anna).await;
}

#[tokio::test]
async fn of_a_hundred_equal_ones_on_one_file_there_is_one() {
    let (stage, anna) = with_member(Stage::sqlite_with(&PATIENT).await).await;
    race(&stage, &[], &anna).await;
}

/// Each alone would be right; both together would go round in a circle, or refer to what is not there.
#[tokio::test]
async fn what_would_contradict_is_not_done_together() {
    let (stage, anna) = with_member(Stage::postgres().await).await;
    let others = more(&stage, 2, &[]).await;
    let list = List::Audiences;
    let mut here = stage.client(&anna);
    let mut there = others[0].client().with_token(&anna.token);
    for round in 0..20 {
        let counter = |which: &str| did(&format!("{which}{round}"));
        let (one, two) = (format!("one {round}"), format!("two {round}"));
        let first = list.save(&mut here, &one, &counter("one")).await;
        let second = list.save(&mut here, &two, &counter("two")).await;
        let (to_first, to_second) = (in_all(&[&first]), in_all(&[&second]));
        let (turned, other) = tokio::join!(
            list.put(&mut here, &first, &one, &to_second),
            list.put(&mut there, &second, &two, &to_first),
        );
        let mut statuses = [turned.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 422], "{turned:?} {other:?}");
        // Back to nobody who refers to anybody.
        for (id, name, which) in [(&first, &one, "one"), (&second, &two, "two")] {
            assert_eq!(
                list.put(&mut here, id, name, &counter(which)).await.status,
                200
            );
        }
        let preset = List::Presets;
        let (deleted, made) = tokio::join!(
            list.delete(&mut here, &first),
            preset.post(&mut there, &one, &to_first),
        );
        let statuses = (deleted.status.as_u16(), made.status.as_u16());
        assert!(
            [(204, 422), (409, 201)].contains(&statuses),
            "{deleted:?} {made:?}"
        );
    }
}
