//! What admins do, and operators.

use super::Story;
use crate::support::{
    hand::Way,
    people::{OTHER, PASSWORD},
};

const CY: &str = "cy@a.example";

impl Story {
    /// Somebody is invited, comes, is kept out, let in, and removed.
    pub(super) async fn people(&self) {
        let hand = &self.hand;
        hand.go("People", "People").await;
        hand.go("Invite somebody", "Invite somebody").await;
        hand.fill("email", CY).await;
        hand.go("Invite", "People").await;
        hand.press("Invitations").await;
        hand.go("cy", "cy").await;
        hand.go(
            "Send the invitation again",
            "Send the invitation of cy again?",
        )
        .await;
        hand.go("Send again", "cy").await;
        self.log_out().await;

        self.follow(CY, "invitation").await;
        hand.fill("password", PASSWORD).await;
        hand.go("Accept the invitation", "Welcome").await;
        hand.go("Log in", "Log in").await;
        self.log_in(CY, PASSWORD).await;
        hand.go("Account", "Your account").await;
        hand.go("Delete your account", "Delete your account cy?")
            .await;
        hand.fill("password", PASSWORD).await;
        hand.go("Delete the account", "Log in").await;
        hand.shows("Your account is deleted.").await;
        self.log_in("anna@a.example", OTHER).await;

        hand.go("People", "People").await;
        hand.go("Invite somebody", "Invite somebody").await;
        hand.fill("email", "di@a.example").await;
        hand.go("Invite", "People").await;
        self.log_out().await;
        self.follow("di@a.example", "invitation").await;
        hand.fill("password", PASSWORD).await;
        hand.go("Accept the invitation", "Welcome").await;
        hand.go("Log in", "Log in").await;
        self.log_in("anna@a.example", OTHER).await;
        hand.go("People", "People").await;
        hand.go("di", "di").await;
        hand.choose("role", "viewer").await;
        hand.press("Save").await;
        hand.shows("Saved.").await;
        hand.go("Suspend", "Suspend di?").await;
        hand.go("Suspend", "di").await;
        hand.shows("They are suspended").await;
        hand.go("Let in again", "Let di in again?").await;
        hand.go("Let in again", "di").await;
        hand.shows("They may log in again.").await;
        hand.go("Remove", "Remove di?").await;
        hand.go("Remove", "People").await;
        hand.shows("They are removed").await;
        hand.look_back().await;
    }

    pub(super) async fn keys_and_tokens(&self) {
        let hand = &self.hand;
        hand.go("Write keys", "Write keys").await;
        hand.go("New write key", "New write key").await;
        hand.fill("name", "our shop").await;
        hand.fill("counters", "shop.page").await;
        hand.fill("origins", "https://shop.example").await;
        hand.go("Make the key", "our shop").await;
        hand.go("End the key", "End the write key our shop?").await;
        hand.go("End the key", "Write keys").await;
        hand.shows("The key has ended").await;
        hand.go("API tokens", "API tokens").await;
        hand.go("New API token", "New API token").await;
        hand.fill("name", "till").await;
        hand.tick("scopes-1").await;
        hand.go("Make the token", "till is made").await;
        hand.go("I have copied it", "API tokens").await;
        hand.go("End till", "End the API token till?").await;
        hand.go("End the token", "API tokens").await;
        hand.shows("The token has ended").await;
        hand.look_back().await;
    }

    /// What an operator does beside; and where one gets lost.
    pub(super) async fn operated(&self) {
        let hand = &self.hand;
        self.log_in("admin", "password").await;
        hand.go("Companies", "Companies").await;
        hand.go("New company", "New company").await;
        hand.fill("name", "Umbrella").await;
        hand.fill("email", "u@u.example").await;
        hand.press("Create the company").await;
        hand.shows("The company is founded").await;
        hand.go("Companies", "Companies").await;
        hand.go("Umbrella", "Umbrella").await;
        hand.fill("name", "Parasol").await;
        hand.press("Save").await;
        hand.at("Parasol").await;
        hand.go("Suspend", "Suspend Parasol?").await;
        hand.press("Suspend").await;
        hand.shows("The company is suspended").await;
        hand.go("Companies", "Companies").await;
        hand.go("Let in again Parasol", "Let Parasol in again?")
            .await;
        hand.press("Let in again").await;
        hand.shows("The company is let in again.").await;
        hand.go("Settings", "Settings in force").await;
        hand.shows("FOOTFALL_LISTEN").await;
        let zone = match hand.way {
            Way::WithoutScripts => "Times are in UTC",
            _ => "your time zone",
        };
        hand.shows(zone).await;
        hand.press("Dark").await;
        hand.visitor.find("html[data-theme=dark]").await;
        hand.look_back().await;
        hand.open("console/nothing").await;
        hand.shows("There is no page at this address").await;
        hand.look_back_at(Some("console/nothing")).await;
        hand.go("Home", "Home").await;
        self.log_out().await;
    }
}
