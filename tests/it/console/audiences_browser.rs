//! Audiences in a real browser, with scripts and without. `./test.sh quick` leaves these out.

use serde_json::json;

use crate::support::{Footfall, console::Visitor, until};

/// Three visitors, one of whom had something refunded.
async fn filled() -> Footfall {
    let footfall = Footfall::start();
    footfall.ready().await;
    let mut client = footfall.client().logged_in().await;
    for (counter, visitor) in [
        ("signup", "ann"),
        ("signup", "bob"),
        ("signup", "eve"),
        ("refund", "eve"),
    ] {
        let body = json!({ "visitor": visitor, "country": "AT", "properties": { "plan": "pro" } });
        let path = format!("/api/counters/{counter}");
        client.post_json(&path, &body.to_string()).await.visits();
    }
    let filter = json!({ "include": { "did": { "counter": "signup" } } }).to_string();
    until("they are recorded", async || {
        let built = client.post_json("/api/build-audience", &filter).await;
        (built.json()["size"] == 3).then_some(())
    })
    .await;
    footfall
}

/// By mouse: from nothing to an export.
#[tokio::test(flavor = "multi_thread")]
async fn an_audience_is_built() {
    let footfall = filled().await;
    let visitor = Visitor::start(&footfall).await;
    visitor.open("console/audiences").await;
    visitor.log_in("admin", "password").await;
    visitor.shows("There is no audience yet").await;
    visitor.picture("audiences-empty").await;
    visitor.press("New audience").await;
    visitor.shows("Whom this means").await;
    visitor.picture("audience-new").await;
    visitor.fill("name", "Customers").await;
    visitor.fill("include-0-counter", "signup").await;
    // It is counted by itself.
    visitor.shows("3 visitors").await;
    let add = "button[value='add did exclude']";
    visitor.find(add).await.click().await.unwrap();
    visitor.fill("exclude-0-counter", "refund").await;
    visitor.shows("2 visitors").await;
    visitor
        .shows("but not those who have a visit on \"refund\"")
        .await;
    let condition = "button[value='add condition include.0']";
    visitor.find(condition).await.click().await.unwrap();
    let of = visitor.find("[name='include.0.where.0.of']").await;
    of.select_by_value("property").await.unwrap();
    visitor.fill("include-0-where-0-key", "plan").await;
    visitor.fill("include-0-where-0-value", "pro").await;
    visitor.shows("where property \"plan\" is \"pro\"").await;
    visitor.shows("2 visitors").await;
    let group = "button[value='add group include']";
    visitor.find(group).await.click().await.unwrap();
    visitor.find("[name='include.1.0.counter']").await;
    visitor.fill("include-1-0-counter", "Sign Up").await;
    visitor.shows("Did you mean `sign-up`?").await;
    visitor.picture("audience-refused").await;
    visitor.fill("include-1-0-counter", "signup").await;
    visitor.shows("2 visitors").await;
    visitor.picture("audience-built").await;
    // No page was left for all of this, so none is to be sent again.
    assert_eq!(visitor.path().await, "/console/audiences/new");
    visitor.press("Save audience").await;
    visitor.shows("The audience is saved.").await;
    visitor.shows("2 visitors").await;
    visitor.picture("audience").await;
    visitor.press("CSV").await;
    visitor.shows("2 members are in customers.csv.").await;
    visitor.press("Members").await;
    visitor.shows("Members of Customers").await;
    visitor.picture("audience-members").await;
    visitor.press("Back to Customers").await;
    visitor.press("Save as preset").await;
    visitor.shows("New preset").await;
    visitor.press("Save preset").await;
    visitor.shows("The preset is saved.").await;
    visitor.picture("preset").await;
    visitor.open("console/presets").await;
    visitor.picture("presets").await;
    visitor.press("Start an audience from Customers").await;
    visitor.fill("name", "The same").await;
    visitor.press("Save audience").await;
    visitor.shows("Go to “Customers”").await;
    visitor.press("Go to “Customers”").await;
    visitor.press("Delete").await;
    visitor.shows("This cannot be undone.").await;
    visitor.picture("audience-delete").await;
    visitor.press("Cancel").await;
    visitor.open("console/audiences").await;
    visitor.picture("audiences").await;
    visitor.browser.close().await;
}

/// Every button sends the form, and all that is typed is in the page that comes.
#[tokio::test(flavor = "multi_thread")]
async fn no_script_is_needed() {
    let footfall = filled().await;
    let visitor = Visitor::start(&footfall).await;
    let off = json!({ "value": true });
    let command = "Emulation.setScriptExecutionDisabled";
    visitor.browser.devtools(command, off).await;
    visitor.open("console/audiences/new").await;
    visitor.log_in("admin", "password").await;
    visitor.fill("name", "Customers").await;
    visitor.fill("include-0-counter", "signup").await;
    visitor.press("Count").await;
    visitor.shows("3 visitors").await;
    let press = async |value: &str| {
        let button = format!("button[value='{value}']");
        visitor.find(&button).await.click().await.unwrap();
    };
    press("add group exclude").await;
    visitor.fill("exclude-0-0-counter", "refund").await;
    press("add visitor exclude.0").await;
    visitor.find("[name='exclude.0.1.where.0.of']").await;
    visitor.fill("exclude-0-1-where-0-value", "/nowhere").await;
    visitor.press("Count").await;
    visitor.shows("2 visitors").await;
    press("remove exclude.0.1").await;
    visitor.fill("exclude-0-0-counter", "Refund").await;
    visitor.press("Count").await;
    visitor.find("#exclude-0-0-counter-error").await;
    visitor.shows("Did you mean `refund`?").await;
    visitor.fill("exclude-0-0-counter", "refund").await;
    visitor.press("Save audience").await;
    visitor.shows("The audience is saved.").await;
    visitor.press("Count now").await;
    visitor.shows("2 visitors").await;
    visitor.press("Members").await;
    visitor.shows("Members of Customers").await;
    visitor.browser.close().await;
}
