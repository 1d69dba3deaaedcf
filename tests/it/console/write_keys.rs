//! Write keys and API tokens, in the console.

use super::{form_id, founder};
use crate::support::{
    people::{PASSWORD, both, sqlite},
    reader::{Reader, assert_is_page, attribute},
};

const KEY: [(&str, &str); 4] = [
    ("name", "our shop"),
    ("counters", "shop\r\n\r\n shop.cart \r\n"),
    (
        "origins",
        "https://shop.example\r\nhttps://www.shop.example",
    ),
    ("rate", ""),
];

/// What stands in a block of code, as a browser has it.
#[track_caller]
fn code(page: &crate::support::Reply, id: &str) -> String {
    let text = page.text();
    let (_, rest) = text
        .split_once(&format!("id=\"{id}\"><code>"))
        .unwrap_or_else(|| panic!("no {id}: {text}"));
    let (code, _) = rest.split_once("</code>").unwrap();
    let code = code
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"");
    code.replace("&#39;", "'").replace("&#38;", "&")
}

#[tokio::test]
async fn a_key_is_made_shown_and_ended() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        let page = anna.get("/console/write-keys").await;
        assert_is_page(&page, 200);
        assert!(page.text().contains("No web site sends visits yet"));
        let page = anna.get("/console/write-keys/new").await;
        assert_is_page(&page, 200);
        let id = form_id(&page);
        let fields: Vec<_> = KEY.into_iter().chain([("form_id", id.as_str())]).collect();
        let mut places = Vec::new();
        for _ in 0..2 {
            let sent = anna.submit("/console/write-keys/new", &fields).await;
            places.push(Reader::location(&sent, "/console/write-keys/new"));
        }
        assert_eq!(places[0], places[1], "sent twice, it is one key");
        let page = anna.get(&places[0]).await;
        assert_is_page(&page, 200);
        let key = code(&page, "key");
        assert!(key.starts_with("ffw_"), "{key}");
        let snippet = code(&page, "snippet");
        let lines: Vec<_> = snippet.lines().collect();
        assert_eq!(
            lines[0],
            format!(
                "<script defer src=\"http://localhost/footfall.js\" data-key=\"{key}\"></script>"
            )
        );
        assert_eq!(
            lines[1],
            format!(
                "<noscript><img src=\"http://localhost/collect.gif?key={key}\" alt=\"\"></noscript>"
            )
        );
        let curl = code(&page, "curl");
        assert!(
            curl.contains("-H 'Origin: https://shop.example'") && curl.contains(&key),
            "{curl}"
        );
        let list = anna.get("/console/write-keys").await;
        assert!(list.text().contains("shop, shop.cart"), "{}", list.text());
        assert_eq!(list.text().matches("<tr>").count(), 2);
        let end = attribute(&list, "/end\"", "href");
        let end = format!("/console/{}", end.strip_prefix("./").unwrap());
        let ask = anna.get(&end).await;
        assert!(ask.text().contains("End the write key our shop?"));
        let ended = anna.submit(&end, &[]).await;
        let to = Reader::location(&ended, &end);
        assert_eq!(to, "/console/write-keys?done=write-key-ended");
        assert!(
            anna.get(&to)
                .await
                .text()
                .contains("No web site sends visits yet")
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_key_stands_beside_its_field() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    for (field, value) in [
        ("name", ""),
        ("name", " our shop"),
        ("counters", ""),
        ("counters", "a name"),
        ("counters", "shop\nshop"),
        ("origins", ""),
        ("origins", "shop.example"),
        ("origins", "https://shop.example/"),
        ("rate", "many"),
        ("rate", "0"),
        ("rate", "10001"),
        ("rate", "1.5"),
    ] {
        let fields = KEY.map(|(name, typed)| (name, if name == field { value } else { typed }));
        let page = anna.submit("/console/write-keys/new", &fields).await;
        assert_is_page(&page, 422);
        let text = page.text();
        assert!(
            text.contains(&format!("id=\"{field}-error\"")),
            "{field} {value}: {text}"
        );
        assert!(
            text.contains("https://www.shop.example") || field == "origins",
            "{text}"
        );
        assert!(!text.contains("he field "), "{text}");
    }
    assert!(
        anna.get("/console/write-keys")
            .await
            .text()
            .contains("No web site")
    );
}

#[tokio::test]
async fn a_token_is_shown_once_and_is_good() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        let page = anna.get("/console/tokens").await;
        assert!(page.text().contains("No machine has a token yet"));
        let id = form_id(&anna.get("/console/tokens/new").await);
        let fields = [
            ("form_id", id.as_str()),
            ("name", "shop in Graz"),
            ("scopes", "visits:write"),
            ("scopes", "counters:read"),
            ("expires_at", "2036-03-01"),
        ];
        let made = anna.submit("/console/tokens/new", &fields).await;
        assert_is_page(&made, 201);
        let token = code(&made, "token");
        assert!(token.starts_with("ffk_"), "{token}");
        let mut machine = place.client().with_token(&token);
        assert_eq!(machine.get("/api/counters").await.status, 200);
        assert_eq!(machine.post("/api/counters/shop").await.status, 200);
        assert_eq!(machine.get("/api/users").await.status, 403);
        let curl = code(&made, "curl");
        assert!(curl.contains(&token) && curl.starts_with("curl "), "{curl}");
        let list = anna.get("/console/tokens").await;
        assert!(!list.text().contains(&token));
        assert!(
            list.text().contains("1 Mar 2036, 23:59 UTC"),
            "{}",
            list.text()
        );
        // Loaded again it is the same token with another secret.
        let again = code(&anna.submit("/console/tokens/new", &fields).await, "token");
        assert_ne!(again, token);
        assert_eq!(machine.get("/api/counters").await.status, 401);
        let list = anna.get("/console/tokens").await;
        assert_eq!(list.text().matches("<tr>").count(), 2);
        let end = attribute(&list, "/end\"", "href");
        let end = format!("/console/{}", end.strip_prefix("./").unwrap());
        assert!(
            anna.get(&end)
                .await
                .text()
                .contains("End the API token shop in Graz?")
        );
        let ended = anna.submit(&end, &[]).await;
        assert_eq!(
            Reader::location(&ended, &end),
            "/console/tokens?done=token-ended"
        );
        let mut machine = place.client().with_token(&again);
        assert_eq!(machine.get("/api/counters").await.status, 401);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_token_stands_beside_its_field() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    for (fields, field) in [
        (&[("name", ""), ("scopes", "visits:write")][..], "name"),
        (&[("name", "a")], "scopes"),
        (&[("name", "a"), ("scopes", "all")], "scopes"),
        (
            &[
                ("name", "a"),
                ("scopes", "visits:write"),
                ("expires_at", "tomorrow"),
            ],
            "expires_at",
        ),
        (
            &[
                ("name", "a"),
                ("scopes", "visits:write"),
                ("expires_at", "2001-01-01"),
            ],
            "expires_at",
        ),
    ] {
        let page = anna.submit("/console/tokens/new", fields).await;
        assert_is_page(&page, 422);
        let (text, field) = (page.text(), field.replace('_', "-"));
        assert!(
            text.contains(&format!("id=\"{field}-error\"")),
            "{field}: {text}"
        );
        let ticked = fields.contains(&("scopes", "visits:write"));
        assert_eq!(
            text.contains("value=\"visits:write\" checked"),
            ticked,
            "{text}"
        );
        assert!(!text.contains("he field "), "{text}");
    }
}

/// A member sees and ends their own tokens alone, and is offered what a member may.
#[tokio::test]
async fn tokens_of_others_are_not_there() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    let fields = [
        ("email", "bo@a.example"),
        ("username", "bo"),
        ("role", "member"),
    ];
    anna.submit("/console/users/invite", &fields).await;
    let letter = place
        .letter("bo@a.example", "You are invited to Footfall")
        .await;
    let fields = [("token", letter.token()), ("password", PASSWORD)];
    let mut bo = Reader::new(place.client());
    bo.submit("/console/invitation", &fields).await;
    let mut bo = bo.log_in("bo@a.example", PASSWORD).await;
    let fields = [("name", "of anna"), ("scopes", "users:read")];
    assert_is_page(&anna.submit("/console/tokens/new", &fields).await, 201);
    let fields = [("name", "of bo"), ("scopes", "visits:write")];
    assert_is_page(&bo.submit("/console/tokens/new", &fields).await, 201);
    let all = anna.get("/console/tokens").await;
    assert!(all.text().contains("of anna") && all.text().contains("of bo"));
    let own = bo.get("/console/tokens").await;
    assert!(!own.text().contains("of anna") && own.text().contains("of bo"));
    let form = bo.get("/console/tokens/new").await;
    assert!(form.text().contains("visits:write") && !form.text().contains("users:read"));
    let list = all.text();
    let (before, _) = list.split_once("<span class=\"away\"> of anna").unwrap();
    let (_, end) = before.rsplit_once("href=\"./").unwrap();
    let end = format!("/console/{}", end.split('"').next().unwrap());
    assert_is_page(&bo.get(&end).await, 404);
    assert_is_page(&bo.submit(&end, &[]).await, 404);
    assert!(anna.get("/console/tokens").await.text().contains("of anna"));
}
