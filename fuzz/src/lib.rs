//! What holds for everything that reads outside input, whatever comes in.
//!
//! A property takes bytes and panics where it does not hold. Each is a fuzz target
//! (`fuzz_targets/`) and a property test (`tests/it/parsing.rs`), so it is said
//! once. What a parser should accept is said a second time, in other words.

use std::cell::RefCell;

mod filter;
mod requests;
mod service;
mod settings;
mod visits;

use self::service::{Answer, Question, Service};
pub use self::{
    filter::filter,
    requests::{bearer, counter_name, cursor, cursor_of, forwarded, identity, login, request_id},
    service::TOKEN,
    settings::{
        SCHEMES, dotenv, duration, listen_address, postgres_url, redis_url, settings, settings_file,
    },
    visits::{page, visit},
};

/// What must hold for all bytes.
pub type Property = fn(&[u8]);

/// Every property, by the name of its fuzz target and of its folder in `seeds/`.
pub const PROPERTIES: &[(&str, Property)] = &[
    ("bearer", bearer),
    ("counter_name", counter_name),
    ("cursor", cursor),
    ("dotenv", dotenv),
    ("duration", duration),
    ("filter", filter),
    ("forwarded", forwarded),
    ("identity", identity),
    ("listen_address", listen_address),
    ("login", login),
    ("page", page),
    ("postgres_url", postgres_url),
    ("redis_url", redis_url),
    ("request_id", request_id),
    ("settings", settings),
    ("settings_file", settings_file),
    ("visit", visit),
];

/// Below every limit of the edge on targets and heads.
const SHORT: usize = 2048;

fn answer(question: &Question<'_>) -> Option<Answer> {
    thread_local!(static SERVICE: RefCell<Service> = RefCell::new(Service::start()));
    SERVICE.with_borrow_mut(|service| service.answer(question))
}

/// Like [`answer`], with a valid token.
fn authorized(target: &str, headers: &[(&str, &[u8])]) -> Option<Answer> {
    let authorization = format!("Bearer {TOKEN}");
    let mut all = vec![("authorization", authorization.as_bytes())];
    all.extend(headers);
    answer(&Question::get(target, &all))
}
