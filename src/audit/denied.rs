//! What is recorded of a caller who may not do what they asked for.

use axum::http::request::Parts;

use super::{Action, Actor, Details, Entry, Kind, Outcome};
use crate::{
    auth::{Caller, permission::Rule},
    edge::RequestContext,
};

/// The entry, in the trail of the caller's company. The reason is the permission that they lack.
pub fn denied(caller: &Caller, request: &Parts, rule: Rule) -> Entry {
    let entry = Entry::new(
        caller.company.id(),
        Actor::from(caller),
        Action::AccessDenied,
    );
    let entry = entry.ended(Outcome::Denied).because(Details {
        reason: Some(rule.name),
        ..Details::default()
    });
    let context = request.extensions.get::<RequestContext>();
    // Never the path itself, whose parts may be anything.
    let pattern = context.map_or("", |context| &context.route);
    let entry = entry.on(
        Kind::Operation,
        format_args!("{} {pattern}", request.method),
    );
    match context {
        Some(context) => entry.from_request(
            context.id.value.to_str().unwrap_or_default(),
            context.peer.client(&request.headers),
        ),
        None => entry,
    }
}
