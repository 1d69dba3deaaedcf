//! Filters that refer to saved audiences.

use serde_json::json;

use super::*;

fn to_audience(id: Uuid) -> Value {
    json!({ "audience": id })
}

fn did(counter: &str) -> Value {
    json!({ "did": { "counter": counter } })
}

#[tokio::test]
async fn an_audience_stands_for_what_it_says() {
    for place in Place::both().await {
        let noon = at("2026-03-01T12:00:00Z");
        place
            .visits("a", &["#a", "#ab", "#ac"].map(|who| to(noon, who, "/")))
            .await;
        place
            .visits("b", &["#b", "#ab"].map(|who| to(noon, who, "/")))
            .await;
        place
            .visits("c", &["#c", "#ac"].map(|who| to(noon, who, "/")))
            .await;
        let [first, second, third] = [(); 3].map(|()| Uuid::now_v7());
        place.audience(first, &include(json!([did("a")]))).await;
        place
            .audience(
                second,
                &json!({ "version": 1, "include": to_audience(first), "exclude": did("b") }),
            )
            .await;
        place
            .audience(
                third,
                &include(json!([{ "any": [to_audience(second), did("b")] }])),
            )
            .await;
        for (filter, expected) in [
            (include(json!([to_audience(first)])), "#a #ab #ac"),
            (include(json!([to_audience(second)])), "#a #ac"),
            (include(json!([to_audience(third)])), "#a #ac #b #ab"),
            (include(json!([to_audience(second), did("c")])), "#ac"),
            (
                json!({ "version": 1, "include": did("a"), "exclude": { "any": [to_audience(second)] } }),
                "#ab",
            ),
            (
                include(json!([
                    to_audience(first),
                    to_audience(third),
                    to_audience(second)
                ])),
                "#a #ac",
            ),
        ] {
            assert_eq!(
                place.who(&filter).await,
                names(expected),
                "{} {filter}",
                place.kind()
            );
        }
        // Its own routes ask for the audience, and it may have three within.
        let fourth = Uuid::now_v7();
        place
            .audience(fourth, &include(json!([to_audience(third), did("c")])))
            .await;
        let evaluated = place
            .engine
            .evaluate_audience(place.company, fourth, None)
            .await;
        let evaluated = evaluated.unwrap();
        assert_eq!(place.keys(&evaluated).await, names("#ac"));
        assert_eq!(evaluated.as_of.filters.len(), 4);
        let fifth = place
            .evaluated(&include(json!([to_audience(fourth)])), None)
            .await;
        assert_wrong(
            &fifth.unwrap_err(),
            "/include/all/0/audience",
            "3 audiences",
        );
    }
}

#[track_caller]
fn assert_wrong(problem: &Problem, pointer: &str, detail: &str) {
    let told = serde_json::to_value(problem.document("x")).unwrap();
    assert_eq!(told["code"], "invalid_filter", "{told}");
    assert_eq!(told["errors"][0]["pointer"], pointer, "{told}");
    assert!(
        told["errors"][0]["detail"]
            .as_str()
            .unwrap()
            .contains(detail),
        "{told}"
    );
}

/// Routes save none; a backup that was put together by hand may have one.
#[tokio::test]
async fn a_circle_is_refused_and_so_is_what_is_not_there() {
    for place in Place::both().await {
        let [first, second, nobody] = [(); 3].map(|()| Uuid::now_v7());
        place
            .audience(first, &include(json!([to_audience(second)])))
            .await;
        place
            .audience(second, &include(json!([did("a"), to_audience(first)])))
            .await;
        let filter = include(json!([{ "any": [did("a"), to_audience(first)] }]));
        let circle = place.evaluated(&filter, None).await.unwrap_err();
        assert_wrong(&circle, "/include/any/0/audience", "itself");
        let missing = place
            .evaluated(&include(json!([to_audience(nobody)])), None)
            .await;
        assert_wrong(
            &missing.unwrap_err(),
            "/include/all/0/audience",
            &nobody.to_string(),
        );
        let none = place
            .engine
            .evaluate_audience(place.company, nobody, None)
            .await;
        assert_eq!(none.unwrap_err().code.as_str(), "not_found");
        // That of another company is not there either.
        let other = place.another().await;
        let theirs = other
            .engine
            .evaluate_audience(other.company, first, None)
            .await;
        assert_eq!(theirs.unwrap_err().code.as_str(), "not_found");
        let theirs = other
            .evaluated(&include(json!([to_audience(first)])), None)
            .await;
        assert_wrong(
            &theirs.unwrap_err(),
            "/include/all/0/audience",
            &first.to_string(),
        );
    }
}

#[tokio::test]
async fn an_answer_stays_when_an_audience_is_changed() {
    for place in Place::both().await {
        let noon = at("2026-03-01T12:00:00Z");
        place.visits("a", &[to(noon, "#a", "/")]).await;
        place.visits("b", &[to(noon, "#b", "/")]).await;
        let [inner, outer] = [(); 2].map(|()| Uuid::now_v7());
        place.audience(inner, &include(json!([did("a")]))).await;
        place
            .audience(outer, &include(json!([to_audience(inner)])))
            .await;
        let known = place
            .engine
            .evaluate_audience(place.company, outer, None)
            .await
            .unwrap();
        assert_eq!(place.keys(&known).await, names("#a"));
        place.audience(inner, &include(json!([did("b")]))).await;
        let as_of = AsOf::parse(&known.as_of.to_string()).unwrap();
        let again = place
            .engine
            .evaluate_audience(place.company, outer, Some(&as_of))
            .await
            .unwrap();
        assert_eq!(again.visitors, known.visitors, "{}", place.kind());
        assert_eq!(again.as_of, known.as_of);
        let now = place
            .engine
            .evaluate_audience(place.company, outer, None)
            .await
            .unwrap();
        assert_eq!(place.keys(&now).await, names("#b"));
        // What it said is there no more.
        place
            .write("DELETE FROM audience_filters WHERE company_id = $1 AND filter LIKE '%' || $2 || '%'", "\"a\"".into())
            .await;
        let gone = place
            .engine
            .evaluate_audience(place.company, outer, Some(&as_of))
            .await;
        assert_eq!(gone.unwrap_err().code.as_str(), "as_of_too_old");
        // That of another question knows nothing of this one.
        let other = AsOf {
            filters: Default::default(),
            ..as_of
        };
        let other = place
            .engine
            .evaluate_audience(place.company, outer, Some(&other))
            .await;
        assert_eq!(other.unwrap_err().code.as_str(), "invalid_query");
    }
}
