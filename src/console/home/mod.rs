//! `/console/`: what is going on, at a glance; and what is nowhere below it.

use std::{cmp::Reverse, sync::Arc};

use askama::Template;
use axum::{
    body::Body,
    extract::{FromRef, State},
    http::Response,
    routing::{any, get},
};
use jiff::Timestamp;

mod attention;
mod steps;

use self::{
    attention::Attention,
    steps::{Steps, steps},
};
use super::{
    chart::Spark,
    counters::tallies::{self, Counter, LAST_DAY, Tallies},
    days,
    exchange::Exchange,
    frame::Frame,
    live::ALL,
    pages::Pages,
    response::{page, see_other},
    shown::Exact,
    view::{Anybody, View},
};
use crate::{
    accounts::sessions::Sessions,
    auth::permission::{Count, Read},
    company::Zone,
    counting::{Company, routes::CountingState},
    edge::{Address, Code, Problem},
    record::{Record, overview::Wanted},
};

/// Counters that are shown.
const MOVING: usize = 8;

/// The page.
pub fn pages<S>() -> Pages<S>
where
    Arc<CountingState>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    Record: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("", get(home))
        .before(get(async |exchange: Exchange| see_other(&exchange, "")))
        .at("{*rest}", any(nothing))
}

/// What is nowhere. Who is signed in sees where else to go.
async fn nothing(_: Anybody) -> Code {
    Code::NotFound
}

#[derive(Template)]
#[template(path = "console/home.html")]
struct Home {
    frame: Frame,
    /// What to do first, where nothing is counted yet.
    steps: Option<Steps>,
    /// Visits of today, and what is to be taken from all to have them.
    today: u64,
    before: u64,
    /// All visits, and what they are called live, if they are.
    all: u64,
    live: Option<&'static str>,
    /// When the page is one of another day, in Unix milliseconds.
    until: i64,
    spans: Vec<Span>,
    moving: Vec<Moving>,
    many: Exact,
    attention: Vec<Attention>,
    has_database: bool,
}

/// Visits of another time, to compare with.
struct Span {
    label: String,
    visits: Exact,
    about: String,
}

struct Moving {
    counter: Counter,
    today: u64,
    spark: Option<Spark>,
}

impl Moving {
    fn visits(&self) -> Exact {
        self.counter.count.into()
    }

    fn of_today(&self) -> Exact {
        self.today.into()
    }
}

impl Home {
    /// The first number of all.
    fn shown(&self) -> Exact {
        match self.has_database {
            true => self.today.into(),
            false => self.all.into(),
        }
    }
}

/// The minutes that numbers of each counter are asked for, by their places.
const TODAY: usize = 0;
const HOUR: usize = 1;
const YESTERDAY: usize = 2;
const YESTERDAY_BY_NOW: usize = 3;
const WEEK: usize = 4;
const WEEK_BY_NOW: usize = 5;
const WEEK_END: usize = 6;

async fn home(
    view: View<Read>,
    address: Address,
    State(counting): State<Arc<CountingState>>,
    State(record): State<Record>,
) -> Result<Response<Body>, Problem> {
    let company = view.reader.caller.company;
    let now = tallies::now();
    let day = |from_today| days::near(&view.reader.zone, now, from_today);
    let (midnight, _) = day(0);
    let (yesterday, yesterday_now) = day(-1);
    let (week, week_now) = day(-7);
    let (week_end, _) = day(-6);
    let minutes = [
        midnight,
        now - 59,
        yesterday,
        yesterday_now,
        week,
        week_now,
        week_end,
    ];
    let wanted = Wanted {
        // What was not visited since adds nothing to any of them.
        since: week * 60_000,
        minutes: minutes.into(),
        ..Wanted::default()
    };
    let read = Box::pin(tallies::read(&counting.counting, &record, company, wanted)).await?;
    let attention = Box::pin(attention::of(&view, &record, &read)).await;
    let is_new = read.counters.is_empty() && !read.store_is_away && !read.database_is_away;
    let may_count = view.may_also::<Count>().is_ok();
    let sum = |of: &dyn Fn(&Counter) -> u64| read.counters.iter().map(of).sum::<u64>();
    let today = sum(&|counter| counter.since(TODAY));
    let all = sum(&|counter| counter.count);
    page(&Home {
        frame: view.frame("Home"),
        steps: is_new.then(|| steps(&view, &address, may_count)),
        today,
        before: all.saturating_sub(today),
        all,
        live: (!read.is_cut && !read.store_is_away).then_some(ALL),
        until: day(1).0 * 60_000,
        spans: match read.has_database && !read.database_is_away {
            true => spans(&read, (today, now), &view.reader.zone),
            false => Vec::new(),
        },
        moving: Box::pin(moving(&record, &read, company, now)).await,
        many: (read.counters.len() as u64).into(),
        attention,
        has_database: read.has_database && !read.database_is_away,
    })
}

fn spans(read: &Tallies, (today, now): (u64, i64), zone: &Zone) -> Vec<Span> {
    let before = |place| {
        let counters = read.counters.iter();
        counters.map(|counter| counter.before(place)).sum::<u64>()
    };
    let between = |from, to| before(to).saturating_sub(before(from));
    let hour = read.counters.iter().map(|counter| counter.since(HOUR));
    let clock = Timestamp::from_second(now * 60).unwrap_or_default();
    let clock = clock.to_zoned(zone.clock().clone());
    let time = clock.strftime("%H:%M %Z").to_string();
    let weekday = clock.strftime("%A").to_string();
    let span = |label: String, until_now: u64, whole: u64| Span {
        label,
        visits: until_now.into(),
        about: format!(
            "{}; {} in the whole day",
            compared(today, until_now),
            Exact::from(whole)
        ),
    };
    vec![
        span(
            format!("Yesterday by {time}"),
            between(YESTERDAY, YESTERDAY_BY_NOW),
            between(YESTERDAY, TODAY),
        ),
        span(
            format!("Last {weekday} by {time}"),
            between(WEEK, WEEK_BY_NOW),
            between(WEEK, WEEK_END),
        ),
        Span {
            label: "In the last hour".to_owned(),
            visits: hour.sum::<u64>().into(),
            about: "up to now".to_owned(),
        },
    ]
}

/// How today is, beside another day.
fn compared(today: u64, other: u64) -> String {
    match today.abs_diff(other) {
        0 => "as many today".to_owned(),
        more if today > other => format!("{} more today", Exact::from(more)),
        fewer => format!("{} fewer today", Exact::from(fewer)),
    }
}

/// The counters with the most visits of today.
async fn moving(record: &Record, read: &Tallies, company: Company, now: i64) -> Vec<Moving> {
    let counters = read.counters.iter();
    let moved = counters.filter(|counter| counter.since(TODAY) > 0);
    let mut moved: Vec<_> = moved.cloned().collect();
    moved.sort_by_key(|counter| Reverse(counter.since(TODAY)));
    moved.truncate(MOVING);
    // Without them the list is as good.
    let sparks = tallies::last_day(record, company, &moved, now).await;
    let mut sparks = sparks.unwrap_or_default();
    let moving = moved.into_iter().map(|counter| {
        let spark = sparks
            .remove(&counter.name)
            .map(|hours| Spark::new(hours, LAST_DAY));
        Moving {
            today: counter.since(TODAY),
            spark: match counter.reach() == counter.count {
                true => spark.map(|spark| spark.following(&counter.name, counter.count)),
                false => spark,
            },
            counter,
        }
    });
    moving.collect()
}
