//! What visits carried most.

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::Value;

use super::range::Range;
use crate::{
    auth::{May, permission::ReadRecord},
    console::shown::Exact,
    edge::{Problem, QueryOf},
    record::{
        Record,
        path::NameInPath,
        values::{Counted, Values, ValuesQuery, get_values},
    },
};

/// Values of a field that are shown.
const MOST: &str = "8";

/// The fields that each visit may have, and what they are called.
const FIELDS: [(&str, &str); 4] = [
    ("path", "Paths"),
    ("referrer", "Referrers"),
    ("campaign", "Campaigns"),
    ("country", "Countries"),
];

/// The most frequent values of one field.
pub struct Panel {
    /// What the field is called.
    pub title: String,
    /// The values.
    pub rows: Vec<Row>,
    /// Visits with other values.
    pub other: Option<Exact>,
}

/// A value.
pub struct Row {
    /// What the visits say; `None` if they say nothing.
    pub text: Option<String>,
    /// How many.
    pub visits: Exact,
    /// By how many visitors.
    pub visitors: Exact,
    /// How many of a thousand visits.
    pub share: u64,
}

/// The most frequent values of all fields, and of a property if one is named.
///
/// # Errors
///
/// Those of the API.
pub async fn panels(
    record: &Record,
    may: May<ReadRecord>,
    name: &str,
    range: &Range,
    property: &str,
) -> Result<Vec<Panel>, Problem> {
    let of = |field: String, title: String| {
        let query = ValuesQuery {
            field: Some(field),
            from: range.from.clone(),
            to: range.to.clone(),
            tz: Some(range.tz.clone()),
            limit: Some(MOST.to_owned()),
        };
        let path = Path(NameInPath::from(name.to_owned()));
        let values = get_values(State(record.clone()), may.again(), path, QueryOf(query));
        // Together they would be too large for a stack.
        Box::pin(async move {
            let Json(values) = values.await?;
            Ok::<_, Problem>(panel(title, values))
        })
    };
    let [paths, referrers, campaigns, countries] =
        FIELDS.map(|(field, title)| of(field.to_owned(), title.to_owned()));
    let (paths, referrers, campaigns, countries) =
        futures_util::try_join!(paths, referrers, campaigns, countries)?;
    let mut panels = vec![paths, referrers, campaigns, countries];
    if !property.is_empty() {
        let title = format!("Property {property}");
        panels.push(of(format!("properties.{property}"), title).await?);
    }
    Ok(panels)
}

fn panel(title: String, values: Values) -> Panel {
    let all = values.visits.max(1);
    let carried = values.values.iter().any(|value| !value.value.is_null());
    let rows = values.values.into_iter().map(|counted| row(counted, all));
    Panel {
        title,
        // That no visit says anything is no row.
        rows: if carried { rows.collect() } else { Vec::new() },
        other: (values.other.visits > 0).then(|| values.other.visits.into()),
    }
}

fn row(
    Counted {
        value,
        visits,
        visitors,
    }: Counted,
    all: u64,
) -> Row {
    Row {
        text: match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        },
        visits: visits.into(),
        visitors: visitors.into(),
        // Visits of one counter are far below what this has room for.
        share: visits.saturating_mul(1000) / all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::values::Other;

    #[test]
    fn values_of_all_kinds_are_text_and_none_is_none() {
        let counted = |value: Value, visits| Counted {
            value,
            visits,
            visitors: 1,
        };
        let values = Values {
            values: vec![
                counted("/a".into(), 3),
                counted(true.into(), 2),
                counted(1.5.into(), 2),
                counted(Value::Null, 1),
            ],
            other: Other { visits: 2 },
            visits: 10,
            visitors: 4,
        };
        let panel = panel("x".into(), values);
        let rows = panel.rows.iter();
        let rows: Vec<_> = rows.map(|row| (row.text.as_deref(), row.share)).collect();
        let expected = [
            (Some("/a"), 300),
            (Some("true"), 200),
            (Some("1.5"), 200),
            (None, 100),
        ];
        assert_eq!(rows, expected);
        assert_eq!(panel.other, Some(Exact(2)));
    }

    #[test]
    fn where_nothing_is_carried_there_is_no_row() {
        let values = Values {
            values: vec![Counted {
                value: Value::Null,
                visits: 5,
                visitors: 0,
            }],
            other: Other { visits: 0 },
            visits: 5,
            visitors: 0,
        };
        assert!(panel("x".into(), values).rows.is_empty());
    }
}
