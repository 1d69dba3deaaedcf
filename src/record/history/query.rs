//! What a client may ask of a history.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    edge::{
        Problem,
        query::{given, invalid},
    },
    record::{
        calendar::{Calendar, Unit},
        span,
    },
};

/// Which history. Forms send what was left empty, so empty is absent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryQuery {
    /// What a bucket is: `minute`, `hour`, `day`, `week` or `month`. Weeks begin on Monday; minutes are known of the last 90 days.
    #[param(pattern = "^(|minute|hour|day|week|month)$", example = "day")]
    pub unit: Option<String>,
    /// From this date in `tz`, or this time (RFC 3339), on; empty: from the first visit on.
    #[param(
        pattern = "^(|[0-9]{4}-[01][0-9]-[0-3][0-9]([Tt][0-2][0-9]:[0-5][0-9]:00(\\.0{1,9})?([Zz]|[+-][01][0-9]:[0-5][0-9]))?)$",
        example = "2026-01-01"
    )]
    pub from: Option<String>,
    /// Before this date in `tz`, or this time (RFC 3339); empty: to the last visit.
    #[param(
        pattern = "^(|[0-9]{4}-[01][0-9]-[0-3][0-9]([Tt][0-2][0-9]:[0-5][0-9]:00(\\.0{1,9})?([Zz]|[+-][01][0-9]:[0-5][0-9]))?)$",
        example = "2026-02-01"
    )]
    pub to: Option<String>,
    /// In which time zone hours, days, weeks and months begin: a name of the IANA database.
    #[param(pattern = "^[A-Za-z0-9_+/-]{0,64}$", example = "Europe/Berlin")]
    pub tz: Option<String>,
    /// `as_of` of another answer: as if no visit had been counted since.
    #[param(value_type = Option<u64>, minimum = 0)]
    pub as_of: Option<String>,
}

/// A history that can be asked for.
#[derive(Debug)]
pub struct Asked {
    /// What it is divided into, and where.
    pub calendar: Calendar,
    /// The minute it begins with.
    pub from: Option<i64>,
    /// The minute before which it ends.
    pub to: Option<i64>,
    /// Up to which number.
    pub as_of: Option<u64>,
}

impl HistoryQuery {
    /// What is asked for.
    ///
    /// # Errors
    ///
    /// `invalid_query`, with the name of the parameter.
    pub fn asked(&self) -> Result<Asked, Problem> {
        let unit = match given(self.unit.as_deref()) {
            None => Unit::Day,
            Some(name) => {
                let unit = Unit::ALL.into_iter().find(|unit| unit.name() == name);
                unit.ok_or_else(|| invalid("unit must be minute, hour, day, week or month."))?
            }
        };
        let zone = span::zone(given(self.tz.as_deref()))?;
        let minute = |name, value: &Option<String>| {
            let value = given(value.as_deref());
            value
                .map(|text| span::minute(name, text, &zone))
                .transpose()
        };
        let (from, to) = (minute("from", &self.from)?, minute("to", &self.to)?);
        if let (Some(from), Some(to)) = (from, to)
            && to <= from
        {
            return Err(invalid("to must be after from."));
        }
        Ok(Asked {
            from,
            to,
            as_of: as_of(self.as_of.as_deref())?,
            calendar: Calendar { zone, unit },
        })
    }
}

/// The number of a visit, which an answer has said.
///
/// # Errors
///
/// `invalid_query` if it is none.
pub fn as_of(value: Option<&str>) -> Result<Option<u64>, Problem> {
    let as_of = given(value).map(str::parse::<u64>).transpose();
    as_of.map_err(|_| not_yet())
}

/// A number that no answer has said.
pub fn not_yet() -> Problem {
    invalid("as_of must be the `as_of` of another answer about this counter.")
}
