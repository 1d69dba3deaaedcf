//! Anybody can invite any address. So an invitation takes it from nobody: whoever confirms first, by a
//! registration, by an invitation or for their account, proves to own it and has it.

use serde_json::{Value, json};

use super::confirm;
use crate::support::{
    Client,
    people::{OTHER, PASSWORD, Place, both, post, refusal, send},
};

const EMAIL: &str = "owner@b.example";
const INVITED: &str = "You are invited to Footfall";
const CONFIRM: &str = "Confirm your e-mail address";

/// The admin of a company of their own.
async fn admin(place: &Place, email: &str) -> Client {
    place.founder(email).await;
    let reply = place.client().login(email, PASSWORD).await;
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    place.client().with_token(&token)
}

async fn invite(client: &mut Client, email: &str) -> Value {
    let reply = post(
        client,
        "/api/users",
        &json!({ "email": email, "role": "viewer" }),
    )
    .await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()
}

/// The tokens of the links in all mails with this subject, the oldest first.
async fn tokens(place: &Place, subject: &str) -> Vec<String> {
    place.letters_sent(EMAIL).await;
    let letters = place.letters(EMAIL).into_iter();
    let letters = letters.filter(|letter| letter.subject == subject);
    letters.map(|letter| letter.token().to_owned()).collect()
}

async fn owners(place: &Place) -> i64 {
    let owners = format!("SELECT count(*) FROM users WHERE email_key = '{EMAIL}'");
    place.number(&owners).await
}

#[tokio::test]
async fn who_was_invited_by_a_stranger_can_register() {
    for place in both(&[]).await {
        let mut stranger = admin(&place, "stranger@a.example").await;
        let invited = invite(&mut stranger, EMAIL).await;
        assert_eq!(place.register(EMAIL).await.status, 202);
        let link = tokens(&place, CONFIRM)
            .await
            .pop()
            .expect("a mail with a link");
        assert_eq!(confirm(&place, &link, PASSWORD).await, 204);
        assert_eq!(place.client().login(EMAIL, PASSWORD).await.status, 200);
        assert_eq!(owners(&place).await, 1);
        // The invitation is over, and who made it does not see why.
        let link = tokens(&place, INVITED).await.remove(0);
        assert_eq!(confirm(&place, &link, OTHER).await, 410);
        let path = format!("/api/users/{}", invited["id"].as_str().unwrap());
        assert_eq!(stranger.get(&path).await.json(), invited);
        assert_eq!(invite(&mut stranger, EMAIL).await, invited);
        place
            .letter(EMAIL, "You were invited to another company")
            .await;
        assert_eq!(tokens(&place, INVITED).await.len(), 1, "no other link");
        assert_eq!(stranger.delete(&path).await.status, 204);
        assert_eq!(place.client().login(EMAIL, PASSWORD).await.status, 200);
    }
}

#[tokio::test]
async fn of_several_companies_the_first_that_is_accepted_has_them() {
    for place in both(&[]).await {
        let mut one = admin(&place, "one@a.example").await;
        let mut two = admin(&place, "two@a.example").await;
        let (of_one, of_two) = (invite(&mut one, EMAIL).await, invite(&mut two, EMAIL).await);
        place.register(EMAIL).await;
        // Sent again is what is newest.
        let again = json!({ "email": EMAIL });
        post(&mut place.client(), "/auth/confirm/resend", &again).await;
        let registered = tokens(&place, CONFIRM).await;
        let links = tokens(&place, INVITED).await;
        assert_eq!((links.len(), registered.len()), (2, 2), "{}", place.kind);
        assert_eq!(confirm(&place, &links[1], PASSWORD).await, 204);
        for link in [&links[0], &links[1], &registered[0], &registered[1]] {
            assert_eq!(confirm(&place, link, PASSWORD).await, 410);
        }
        assert_eq!(owners(&place).await, 1);
        let state = async |client: &mut Client, user: &Value| {
            let path = format!("/api/users/{}", user["id"].as_str().unwrap());
            client.get(&path).await.json()["state"].clone()
        };
        assert_eq!(state(&mut one, &of_one).await, "invited");
        assert_eq!(state(&mut two, &of_two).await, "active");
        let body = json!({ "email": EMAIL, "role": "viewer" });
        let taken = post(&mut two, "/api/users", &body).await;
        assert_eq!(refusal(&taken).1, "email_taken");
        // What is asked for now is about the account.
        post(&mut place.client(), "/auth/password/forgot", &again).await;
        place.letter(EMAIL, "Reset your password").await;
    }
}

/// All at the same moment: one has the address, and nobody else sees more than a link that is over.
#[tokio::test]
async fn whoever_confirms_first_has_the_address() {
    for place in both(&[]).await {
        for email in ["one@a.example", "two@a.example"] {
            let mut client = admin(&place, email).await;
            invite(&mut client, EMAIL).await;
        }
        place.register(EMAIL).await;
        let mut links = tokens(&place, INVITED).await;
        links.extend(tokens(&place, CONFIRM).await);
        assert_eq!(links.len(), 3);
        let confirming = links.iter().map(|link| confirm(&place, link, PASSWORD));
        let mut said = futures_util::future::join_all(confirming).await;
        said.sort_unstable();
        assert_eq!(said, [204, 410, 410], "{}", place.kind);
        assert_eq!(owners(&place).await, 1);
    }
}

#[tokio::test]
async fn an_account_can_change_to_an_address_that_was_invited() {
    for place in both(&[]).await {
        let mut stranger = admin(&place, "stranger@a.example").await;
        invite(&mut stranger, EMAIL).await;
        let pass = place.founder("before@b.example").await;
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        let put = hyper::Method::PUT;
        let reply = send(&mut place.logged_in(0, &pass), put, "/auth/me", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let letter = place.letter(EMAIL, "Confirm your new e-mail address").await;
        assert_eq!(confirm(&place, letter.token(), PASSWORD).await, 204);
        assert_eq!(owners(&place).await, 1);
        let link = tokens(&place, INVITED).await.remove(0);
        assert_eq!(confirm(&place, &link, OTHER).await, 410);
    }
}

/// A stranger's registration hides no invitation for good, nor the other way round.
#[tokio::test]
async fn what_is_asked_for_again_is_the_newest() {
    for place in both(&[]).await {
        let again = json!({ "email": EMAIL });
        place.register(EMAIL).await;
        let mut company = admin(&place, "one@a.example").await;
        invite(&mut company, EMAIL).await;
        post(&mut place.client(), "/auth/confirm/resend", &again).await;
        assert_eq!(tokens(&place, INVITED).await.len(), 2);
        place.register(EMAIL).await;
        post(&mut place.client(), "/auth/password/forgot", &again).await;
        assert_eq!(tokens(&place, CONFIRM).await.len(), 3);
        assert_eq!(tokens(&place, INVITED).await.len(), 2);
    }
}

/// Who invites too many waits, and is told for how long.
#[tokio::test]
async fn invitations_are_limited_and_three_go_to_one_address() {
    for place in both(&[]).await {
        let mut company = admin(&place, "one@a.example").await;
        for _ in 0..5 {
            invite(&mut company, EMAIL).await;
        }
        assert_eq!(place.letters_sent(EMAIL).await, 3);
        for number in 5..100 {
            invite(&mut company, &format!("{number}@b.example")).await;
        }
        let body = json!({ "email": "one-more@b.example", "role": "viewer" });
        let reply = post(&mut company, "/api/users", &body).await;
        assert_eq!(refusal(&reply), (429, "too_many_requests".to_owned(), None));
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&wait), "{wait}");
        assert_eq!(place.letters_sent("one-more@b.example").await, 0);
    }
}
