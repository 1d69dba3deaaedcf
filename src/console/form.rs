//! Forms and their fields: what was typed stays, and what is wrong with it stands beside it.

use askama::{Template, filters::HtmlSafe};
use jiff::civil::{Date, DateTime};
use uuid::Uuid;

use super::{reader::Reader, shown::said, typed::Typed};
use crate::edge::Problem;

/// The hidden field by which a form that is sent twice is known to be one.
pub const FORM_ID: &str = "form_id";

/// What is filled in, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One line; the kind is that of HTML: `text`, `email`, `search`, `number`, `date`, …
    Line(&'static str),
    /// Hidden as it is typed, and never shown again.
    Password,
    /// Some lines.
    Lines,
    /// One of these: values, and what they are called.
    Select(Vec<(String, String)>),
    /// One of these, all of which are seen: values, what they are called, and what they mean.
    Radios(Vec<(String, String, String)>),
    /// Ticked or not.
    Box,
    /// Any of these: values, what they are called, and what they mean. Those that are ticked are in the
    /// field's value, separated by blanks.
    Boxes(Vec<(String, String, String)>),
}

/// A field of a form. In a template: `{{ field }}`.
#[derive(Debug, Clone, Template)]
#[template(path = "console/parts/field.html")]
pub struct Field {
    /// Its name in the form and, where that has one, in the API: of one within another with dots,
    /// as `filter.within`.
    pub name: String,
    /// What it is called.
    pub label: String,
    /// What is filled in, and how.
    pub kind: Kind,
    /// What is in it, as it was typed. Of a box, not empty if it is ticked.
    pub value: String,
    /// What a browser may fill in (HTML, 4.10.18.7).
    pub autocomplete: &'static str,
    /// Whether it must be filled in.
    pub required: bool,
    /// Longest text, in UTF-16 units.
    pub longest: Option<u16>,
    /// What to know before it is filled in.
    pub hint: Option<String>,
    /// What is wrong with what is in it.
    pub error: Option<String>,
    /// Whether the cursor is in it from the beginning.
    pub focused: bool,
    /// The id of a list of values to choose from (HTML, 4.10.8).
    pub list: Option<&'static str>,
    /// The keyboard of a phone (HTML, 6.8.8), if it is not that of texts.
    pub inputmode: Option<&'static str>,
}

impl HtmlSafe for Field {}

impl Field {
    /// One of this kind, which must be filled in.
    pub fn new(name: impl Into<String>, label: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            kind,
            value: String::new(),
            autocomplete: "off",
            required: true,
            longest: None,
            hint: None,
            error: None,
            focused: false,
            list: None,
            inputmode: None,
        }
    }

    /// A line of text.
    pub fn text(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(name, label, Kind::Line("text")).at_most(254)
    }

    /// An e-mail address.
    pub fn email(name: impl Into<String>, label: impl Into<String>) -> Self {
        let field = Self::new(name, label, Kind::Line("email"));
        field.at_most(254).filled_by("email")
    }

    /// A password; `autocomplete` is `current-password` or `new-password`.
    pub fn password(
        name: impl Into<String>,
        label: impl Into<String>,
        autocomplete: &'static str,
    ) -> Self {
        let field = Self::new(name, label, Kind::Password);
        field.at_most(254).filled_by(autocomplete)
    }

    /// A list of which one is chosen: values, and what they are called.
    pub fn select(
        name: impl Into<String>,
        label: impl Into<String>,
        options: &[(&str, &str)],
    ) -> Self {
        let options = options.iter();
        let options = options.map(|(value, label)| ((*value).to_owned(), (*label).to_owned()));
        Self::new(name, label, Kind::Select(options.collect())).optional()
    }

    /// With this in it.
    #[must_use]
    pub fn with(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// With what was typed, if that may be shown.
    #[must_use]
    pub fn filled(self, typed: &Typed) -> Self {
        match self.kind {
            Kind::Password => self,
            Kind::Boxes(_) => {
                let ticked: Vec<_> = typed.all(&self.name).collect();
                let value = ticked.join(" ");
                self.with(value)
            }
            _ => {
                let value = typed.get(&self.name).to_owned();
                self.with(value)
            }
        }
    }

    /// May be left empty.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Has no more than this, in UTF-16 units.
    #[must_use]
    pub fn at_most(mut self, longest: u16) -> Self {
        self.longest = Some(longest);
        self
    }

    /// What a browser may fill in.
    #[must_use]
    pub fn filled_by(mut self, autocomplete: &'static str) -> Self {
        self.autocomplete = autocomplete;
        self
    }

    /// What to know before it is filled in.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The id of the field in the page.
    fn id(&self) -> String {
        self.name.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
    }

    /// Where hint and error are, for who does not see them beside the field; empty without any.
    fn described_by(&self) -> String {
        let id = self.id();
        let hint = self.hint.as_ref().map(|_| format!("{id}-hint"));
        let error = self.error.as_ref().map(|_| format!("{id}-error"));
        let places: Vec<_> = hint.into_iter().chain(error).collect();
        places.join(" ")
    }

    /// The type of its input. What is no date, or no number, browsers would not show in a field for these.
    fn shown_as(&self, line: &'static str) -> &'static str {
        let value = &self.value;
        let fits = match line {
            "date" => value.len() == 10 && value.parse::<Date>().is_ok(),
            "datetime-local" => value.contains('T') && value.parse::<DateTime>().is_ok(),
            "number" => value.parse::<i64>().is_ok(),
            _ => true,
        };
        if fits || value.is_empty() {
            line
        } else {
            "text"
        }
    }

    fn is_chosen(&self, value: &str) -> bool {
        self.value == value
    }

    fn is_ticked(&self, value: &str) -> bool {
        self.value.split(' ').any(|ticked| ticked == value)
    }
}

/// A form. In a template: `{{ form }}`.
#[derive(Debug, Clone, Template)]
#[template(path = "console/parts/form.html")]
pub struct Form {
    /// The page that gets it, relative to this one.
    pub action: String,
    /// What its reader's browser sends along, if somebody is signed in.
    pub csrf_token: Option<String>,
    /// By which it is known to be the same if it is sent twice.
    pub id: Option<String>,
    /// What is sent along unseen.
    pub hidden: Vec<(&'static str, String)>,
    /// The fields, in their order.
    pub fields: Vec<Field>,
    /// What the button says.
    pub button: &'static str,
    /// Whether the button destroys something.
    pub destroys: bool,
    /// Where to go instead.
    pub cancel: Option<String>,
    /// What is wrong, and is not about one of the fields.
    pub errors: Vec<String>,
}

impl HtmlSafe for Form {}

impl Form {
    /// One that is for everyone; a [`View`](super::view::View) makes those of its reader.
    pub fn new(action: impl Into<String>, button: &'static str, fields: Vec<Field>) -> Self {
        Self {
            action: action.into(),
            csrf_token: None,
            id: None,
            hidden: Vec::new(),
            fields,
            button,
            destroys: false,
            cancel: None,
            errors: Vec::new(),
        }
    }

    /// One that somebody who is signed in sends.
    #[must_use]
    pub fn of_reader(mut self, reader: &Reader) -> Self {
        self.csrf_token = Some(reader.csrf_token.clone());
        self.id = Some(Uuid::now_v7().simple().to_string());
        self
    }

    /// Sends this along, unseen.
    #[must_use]
    pub fn hiding(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.hidden.push((name, value.into()));
        self
    }

    /// The button destroys something.
    #[must_use]
    pub fn destroying(mut self) -> Self {
        self.destroys = true;
        self
    }

    /// Where to go instead, relative to this page.
    #[must_use]
    pub fn or_back_to(mut self, place: impl Into<String>) -> Self {
        self.cancel = Some(place.into());
        self
    }

    /// With what was typed.
    #[must_use]
    pub fn filled(mut self, typed: &Typed) -> Self {
        let fields = self.fields.into_iter();
        self.fields = fields.map(|field| field.filled(typed)).collect();
        self
    }

    /// Says what is wrong: beside the fields it is about, and what is about none of them above all.
    #[must_use]
    pub fn refused(mut self, problem: &Problem) -> Self {
        match (problem.errors(), problem.field.as_deref()) {
            ([], place) => self.note(place.unwrap_or_default(), &said(problem)),
            (errors, _) => {
                for error in errors {
                    let said = match &error.suggestion {
                        Some(suggestion) => format!("{} {suggestion}", error.detail),
                        None => error.detail.clone(),
                    };
                    self.note(&error.pointer, &said);
                }
            }
        }
        let mut fields = self.fields.iter_mut();
        if let Some(first) = fields.find(|field| field.error.is_some()) {
            first.focused = true;
        }
        self
    }

    /// `place` is a field's name, or a JSON Pointer.
    fn note(&mut self, place: &str, said: &str) {
        let name = place.strip_prefix('/').unwrap_or(place).replace('/', ".");
        let mut fields = self.fields.iter_mut();
        match fields.find(|field| field.name == name) {
            // What is sent is for programs, and so names it as they do.
            Some(field) => {
                let said = said.replace(&format!("The field `{name}`"), "This");
                let said = said.replace(&format!(" of the field `{name}`"), "");
                field.error.get_or_insert(quoted(&said));
                // What is wrong says what the hint does, and more.
                field.hint = None;
            }
            None => self.errors.push(quoted(said)),
        }
    }

    /// Whether anything is wrong.
    fn is_refused(&self) -> bool {
        !self.errors.is_empty() || self.fields.iter().any(|field| field.error.is_some())
    }

    /// The fields that something is wrong with.
    fn wrong(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.error.is_some())
    }
}

/// Quotation marks of people in place of those of programs.
fn quoted(said: &str) -> String {
    let mut opens = true;
    let quote = |c| match c {
        '`' => {
            let mark = if opens { '“' } else { '”' };
            opens = !opens;
            mark
        }
        c => c,
    };
    said.chars().map(quote).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::{
        Code,
        particulars::{Particulars, WrongPlace},
    };

    fn form() -> Form {
        let fields = vec![
            Field::text("name", "Name"),
            Field::text("filter.within", "Within"),
            Field::password("password", "Password", "new-password"),
            Field::new("on", "On", Kind::Box),
        ];
        Form::new("./x", "Send", fields)
    }

    #[test]
    fn what_was_typed_is_seen_whatever_it_is() {
        for (line, value, shown) in [
            ("date", "2026-03-01", "date"),
            ("date", "", "date"),
            ("date", "yesterday", "text"),
            ("date", "2026-03-01T10:00", "text"),
            ("datetime-local", "2026-03-01T10:00:00.5", "datetime-local"),
            ("datetime-local", "2026-03-01", "text"),
            ("number", "400", "number"),
            ("number", "many", "text"),
            ("email", "nobody", "email"),
        ] {
            let field = Field::new("x", "X", Kind::Line(line)).with(value);
            let html = field.render().unwrap();
            let expected = format!("type=\"{shown}\" value=\"{value}\"");
            assert!(html.contains(&expected), "{html}");
        }
    }

    fn errors(form: &Form) -> Vec<(&str, Option<&str>)> {
        let fields = form.fields.iter();
        let errors = fields.map(|field| (field.name.as_str(), field.error.as_deref()));
        errors.filter(|(_, error)| error.is_some()).collect()
    }

    fn places(pointers: &[&str]) -> Problem {
        let place = |pointer: &&str| WrongPlace {
            pointer: (*pointer).to_owned(),
            detail: format!("wrong at {pointer}"),
            suggestion: None,
        };
        Problem::from(Code::InvalidFilter).telling(Particulars {
            errors: pointers.iter().map(place).collect(),
            ..Particulars::default()
        })
    }

    #[test]
    fn what_is_wrong_stands_beside_its_field() {
        let problem = Problem::from(Code::InvalidBody)
            .with_detail("The field `name` is missing: it is a text.")
            .of_field("name");
        let refused = form().refused(&problem);
        assert_eq!(
            errors(&refused),
            [("name", Some("This is missing: it is a text."))]
        );
        assert!(refused.errors.is_empty() && refused.fields[0].focused);

        let refused = form().refused(&places(&["/filter/within", "/on", "/filter/include/0", ""]));
        let expected = [
            ("filter.within", Some("wrong at /filter/within")),
            ("on", Some("wrong at /on")),
        ];
        assert_eq!(errors(&refused), expected);
        assert_eq!(refused.errors, ["wrong at /filter/include/0", "wrong at "]);
        assert!(refused.fields[1].focused && !refused.fields[3].focused);

        let hinted = form().fields.remove(0).hint("Some letters.");
        let hinted = Form::new("./x", "Send", vec![hinted]);
        assert!(hinted.refused(&problem).fields[0].hint.is_none());

        let refused = form().refused(&Code::LastAdmin.into());
        assert_eq!(errors(&refused), []);
        assert_eq!(refused.errors, [Code::LastAdmin.detail()]);
    }

    #[test]
    fn what_was_typed_is_kept_but_for_passwords() {
        let typed = Typed::new(b"name=a&filter.within=%22%3Cb%3E&password=secret&on=on");
        let html = form().filled(&typed).render().unwrap();
        assert!(
            html.contains(r#"value="a""#) && html.contains(" checked"),
            "{html}"
        );
        assert!(!html.contains("secret") && !html.contains("<b>"), "{html}");
        let html = form().filled(&Typed::default()).render().unwrap();
        assert!(!html.contains(" checked"), "{html}");
    }

    /// What a screen reader needs: labels, and where hint and error are.
    #[test]
    fn fields_say_what_they_are() {
        let mut field = Field::text("filter.within", "Within").hint("Some days.");
        field.error = Some("Too long.".to_owned());
        let html = field.render().unwrap();
        for said in [
            r#"<label for="filter-within">Within</label>"#,
            r#"id="filter-within" name="filter.within""#,
            r#"aria-describedby="filter-within-hint filter-within-error""#,
            r#"aria-invalid="true""#,
            r#"<p class="error" id="filter-within-error">Too long.</p>"#,
            "required",
        ] {
            assert!(html.contains(said), "{said}: {html}");
        }
        let options = [("a", "A"), ("b", "B")];
        let html = Field::select("x", "X", &options)
            .with("b")
            .render()
            .unwrap();
        assert!(
            html.contains(r#"<option value="b" selected>B</option>"#),
            "{html}"
        );
        assert!(html.contains(r#"<option value="a">A</option>"#), "{html}");
        let radios = vec![("a".to_owned(), "A".to_owned(), "First.".to_owned())];
        let html = Field::new("x", "X", Kind::Radios(radios))
            .with("a")
            .render()
            .unwrap();
        assert!(
            html.contains("<legend>X</legend>") && html.contains(r#"value="a" checked"#),
            "{html}"
        );
        let html = Field::new("x", "X", Kind::Lines)
            .with("\na</textarea>")
            .render()
            .unwrap();
        // HTML drops the first line feed of what is in it.
        assert!(
            html.contains(">\n\na&#60;/textarea&#62;</textarea>"),
            "{html}"
        );
    }
}
