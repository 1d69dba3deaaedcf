//! The console: pages for people.

mod administration;
mod assets;
mod audiences;
mod audiences_browser;
mod away;
mod browser;
mod counters;
mod counters_browser;
mod counters_shown;
mod csrf;
mod entry;
mod errors;
mod escaping;
mod home;
mod live;
mod matrix;
mod outages;
mod own;
mod people;
mod repeated;
mod sessions;
mod write_keys;
mod wrong;
mod zones;

use crate::support::{Reply, TestApp, people::Place, reader::Reader};

/// The account of the settings, signed in.
async fn operator(app: &TestApp) -> Reader {
    Reader::new(app.client()).log_in("admin", "password").await
}

/// The first admin of a company of their own, signed in.
async fn founder(place: &Place, email: &str) -> Reader {
    place.founder(email).await;
    Reader::new(place.client())
        .log_in(email, crate::support::people::PASSWORD)
        .await
}

/// The id that a form has, by which it is known to be one.
fn form_id(page: &Reply) -> String {
    crate::support::reader::attribute(page, "name=\"form_id\"", "value")
}
