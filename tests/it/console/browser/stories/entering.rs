//! How one gets in, and what one has of one's own.

use super::Story;
use crate::support::people::{OTHER, PASSWORD};

/// Who founds the company.
pub const ANNA: &str = "anna@a.example";

impl Story {
    /// Founds a company, and loses the password at once.
    pub(super) async fn founded(&self) {
        let hand = &self.hand;
        hand.go("Register a company", "Register a company").await;
        hand.fill("company", "Acme").await;
        hand.fill("email", ANNA).await;
        hand.fill("username", "anna").await;
        hand.fill("password", PASSWORD).await;
        hand.go("Register", "Look into your mail").await;
        self.follow(ANNA, "confirm").await;
        hand.fill("password", PASSWORD).await;
        hand.go("Confirm the address", "Your address is confirmed")
            .await;
        hand.go("Log in", "Log in").await;
        hand.go("Forgot your password?", "Have a link sent").await;
        hand.fill("email", ANNA).await;
        hand.go("Send the link", "Look into your mail").await;
        self.follow(ANNA, "reset").await;
        hand.fill("password", OTHER).await;
        hand.go("Set the password", "Your password is set").await;
        hand.go("Log in", "Log in").await;
        self.log_in(ANNA, OTHER).await;
        hand.at("Home").await;
        hand.look_back().await;
    }

    /// Name, address, password, sessions, and the end of an account.
    pub(super) async fn own(&self) {
        let hand = &self.hand;
        hand.go("Account", "Your account").await;
        hand.go("Change your name", "Change your name").await;
        hand.fill("username", "anne").await;
        hand.go("Save", "Your account").await;
        hand.shows("anne").await;
        hand.go("Change your e‑mail address", "Change your e‑mail address")
            .await;
        hand.fill("email", "anne@a.example").await;
        hand.fill("password", OTHER).await;
        hand.go("Send the link", "Your account").await;
        self.follow("anne@a.example", "email").await;
        hand.fill("password", OTHER).await;
        hand.go("Confirm the address", "Your address is changed")
            .await;
        hand.go("Log in", "Home").await;
        hand.go("Account", "Your account").await;
        hand.shows("anne@a.example").await;
        hand.go("Change your password", "Change your password")
            .await;
        hand.fill("password", OTHER).await;
        hand.fill("new-password", PASSWORD).await;
        hand.go("Change the password", "Your account").await;
        hand.shows("Your password is changed").await;

        // From two other places.
        for _ in 0..2 {
            let login = self
                .footfall
                .client()
                .login("anne@a.example", PASSWORD)
                .await;
            assert_eq!(login.status, 200, "{}", login.text());
        }
        hand.go("Sessions", "Sessions").await;
        hand.push("//tr[not(contains(., 'this one'))]//a[starts-with(normalize-space(), 'End')]")
            .await;
        hand.shows("Whoever uses it has to log in again.").await;
        hand.go("End the session", "Sessions").await;
        hand.shows("The session has ended.").await;
        hand.go("End all others", "End all your other sessions?")
            .await;
        hand.go("End all others", "Sessions").await;
        hand.shows("All your other sessions have ended.").await;
        hand.look_back().await;

        hand.go("Details", "Company").await;
        hand.fill("name", "Acme and Sons").await;
        hand.press("Save").await;
        hand.shows("Saved.").await;
        hand.go("Audit trail", "Audit trail").await;
        hand.choose("action", "company.update").await;
        hand.press("Show").await;
        hand.push("//td[contains(., 'company.update')]/..//a").await;
        hand.shows("account.password").await;

        hand.go("Account", "Your account").await;
        hand.go("Delete your account", "Delete your account anne?")
            .await;
        hand.go("Cancel", "Your account").await;
        self.log_out().await;
    }
}
