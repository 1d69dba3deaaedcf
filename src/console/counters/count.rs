//! Counting a visit by a button.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, State},
    http::Response,
};

use crate::{
    auth::permission::{Count, Read},
    console::{response::see_other, sent::Sent, view::View},
    counting::{
        CountError, Counted, CounterId, CounterName, Identity, Visit, identity::IdentityKind,
        routes::CountingState,
    },
    edge::Problem,
};

/// Whoever comes here to look, looks at the counter.
pub async fn back(view: View<Read>, Path(name): Path<String>) -> Result<Response<Body>, Problem> {
    let name: CounterName = name.parse()?;
    see_other(&view.exchange, &format!("counters/{name}"))
}

/// `POST /console/counters/{name}/count`
pub async fn count(
    State(counting): State<Arc<CountingState>>,
    Path(name): Path<String>,
    sent: Sent<Count>,
) -> Result<Response<Body>, Problem> {
    let name: CounterName = name.parse()?;
    visit(&counting, &sent, name.clone()).await?;
    see_other(&sent.exchange, &format!("counters/{name}?done=counted"))
}

/// Counts one visit for a form: sent twice it is one. No key that a client can send has a blank.
///
/// # Errors
///
/// Those of counting.
pub async fn visit(
    counting: &CountingState,
    sent: &Sent<Count>,
    name: CounterName,
) -> Result<Counted, CountError> {
    let caller = &sent.reader.caller;
    let form = sent.typed.get("form_id");
    let identity = (!form.is_empty()).then(|| {
        let value = format!("form {name} {form}");
        Identity::new(IdentityKind::Key, &caller.subject, value.as_bytes())
    });
    let visit = Visit {
        identity,
        pass: caller.pass.clone(),
        carried: None,
    };
    let company = caller.company;
    counting
        .counting
        .visit(CounterId { company, name }, visit)
        .await
}
