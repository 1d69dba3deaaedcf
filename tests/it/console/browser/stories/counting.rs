//! Counters, and who came.

use serde_json::json;

use super::{Story, entering::ANNA};
use crate::support::people::{self, OTHER};

impl Story {
    /// The first steps, a counter, its history, its visits.
    pub(super) async fn counters(&self) {
        let hand = &self.hand;
        hand.shows("Count your first visit").await;
        hand.press("Count the first visit").await;
        hand.shows("The visit is counted.").await;
        hand.go("Counters", "Counters").await;
        hand.go("New counter", "New counter").await;
        hand.fill("name", "shop.page").await;
        hand.pick("visitor", "given").await;
        hand.go("Create", "shop.page").await;
        hand.press("Count a visit").await;
        hand.shows("The visit is counted.").await;
        hand.go("Recording", "Recording of shop.page").await;
        hand.fill("retention-days", "30").await;
        hand.go("Save", "shop.page").await;
        hand.shows("kept for 30 days").await;
        let mut client = self.client(ANNA, OTHER).await;
        for (visitor, path) in [("ann", "/"), ("bob", "/"), ("ann", "/buy")] {
            let visit = json!({ "visitor": visitor, "path": path });
            let reply = people::post(&mut client, "/api/counters/shop.page", &visit).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        self.moves("4").await;
        hand.press("7 days").await;
        hand.shows("4 visits from").await;
        hand.press("The same as a table").await;
        hand.choose("unit", "hour").await;
        hand.push("//form[@id='range']//button").await;
        hand.comes_to("unit=hour").await;
        hand.shows("/buy").await;
        hand.fill("number", "four").await;
        hand.push("//form[@aria-label='A visit by its number']//button")
            .await;
        hand.at("A visit of shop.page by its number").await;
        let refused = "console/counters/shop.page/visits?number=four";
        hand.look_back_at(Some(refused)).await;
        hand.fill("number", "3").await;
        hand.go("Show", "Visit 3 of shop.page").await;
        hand.go("Next", "Visit 4 of shop.page").await;
        hand.shows("/buy").await;
        hand.go("Counters", "Counters").await;
        hand.fill("q", "shop").await;
        hand.press("Search").await;
        hand.shows("1 of 2 counters").await;
        hand.look_back().await;
    }

    /// Audiences and presets, from the builder to the end.
    pub(super) async fn audiences(&self) {
        let hand = &self.hand;
        hand.go("Presets", "Presets").await;
        hand.go("New preset", "New preset").await;
        hand.fill("name", "Buyers").await;
        hand.fill("include-0-counter", "shop.page").await;
        hand.press("Add a condition to rule 1").await;
        hand.fill("include-0-where-0-value", "/buy").await;
        self.counted("1 visitor").await;
        hand.go("Save preset", "Buyers").await;
        hand.go("Rename", "Rename Buyers").await;
        hand.fill("preset-name", "Who bought").await;
        hand.go("Rename", "Who bought").await;
        hand.go("Change", "Change a preset").await;
        hand.go("Cancel", "Who bought").await;
        hand.go("Start an audience", "New audience").await;
        hand.fill("name", "Looked only").await;
        hand.push("//button[@value='add did exclude']").await;
        hand.fill("exclude-0-counter", "visits").await;
        self.counted("but not").await;
        hand.push("//button[@value='remove exclude.0']").await;
        hand.shows("Nobody is left out.").await;
        hand.go("Save audience", "Looked only").await;
        hand.shows("The audience is saved.").await;
        hand.go("Change", "Change an audience").await;
        hand.go("Save audience", "Looked only").await;
        hand.go("Rename", "Rename Looked only").await;
        hand.fill("name", "Bought").await;
        hand.go("Rename", "Bought").await;
        hand.go("Members", "Members of Bought").await;
        hand.shows("ann").await;
        hand.press("All as CSV").await;
        hand.go("Back to Bought", "Bought").await;
        hand.go("Delete", "Delete “Bought”?").await;
        hand.go("Delete", "Audiences").await;
        hand.shows("The audience is deleted.").await;
        hand.go("Presets", "Presets").await;
        hand.go("Who bought", "Who bought").await;
        hand.go("Delete", "Delete “Who bought”?").await;
        hand.go("Delete", "Presets").await;
        hand.shows("The preset is deleted.").await;
        hand.look_back().await;
    }
}
