//! What differs between audiences and presets.

use crate::{
    audit::{Action, Kind},
    edge::{
        Code, Problem,
        particulars::{Particulars, Thing},
    },
};

/// As many of each a company may have: who refers to whom is looked at as a whole with every change.
pub const MOST: i64 = 1000;

/// One of the two lists that a company has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Audiences.
    Audiences,
    /// Presets.
    Presets,
}

/// What another one has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The name, or one that looks like it.
    Name,
    /// The filter, or one that means the same.
    Filter,
}

impl List {
    /// What one of them is called.
    pub fn one(self) -> &'static str {
        match self {
            Self::Audiences => "audience",
            Self::Presets => "preset",
        }
    }

    /// The last part of its path.
    pub fn path(self) -> &'static str {
        match self {
            Self::Audiences => "audiences",
            Self::Presets => "presets",
        }
    }

    /// The member of a body that has the name.
    pub fn name_field(self) -> &'static str {
        match self {
            Self::Audiences => "name",
            Self::Presets => "preset_name",
        }
    }

    /// The member of a body that has the filter.
    pub fn filter_field(self) -> &'static str {
        match self {
            Self::Audiences => "filter",
            Self::Presets => "preset_filter_json",
        }
    }

    /// As the audit trail calls it.
    pub fn kind(self) -> Kind {
        match self {
            Self::Audiences => Kind::Audience,
            Self::Presets => Kind::Preset,
        }
    }

    /// That one was made.
    pub fn create(self) -> Action {
        match self {
            Self::Audiences => Action::AudienceCreate,
            Self::Presets => Action::PresetCreate,
        }
    }

    /// That one was changed.
    pub fn update(self) -> Action {
        match self {
            Self::Audiences => Action::AudienceUpdate,
            Self::Presets => Action::PresetUpdate,
        }
    }

    /// That one was deleted.
    pub fn delete(self) -> Action {
        match self {
            Self::Audiences => Action::AudienceDelete,
            Self::Presets => Action::PresetDelete,
        }
    }

    /// There are as many as there may be.
    pub fn full(self) -> Code {
        match self {
            Self::Audiences => Code::AudiencesFull,
            Self::Presets => Code::PresetsFull,
        }
    }

    /// Another one is in the way.
    pub fn taken(self, what: Taken, other: Thing) -> Problem {
        let code = match (self, what) {
            (Self::Audiences, Taken::Name) => Code::AudienceNameTaken,
            (Self::Audiences, Taken::Filter) => Code::AudienceFilterExists,
            (Self::Presets, Taken::Name) => Code::PresetNameTaken,
            (Self::Presets, Taken::Filter) => Code::PresetFilterExists,
        };
        let (one, Thing { id, name, .. }) = (self.one(), &other);
        let (field, detail) = match what {
            Taken::Name => (
                self.name_field(),
                format!("The {one} `{name}` ({id}) has this name, or one that looks like it."),
            ),
            Taken::Filter => (
                self.filter_field(),
                format!(
                    "The {one} `{name}` ({id}) has this filter, or one that means the same: use that one."
                ),
            ),
        };
        Problem::from(code)
            .with_detail(detail)
            .of_field(field)
            .telling(Particulars {
                existing: Some(other),
                ..Particulars::default()
            })
    }
}
