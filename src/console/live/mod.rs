//! `GET /console/live`: numbers that move while somebody looks, as server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! `counters` names what is watched, with commas between; `*` is all counters of the company together. Each event
//! `visits` is a JSON object of the numbers that have changed, as text, since they may be larger than what scripts
//! calculate with exactly. The first one has all of them: whoever comes again, to another replica, needs nothing
//! of what was before. `away` says that they stand still, since the store cannot be read.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{FromRef, State},
    http::{HeaderName, HeaderValue},
    response::{
        AppendHeaders, IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures_util::stream::{self, Stream};
use serde_json::Value;
use tokio::{sync::watch, time::sleep};

mod hub;
pub mod metrics;
mod reader;

pub use self::{
    hub::Live,
    reader::{MOST_COUNTERS, run},
};
use self::{
    hub::{Reading, Seat, Watched},
    metrics::Refused,
};
use super::{pages::Pages, typed::Typed, view::View};
use crate::{
    accounts::sessions::Sessions,
    auth::{Caller, permission::Read},
    counting::CounterId,
    edge::{Code, Problem, query::invalid},
    supervision::Vitals,
};

/// All counters of a company together: no counter can have this name.
pub const ALL: &str = "*";

/// What one stream watches at most.
const MOST_NAMES: usize = 100;

/// A client that loses its stream comes again after this.
const RETRY: Duration = Duration::from_millis(500);

/// So often something is sent, that both ends notice if the other is gone.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Then a stream ends, and its client comes again: whether it still may is looked at then.
const LIFE: Duration = Duration::from_secs(300);

/// Proxies pass it on as it comes (nginx, `ngx_http_proxy_module`).
const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// The stream.
pub fn pages<S>() -> Pages<S>
where
    Arc<Live>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    Vitals: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new().at("live", get(follow))
}

async fn follow(
    view: View<Read>,
    State(live): State<Arc<Live>>,
    State(vitals): State<Vitals>,
) -> Result<impl IntoResponse, Problem> {
    if vitals.is_draining() {
        return Err(Problem::from(Code::Overloaded)
            .with_detail("This replica is shutting down: come again, to another one."));
    }
    let typed = Typed::new(view.exchange.query().as_bytes());
    let caller = &view.reader.caller;
    let watched = watched(caller, typed.get("counters"))?;
    let seat = live.join(caller.user, watched).map_err(refusal)?;
    let draining = vitals.draining();
    let end = async move {
        tokio::select! {
            () = draining => {}
            () = sleep(LIFE) => {}
        }
    };
    let events = Sse::new(events(seat, Box::pin(end)));
    let events = events.keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Ok((AppendHeaders([UNBUFFERED]), events))
}

fn watched(caller: &Caller, names: &str) -> Result<Vec<Watched>, Problem> {
    let names: BTreeSet<&str> = names.split(',').filter(|name| !name.is_empty()).collect();
    if names.is_empty() || names.len() > MOST_NAMES {
        return Err(invalid(format!(
            "counters must name 1 to {MOST_NAMES} counters, with commas between."
        )));
    }
    let company = caller.company;
    let watched = names.into_iter().map(|name| match name {
        ALL => Ok(Watched::All(company)),
        name => {
            let name = name.parse()?;
            Ok(Watched::Counter(CounterId { company, name }))
        }
    });
    watched.collect()
}

fn refusal(refused: Refused) -> Problem {
    let problem = match refused {
        Refused::User => Problem::from(Code::TooManyRequests)
            .with_detail("You have as many live pages open as one may have: close some."),
        Refused::Replica => Problem::from(Code::Overloaded)
            .with_detail("As many live pages are open here as may be: try again in a moment."),
    };
    problem.retry_after(HEARTBEAT)
}

type End = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A stream, and what was sent on it.
struct Following {
    seat: Seat,
    readings: watch::Receiver<Arc<Reading>>,
    end: End,
    sent: BTreeMap<usize, u64>,
    is_begun: bool,
    is_away: bool,
}

fn events(seat: Seat, end: End) -> impl Stream<Item = Result<Event, Infallible>> {
    let following = Following {
        readings: seat.readings(),
        seat,
        end,
        sent: BTreeMap::new(),
        is_begun: false,
        is_away: false,
    };
    stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok(event), following))
    })
}

impl Following {
    /// `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        if !self.is_begun {
            self.is_begun = true;
            return Some(Event::default().retry(RETRY));
        }
        loop {
            tokio::select! {
                biased;
                () = &mut self.end => return None,
                changed = self.readings.changed() => changed.ok()?,
            }
            let reading = self.readings.borrow_and_update().clone();
            if let Some(event) = self.event(&reading) {
                return Some(event);
            }
        }
    }

    /// What a reading says that was not said yet.
    fn event(&mut self, reading: &Reading) -> Option<Event> {
        if reading.serial <= self.seat.since {
            return None;
        }
        if reading.is_away {
            let was_away = std::mem::replace(&mut self.is_away, true);
            return (!was_away).then(|| Event::default().event("away").data("{}"));
        }
        let was_away = std::mem::replace(&mut self.is_away, false);
        let mut changed = serde_json::Map::new();
        for (place, watched) in self.seat.watched.iter().enumerate() {
            let Some(visits) = reading.visits.get(watched) else {
                continue;
            };
            if self.sent.insert(place, *visits) != Some(*visits) {
                let name = match watched {
                    Watched::Counter(counter) => counter.name.as_str(),
                    Watched::All(_) => ALL,
                };
                changed.insert(name.to_owned(), Value::String(visits.to_string()));
            }
        }
        let is_news = was_away || !changed.is_empty();
        let data = Value::Object(changed).to_string();
        is_news.then(|| Event::default().event("visits").data(data))
    }
}
