//! All names of tables and columns that a question can have: nothing that a filter says becomes one.

use std::borrow::Cow;

use sea_query::Iden;

/// Declares the names, each as it stands in the database.
macro_rules! names {
    ($($variant:ident = $name:literal,)+) => {
        /// A table or a column.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Name { $(#[doc = concat!("`", $name, "`")] $variant,)+ }

        impl Name {
            fn text(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

names! {
    At = "at",
    AudienceFilters = "audience_filters",
    Audiences = "audiences",
    Campaign = "campaign",
    Country = "country",
    Day = "day",
    Field = "field",
    Filter = "filter",
    Hash = "hash",
    Id = "id",
    Number = "number",
    Page = "page",
    Path = "path",
    RecordingId = "recording_id",
    Referrer = "referrer",
    Slices = "slices",
    Text = "text",
    Texts = "texts",
    ValueDays = "value_days",
    Visitor = "visitor",
    VisitorDays = "visitor_days",
    Visitors = "visitors",
    Visits = "visits",
}

impl Iden for Name {
    fn quoted(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.text())
    }

    fn unquoted(&self) -> &str {
        self.text()
    }
}
