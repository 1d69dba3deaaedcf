//! What the visits of a chunk carry, with each text that they name once.

use std::{collections::BTreeMap, ops::Deref};

use serde_json::Value;

use super::distinct::Distinct;
use crate::counting::carried::{Attributes, Stored};

/// A visit that carries something. Whatever it names is somewhere in [`Carried`], and has a place there.
#[derive(Debug, PartialEq, Eq)]
pub struct Visit<'a> {
    /// Its number.
    pub number: u64,
    /// When it was counted.
    pub at: i64,
    /// The place of whoever came.
    pub visitor: Option<usize>,
    /// The places of its path, its referrer, its campaign and its country.
    pub texts: [Option<usize>; 4],
    /// All else.
    pub properties: &'a BTreeMap<Box<str>, Value>,
}

/// All of them, and what they name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Carried<'a> {
    /// Those that carry something, in the order of their numbers.
    pub visits: Vec<Visit<'a>>,
    /// Who came, as it is stored.
    pub visitors: Distinct<'a>,
    /// What is kept once for a counter.
    pub texts: Distinct<'a>,
    /// How often they name each of these texts.
    pub uses: Vec<i64>,
}

impl<'a> Carried<'a> {
    /// None yet, with room for so many. Most visitors come once in a chunk, and most texts again and again.
    pub fn with_capacity(visits: usize) -> Self {
        Self {
            visits: Vec::with_capacity(visits),
            visitors: Distinct::with_capacity(visits),
            ..Self::default()
        }
    }

    /// Takes one more.
    pub fn add<T: Deref<Target = str>>(&mut self, number: u64, at: i64, stored: &'a Stored<T>) {
        let Attributes {
            path,
            referrer,
            campaign,
            country,
            properties,
        } = &stored.attributes;
        let visitor = stored.visitor.as_deref();
        let texts = [path, referrer, campaign, country];
        let visit = Visit {
            number,
            at,
            visitor: visitor.map(|visitor| self.visitors.place(visitor)),
            texts: texts.map(|text| text.as_deref().map(|text| self.name(text))),
            properties,
        };
        self.visits.push(visit);
    }

    fn name(&mut self, text: &'a str) -> usize {
        let place = self.texts.place(text);
        self.uses.resize(self.texts.len(), 0);
        self.uses[place] += 1;
        place
    }
}
