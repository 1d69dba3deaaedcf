//! What comes in a month: by day and night, on workdays and at weekends, people who come back.
//!
//! Of one counter and day it is always the same, whenever it is made: what is added later goes on from what
//! is there.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use crate::counting::{
    Batch, CounterId, Visit,
    carried::{Attributes, Carried, Written},
};

/// Milliseconds.
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How many people come, over and over.
const PEOPLE: u64 = 900;

/// A counter, and what comes to it.
pub struct Counter {
    /// Its name.
    pub name: &'static str,
    /// How many come on a workday, on average.
    sessions: u64,
    /// How many in a hundred of those come on Saturday, and on Sunday.
    weekend: [u64; 2],
    /// How much comes in each hour (UTC), beside the others.
    hours: [u64; 24],
    /// What one of them does.
    comes: fn(&mut Dice, Person) -> Vec<Coming>,
}

/// When, and what it carries.
type Coming = (i64, Option<Carried>);

const ONLINE: [u64; 24] = [
    3, 2, 1, 1, 1, 2, 5, 12, 22, 28, 30, 27, 22, 24, 28, 27, 25, 22, 20, 22, 24, 20, 12, 6,
];
const WORK: [u64; 24] = [
    0, 0, 0, 0, 0, 1, 4, 14, 26, 30, 28, 24, 14, 22, 28, 27, 20, 10, 4, 3, 3, 2, 1, 0,
];
const SHOP: [u64; 24] = [
    0, 0, 0, 0, 0, 0, 0, 0, 10, 14, 18, 24, 26, 20, 18, 20, 26, 28, 14, 0, 0, 0, 0, 0,
];

/// All of them.
pub const COUNTERS: &[Counter] = &[
    Counter {
        name: "visits",
        sessions: 130,
        weekend: [60, 70],
        hours: ONLINE,
        comes: looks_around,
    },
    Counter {
        name: "signups",
        sessions: 9,
        weekend: [30, 35],
        hours: WORK,
        comes: signs_up,
    },
    Counter {
        name: "orders",
        sessions: 14,
        weekend: [70, 90],
        hours: ONLINE,
        comes: orders,
    },
    Counter {
        name: "downloads",
        sessions: 26,
        weekend: [25, 20],
        hours: WORK,
        comes: downloads,
    },
    Counter {
        name: "shop.door",
        sessions: 190,
        weekend: [145, 0],
        hours: SHOP,
        comes: walks_in,
    },
];

impl Counter {
    /// What comes from a moment on (Unix milliseconds), or in so many days, until now: each at its time, in
    /// their order.
    pub fn visits(
        &self,
        id: &CounterId,
        since: Option<i64>,
        (now, days): (i64, i64),
    ) -> Vec<(i64, Batch)> {
        let today = now.div_euclid(DAY);
        let first = since.map_or(today - days, |since| since.div_euclid(DAY));
        let mut visits: Vec<_> = (first..=today).flat_map(|day| self.of_day(day)).collect();
        visits.retain(|(at, _)| *at < now && since.is_none_or(|since| *at > since));
        visits.sort_by_key(|(at, _)| *at);
        let batch = |carried: Option<Carried>| Batch {
            visits: vec![Visit {
                carried: carried.map(Arc::new),
                ..Visit::default()
            }],
            ..Batch::new(id.clone())
        };
        let visits = visits.into_iter();
        visits.map(|(at, carried)| (at, batch(carried))).collect()
    }

    fn of_day(&self, day: i64) -> Vec<(i64, Option<Carried>)> {
        let name = self
            .name
            .bytes()
            .fold(0, |sum: u64, byte| sum * 31 + u64::from(byte));
        let mut dice = Dice(name ^ day.unsigned_abs().wrapping_mul(0x9e37_79b9));
        // 1 January 1970 was a Thursday.
        let of_week = match (day + 3).rem_euclid(7) {
            5 => self.weekend[0],
            6 => self.weekend[1],
            _ => 100,
        };
        // Some days are better than others.
        let sessions = self.sessions * of_week * dice.between(80, 120) / 10_000;
        let mut all = Vec::new();
        for _ in 0..sessions {
            let hour = dice.weighted(&self.hours) as i64;
            let begin = day * DAY + hour * HOUR + dice.between(0, 3_599_999) as i64;
            let person = Person::any(&mut dice);
            let comes = (self.comes)(&mut dice, person);
            all.extend(
                comes
                    .into_iter()
                    .map(|(after, carried)| (begin + after, carried)),
            );
        }
        all
    }
}

/// Somebody, who is the same whenever they come.
#[derive(Clone, Copy)]
struct Person {
    number: u64,
    country: &'static str,
    language: &'static str,
    device: &'static str,
}

impl Person {
    /// Some come often, and most seldom.
    fn any(dice: &mut Dice) -> Self {
        let most = dice.between(1, PEOPLE);
        let number = dice.between(0, most);
        let mut own = Dice(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let (country, language) = own.one(&[
            ("AT", "de"),
            ("AT", "de"),
            ("DE", "de"),
            ("DE", "de"),
            ("DE", "de"),
            ("CH", "de"),
            ("FR", "fr"),
            ("NL", "nl"),
            ("GB", "en"),
            ("US", "en"),
            ("US", "en"),
        ]);
        let device = own.one(&["desktop", "desktop", "phone", "phone", "phone", "tablet"]);
        Self {
            number,
            country,
            language,
            device,
        }
    }

    fn carried(self, attributes: Attributes, properties: &[(&str, Value)]) -> Carried {
        let properties = properties.iter();
        let properties: BTreeMap<_, _> = properties
            .map(|(name, value)| (Box::from(*name), value.clone()))
            .collect();
        Carried {
            visitor: Some(format!("customer-{}", self.number).into()),
            seen: None,
            rest: Written::of(&Attributes {
                country: Some(self.country.into()),
                properties,
                ..attributes
            }),
        }
    }
}

fn to(path: &str) -> Attributes {
    Attributes {
        path: Some(path.into()),
        ..Attributes::default()
    }
}

/// Some pages, the first with where they came from.
fn looks_around(dice: &mut Dice, person: Person) -> Vec<(i64, Option<Carried>)> {
    const PATHS: [&str; 10] = [
        "/",
        "/pricing",
        "/docs/start",
        "/docs/api",
        "/blog/counting-exactly",
        "/blog/a-year-of-visits",
        "/shop",
        "/shop/door-counter",
        "/about",
        "/contact",
    ];
    const OFTEN: [u64; 10] = [30, 16, 12, 9, 11, 6, 12, 9, 3, 2];
    let (referrer, campaign) = dice.one(&[
        (None, None),
        (None, None),
        (None, None),
        (Some("https://search.example/"), None),
        (Some("https://search.example/"), None),
        (Some("https://search.example/"), Some("spring")),
        (Some("https://news.example/item/4711"), None),
        (Some("https://social.example/"), Some("launch")),
        (Some("https://partner.example/tools"), None),
        (None, Some("newsletter")),
    ]);
    let pages = dice.weighted(&[0, 40, 25, 15, 10, 6, 4]) as i64;
    let mut after = 0;
    let mut all = Vec::new();
    for page in 0..pages {
        let mut attributes = to(PATHS[dice.weighted(&OFTEN)]);
        if page == 0 {
            attributes.referrer = referrer.map(Box::from);
            attributes.campaign = campaign.map(Box::from);
        }
        let properties = [
            ("device", json!(person.device)),
            ("language", json!(person.language)),
        ];
        all.push((after, Some(person.carried(attributes, &properties))));
        after += dice.between(8_000, 240_000) as i64;
    }
    all
}

fn signs_up(dice: &mut Dice, person: Person) -> Vec<(i64, Option<Carried>)> {
    let plan = dice.one(&["free", "free", "free", "pro", "pro", "team"]);
    let seats = match plan {
        "team" => dice.between(5, 40),
        _ => 1,
    };
    let properties = [("plan", json!(plan)), ("seats", json!(seats))];
    vec![(0, Some(person.carried(to("/signup"), &properties)))]
}

fn orders(dice: &mut Dice, person: Person) -> Vec<(i64, Option<Carried>)> {
    let product = dice.one(&["door-counter", "door-counter", "beam", "mat", "cable"]);
    let cents = dice.between(900, 24_900);
    let amount = Value::from(cents as f64 / 100.0);
    let properties = [("product", json!(product)), ("amount", amount)];
    let path = format!("/shop/{product}");
    vec![(0, Some(person.carried(to(&path), &properties)))]
}

fn downloads(dice: &mut Dice, person: Person) -> Vec<(i64, Option<Carried>)> {
    let file = dice.one(&[
        "manual.pdf",
        "manual.pdf",
        "data-sheet.pdf",
        "firmware-2.4.zip",
    ]);
    let path = format!("/downloads/{file}");
    vec![(0, Some(person.carried(to(&path), &[])))]
}

/// A beam of light knows nobody.
fn walks_in(dice: &mut Dice, _: Person) -> Vec<(i64, Option<Carried>)> {
    let together = dice.weighted(&[0, 70, 24, 6]) as i64;
    (0..together).map(|place| (place * 900, None)).collect()
}

/// Numbers that look like chance and are always the same (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of these, both included.
    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.between(0, all.len() as u64 - 1) as usize]
    }

    /// A place, as often as its weight says beside the others.
    fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut left = self.between(1, weights.iter().sum());
        for (place, weight) in weights.iter().enumerate() {
            if left <= *weight {
                return place;
            }
            left -= weight;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_later_goes_on_from_what_is_there() {
        let now = 1_764_118_800_123;
        for counter in COUNTERS {
            let id = CounterId {
                company: crate::company::Company::Default,
                name: counter.name.parse().unwrap(),
            };
            let all = counter.visits(&id, None, (now + 2 * DAY, 31));
            let before = counter.visits(&id, None, (now, 31));
            let last = before.last().unwrap().0;
            assert!(last < now && before[0].0 > now - 32 * DAY);
            assert!(before.is_sorted_by_key(|(at, _)| *at));
            let after = counter.visits(&id, Some(last), (now + 2 * DAY, 31));
            assert!(!after.is_empty(), "{}", counter.name);
            let joined: Vec<_> = before.into_iter().chain(after).collect();
            let from = joined.iter().position(|visit| *visit == all[0]).unwrap();
            assert_eq!(joined[from..], all, "{}", counter.name);
        }
    }

    #[test]
    fn people_come_back_and_nights_are_quiet() {
        let id = CounterId {
            company: crate::company::Company::Default,
            name: "visits".parse().unwrap(),
        };
        let visits = COUNTERS[0].visits(&id, None, (1_764_118_800_123, 31));
        let mut people = BTreeMap::<_, u32>::new();
        let (mut night, mut day) = (0, 0);
        for (at, batch) in &visits {
            let carried = batch.visits[0].carried.as_ref().unwrap();
            *people.entry(carried.visitor.clone()).or_default() += 1;
            match at.rem_euclid(DAY) / HOUR {
                0..6 => night += 1,
                9..15 => day += 1,
                _ => {}
            }
        }
        assert!(people.len() > 300 && people.values().any(|times| *times > 10));
        assert!(night * 5 < day, "{night} {day}");
    }
}
