//! The pages of admins in a real browser. `./test.sh quick` leaves these out.

use crate::support::{Footfall, console::Visitor};

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_goes_through_the_pages() {
    let footfall = Footfall::start();
    footfall.ready().await;
    let visitor = Visitor::start(&footfall).await;
    visitor.log_in("admin", "password").await;
    keys_and_tokens(&visitor).await;
    people(&visitor).await;
    for (path, text, name) in [
        ("account", "Your account", "account"),
        ("account/password", "New password", "account-password"),
        ("sessions", "this one", "sessions"),
        ("company", "keeps its name", "company"),
        ("companies", "Found a company", "companies"),
        ("companies/new", "first admin", "company-new"),
        ("settings", "FOOTFALL_LISTEN", "settings"),
        ("audit", "token.create", "audit"),
        ("audit?from=yesterday", "This must be a time", "audit-wrong"),
        (
            "audit?action=export.audit",
            "Nothing is like this",
            "audit-empty",
        ),
    ] {
        visitor.open(&format!("console/{path}")).await;
        visitor.shows(text).await;
        visitor.picture(name).await;
    }
    visitor.browser.close().await;
}

async fn keys_and_tokens(visitor: &Visitor) {
    visitor.open("console/write-keys").await;
    visitor.shows("No web site sends visits yet").await;
    visitor.picture("write-keys-empty").await;
    visitor.press("Make the first key").await;
    visitor.fill("name", "our shop").await;
    visitor.fill("counters", "shop\nshop.cart").await;
    visitor.fill("origins", "shop.example").await;
    visitor.press("Make the key").await;
    visitor.find("#origins-error").await;
    visitor.picture("write-key-refused").await;
    visitor
        .fill("origins", "https://shop.example\nhttps://www.shop.example")
        .await;
    visitor.press("Make the key").await;
    visitor.shows("For your pages").await;
    visitor.press("Copy the two lines").await;
    visitor.picture("write-key").await;
    visitor.press("All write keys").await;
    visitor.shows("https://www.shop.example").await;
    visitor.picture("write-keys").await;
    visitor.press("End our shop").await;
    visitor.shows("End the write key our shop?").await;
    visitor.picture("write-key-end").await;

    visitor.open("console/tokens").await;
    visitor.shows("No machine has a token yet").await;
    visitor.picture("tokens-empty").await;
    visitor.press("Make the first token").await;
    visitor.fill("name", "shop in Graz").await;
    visitor.press("Make the token").await;
    visitor.find("#scopes-error").await;
    visitor.picture("token-refused").await;
    visitor.find("#scopes-1").await.click().await.unwrap();
    visitor.press("Make the token").await;
    visitor.shows("Copy the token now").await;
    visitor.picture("token-made").await;
    visitor.press("I have copied it").await;
    visitor.shows("visits:write").await;
    visitor.picture("tokens").await;
}

async fn people(visitor: &Visitor) {
    visitor.open("console/users/invite").await;
    visitor.fill("email", "bo@example.com").await;
    visitor.press("Invite").await;
    visitor.shows("The invitation is on its way.").await;
    visitor.press("Invitations").await;
    visitor.shows("Withdraw").await;
    visitor.picture("invitations").await;
    visitor.press("bo").await;
    visitor.shows("Send the invitation again").await;
    visitor.picture("person").await;
    visitor.fill("username", "bob").await;
    visitor.press("Save").await;
    visitor.shows("Saved.").await;
    visitor.press("Send the invitation again").await;
    visitor.shows("Send the invitation of bob again?").await;
    visitor.press("Cancel").await;
    visitor.press("Withdraw").await;
    visitor.shows("Withdraw the invitation of bob?").await;
    visitor.press("Withdraw").await;
    visitor.shows("They are removed").await;
}
