//! What a form sends, or stands in a query.

use url::form_urlencoded;

use crate::accounts::fields::Text;

/// What was typed into a form, or stands in a query, in its order.
#[derive(Debug, Clone, Default)]
pub struct Typed(Vec<(String, String)>);

impl Typed {
    /// Reads it.
    pub fn new(urlencoded: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(urlencoded);
        Self(pairs.into_owned().collect())
    }

    /// The value of a field; empty if it is not there. Of several the last.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().rfind(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    /// Whether a box is ticked, or a button pressed.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }

    /// All fields, with their values.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All values of fields of one name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.0.iter().filter(move |(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A field, as bodies of the API have it.
    pub fn text(&self, name: &str) -> Text {
        Text::from(self.get(name).to_owned())
    }

    /// The same of a field that not each form has.
    pub fn text_if_sent(&self, name: &str) -> Text {
        match self.has(name) {
            true => self.text(name),
            false => Text::default(),
        }
    }

    /// The same of a field that may be left empty.
    pub fn text_if_any(&self, name: &str) -> Text {
        match self.get(name) {
            "" => Text::default(),
            text => Text::from(text.to_owned()),
        }
    }
}
