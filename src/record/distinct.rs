//! Texts that rows name again and again, each of them once.

use std::collections::HashMap;

/// Different texts, in the order in which they came first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Distinct<'a> {
    texts: Vec<&'a str>,
    places: HashMap<&'a str, usize>,
}

impl<'a> Distinct<'a> {
    /// None yet, with room for so many.
    pub fn with_capacity(texts: usize) -> Self {
        Self {
            texts: Vec::with_capacity(texts),
            places: HashMap::with_capacity(texts),
        }
    }

    /// The place of a text, from 0: its own from now on, if it was not there.
    pub fn place(&mut self, text: &'a str) -> usize {
        let next = self.texts.len();
        let place = *self.places.entry(text).or_insert(next);
        if place == next {
            self.texts.push(text);
        }
        place
    }

    /// All of them.
    pub fn texts(&self) -> &[&'a str] {
        &self.texts
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }
}

/// The numbers that the database has for [`Distinct`] texts, by their places.
pub struct Numbers<'a> {
    of: &'a Distinct<'a>,
    found: Vec<Option<i64>>,
}

/// Texts and their numbers, as a database gives them.
pub type Found = (Vec<String>, Vec<i64>);

impl<'a> Numbers<'a> {
    /// None is known yet.
    pub fn of(texts: &'a Distinct<'a>) -> Self {
        Self {
            of: texts,
            found: vec![None; texts.len()],
        }
    }

    /// Notes those that were found.
    pub fn note(&mut self, (texts, numbers): Found) {
        for (text, number) in texts.iter().zip(numbers) {
            if let Some(place) = self.of.places.get(&**text) {
                self.found[*place] = Some(number);
            }
        }
    }

    /// The texts without a number.
    pub fn missing(&self) -> Vec<&'a str> {
        let all = self.of.texts.iter().zip(&self.found);
        all.filter(|(_, number)| number.is_none())
            .map(|(text, _)| *text)
            .collect()
    }

    /// The number of each, by its place; `None` if one has none.
    pub fn all(self) -> Option<Vec<i64>> {
        self.found.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_one_place_and_one_number() {
        let mut texts = Distinct::default();
        let places = ["b", "a", "b", "", "c", "a"].map(|text| texts.place(text));
        assert_eq!(places, [0, 1, 0, 2, 3, 1]);
        assert_eq!(texts.texts(), ["b", "a", "", "c"]);

        let mut numbers = Numbers::of(&texts);
        let found = ["c", "a", "other"].map(String::from);
        numbers.note((found.into(), vec![30, 10, 7]));
        assert_eq!(numbers.missing(), ["b", ""]);
        let found = ["", "b"].map(String::from);
        numbers.note((found.into(), vec![0, 20]));
        assert_eq!(numbers.missing(), [""; 0]);
        assert_eq!(numbers.all(), Some(vec![20, 10, 0, 30]));
        assert_eq!(Numbers::of(&texts).all(), None);
    }
}
