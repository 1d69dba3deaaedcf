//! The list of counters.

use std::{cmp::Reverse, sync::Arc};

use askama::Template;
use axum::{body::Body, extract::State, http::Response};
use url::form_urlencoded;

use super::tallies::{self, Counter, LAST_DAY};
use crate::{
    auth::permission::{Count, Read},
    console::{
        chart::Spark,
        days,
        form::{Field, Kind},
        frame::Frame,
        pager::Pager,
        response::page,
        shown::Exact,
        typed::Typed,
        view::View,
    },
    counting::routes::CountingState,
    edge::Problem,
    record::{Record, overview::Wanted},
};

/// Counters on a page.
const PAGE: usize = 50;

/// In which order they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// By name.
    Name,
    /// The most visits first.
    Visits,
    /// The most visits of today first.
    Today,
}

impl Sort {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Name, "name"),
        (Self::Visits, "visits"),
        (Self::Today, "today"),
    ];

    fn read(text: &str) -> Self {
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        found.map_or(Self::Name, |(sort, _)| *sort)
    }

    fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(sort, _)| *sort == self);
        found.map_or("", |(_, name)| name)
    }
}

#[derive(Template)]
#[template(path = "console/counters/list.html")]
struct List {
    frame: Frame,
    search: Field,
    sort: Sort,
    /// The query of each order: by name, by visits, by visits of today.
    orders: [String; 3],
    rows: Vec<Row>,
    /// How many there are, and how many match.
    all: Exact,
    found: Exact,
    is_searched: bool,
    is_cut: bool,
    store_is_away: bool,
    database_is_away: bool,
    has_database: bool,
    may_create: bool,
    pager: Pager,
}

struct Row {
    counter: Counter,
    /// What is not of today.
    before: u64,
    today: Exact,
    spark: Option<Spark>,
}

impl Row {
    fn visits(&self) -> Exact {
        self.counter.count.into()
    }

    fn is_off(&self) -> bool {
        self.counter
            .extent
            .as_ref()
            .is_some_and(|extent| !extent.recorded)
    }
}

/// `GET /console/counters`
pub async fn list(
    view: View<Read>,
    State(counting): State<Arc<CountingState>>,
    State(record): State<Record>,
) -> Result<Response<Body>, Problem> {
    let typed = Typed::new(view.exchange.query().as_bytes());
    let (sought, sort) = (typed.get("q").trim(), Sort::read(typed.get("sort")));
    let number = typed.get("page").parse::<usize>().unwrap_or(1).max(1);
    let company = view.reader.caller.company;
    let now = tallies::now();
    let wanted = Wanted {
        minutes: vec![days::near(&view.reader.zone, now, 0).0],
        ..Wanted::default()
    };
    let mut read = Box::pin(tallies::read(&counting.counting, &record, company, wanted)).await?;
    let all = read.counters.len();
    let mut counters = std::mem::take(&mut read.counters);
    counters.retain(|counter| counter.name.as_str().contains(&sought.to_lowercase()));
    match sort {
        Sort::Name => {}
        Sort::Visits => counters.sort_by_key(|counter| Reverse(counter.count)),
        Sort::Today => counters.sort_by_key(|counter| Reverse(counter.since(0))),
    }
    let found = counters.len();
    // Beyond the last page is the last page.
    let number = number.min(found.div_ceil(PAGE).max(1));
    let first = (number - 1) * PAGE;
    let shown = &counters[first..found.min(first + PAGE)];
    // Without them the list is as good.
    let sparks = Box::pin(tallies::last_day(&record, company, shown, now)).await;
    let mut sparks = sparks.unwrap_or_default();
    let rows = shown.iter().map(|counter| Row {
        spark: sparks.remove(&counter.name).map(|hours| {
            let spark = Spark::new(hours, LAST_DAY);
            match counter.reach() == counter.count {
                true => spark.following(&counter.name, counter.count),
                false => spark,
            }
        }),
        today: counter.since(0).into(),
        before: counter.reach() - counter.since(0),
        counter: counter.clone(),
    });
    let query = |sort: Sort, number: usize| query(&view, sought, sort, number);
    page(&List {
        frame: view.frame("Counters"),
        search: Field::new("q", "Name", Kind::Line("search"))
            .with(sought)
            .at_most(64)
            .optional(),
        orders: Sort::ALL.map(|(sort, _)| query(sort, 1)),
        sort,
        rows: rows.collect(),
        all: (all as u64).into(),
        found: (found as u64).into(),
        is_searched: !sought.is_empty(),
        may_create: view.may_also::<Count>().is_ok(),
        pager: Pager {
            first: (number > 1).then(|| query(sort, 1)),
            next: (first + PAGE < found).then(|| query(sort, number + 1)),
        },
        is_cut: read.is_cut,
        store_is_away: read.store_is_away,
        database_is_away: read.database_is_away,
        has_database: read.has_database,
    })
}

/// The address of another page of the list, or of the same in another order.
fn query(view: &View<Read>, sought: &str, sort: Sort, number: usize) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !sought.is_empty() {
        query.append_pair("q", sought);
    }
    if sort != Sort::Name {
        query.append_pair("sort", sort.name());
    }
    if number > 1 {
        query.append_pair("page", &number.to_string());
    }
    format!("{}?{}", view.exchange.itself(), query.finish())
}
