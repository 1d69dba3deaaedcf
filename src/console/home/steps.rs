//! What to do first, where nothing is counted yet.

use crate::{
    auth::permission::{OwnTokens, Read, WriteKeys},
    console::{form::Form, shown::Code, view::View},
    counting::DEFAULT_COUNTER,
    edge::Address,
};

/// Three ways to count the first visit.
pub struct Steps {
    /// By a program.
    pub curl: Code,
    /// Whether its reader may make the token for it.
    pub may_make_tokens: bool,
    /// By a web page.
    pub snippet: Code,
    /// Whether its reader may make the key for it.
    pub may_make_keys: bool,
    /// By a button.
    pub button: Option<Form>,
}

/// With the address that the page was asked under.
pub fn steps(view: &View<Read>, address: &Address, may_count: bool) -> Steps {
    let curl = format!(
        "curl -X POST -H 'Authorization: Bearer YOUR_TOKEN' {}/api/counters/{DEFAULT_COUNTER}",
        address.for_curl()
    );
    let snippet = format!(
        "<script defer src=\"{}/footfall.js\" data-key=\"ffw_YOUR_KEY\"></script>",
        address.0
    );
    Steps {
        curl: Code::new("by-curl", "the command", curl),
        may_make_tokens: view.may_also::<OwnTokens>().is_ok(),
        snippet: Code::new("by-snippet", "the snippet", snippet),
        may_make_keys: view.may_also::<WriteKeys>().is_ok(),
        button: may_count.then(|| {
            let form = view.form("Count the first visit", Vec::new());
            Form {
                action: format!("./counters/{DEFAULT_COUNTER}/count"),
                ..form
            }
        }),
    }
}
