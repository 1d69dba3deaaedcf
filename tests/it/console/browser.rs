//! The console in a real browser. `./test.sh quick` leaves these out.

mod axe;
mod gallery;
mod payloads;
mod pictures;
mod stories;
mod trouble;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    visitor.browser.screen(360, 740).await;
    visitor.press("Menu").await;
    visitor.find("#menu:popover-open").await;
    visitor.browser.screenshot("menu-360-light.png").await;
    visitor.press("People").await;
    visitor.browser.screen(1280, 900).await;
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
    visitor.press("Withdraw bo").await;
    visitor.shows("Withdraw the invitation of bo?").await;
    visitor.picture("remove").await;
    visitor.press("Withdraw").await;
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

/// A page of another site with a link to this address.
async fn elsewhere(link: String) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let html = format!("<!doctype html><title>elsewhere</title><a href=\"{link}\">Numbers</a>");
    let length = html.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{html}"
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

/// Cookies are not sent with a link of another site, and one is signed in all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_another_site_leads_in() {
    let footfall = Footfall::start();
    footfall.ready().await;
    let visitor = Visitor::start(&footfall).await;
    let asked = "console/users?state=active&role=";
    let port = elsewhere(format!("{}{asked}", visitor.origin)).await;
    let page = format!("http://localhost:{port}/");
    // Who is not signed in logs in, and is where the link leads.
    visitor.browser.page.goto(&page).await.unwrap();
    visitor.press("Numbers").await;
    visitor.shows("Log in").await;
    visitor.log_in("admin", "password").await;
    assert_eq!(visitor.path().await, format!("/{asked}"));
    for _ in 0..2 {
        visitor.browser.page.goto(&page).await.unwrap();
        visitor.press("Numbers").await;
        visitor.shows("Log out").await;
        assert_eq!(visitor.path().await, format!("/{asked}"));
    }
    visitor.browser.assert_clean(&visitor.origin).await;
    visitor.browser.close().await;
}
