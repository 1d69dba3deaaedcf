//! The console in a real browser. `./test.sh quick` leaves these out.

use crate::support::{Footfall, console::Visitor};

#[tokio::test(flavor = "multi_thread")]
async fn one_logs_in_invites_somebody_and_leaves() {
    let footfall = Footfall::start();
    footfall.ready().await;
    let visitor = Visitor::start(&footfall).await;
    visitor.open("console/users?state=active&role=").await;
    visitor.picture("login").await;
    visitor.fill("username", "admin").await;
    visitor.fill("password", "wrong").await;
    visitor.press("Log in").await;
    visitor
        .shows("The user name or the password is wrong.")
        .await;
    visitor.picture("login-refused").await;
    visitor.log_in("admin", "password").await;
    assert_eq!(visitor.path().await, "/console/users?state=active&role=");
    visitor.picture("people").await;
    visitor.press("Invite somebody").await;
    visitor.fill("email", "bo@example.com").await;
    visitor.fill("username", "b o").await;
    visitor.press("Invite").await;
    visitor.find("#username-error").await;
    visitor.picture("invite-refused").await;
    visitor.fill("username", "bo").await;
    visitor.press("Invite").await;
    visitor.shows("The invitation is on its way.").await;
    visitor.picture("people-invited").await;
    visitor.press("Remove bo").await;
    visitor.shows("Remove bo?").await;
    visitor.picture("remove").await;
    visitor.press("Remove").await;
    visitor.shows("They are removed").await;
    visitor.press("Dark").await;
    visitor.find("html[data-theme=dark]").await;
    visitor.open("console/nothing").await;
    visitor.shows("There is no page at this address").await;
    visitor.picture("nothing").await;
    visitor.press("Home").await;
    visitor.press("Log out").await;
    visitor.shows("You are signed out.").await;
    visitor.browser.close().await;
}
