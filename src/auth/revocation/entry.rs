//! A revocation as it is kept: what is revoked, since when and for how long that matters.

use std::fmt;

use uuid::Uuid;

/// What is no longer good, though no token says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// All tokens of a session, or an API token by what its secret is revoked by.
    Session(Uuid),
    /// All tokens of a user that were issued for a generation below this one.
    User {
        /// The user.
        id: Uuid,
        /// The first generation that is good.
        below: i64,
        /// The session that stays good: the one that changed its own password.
        except: Option<Uuid>,
    },
    /// All tokens of a company that were issued for a generation below this one.
    Company {
        /// The company.
        id: Uuid,
        /// The first generation that is good.
        below: i64,
    },
}

/// A revocation and its times, in Unix milliseconds by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What is revoked.
    pub revocation: Revocation,
    /// When it was noted.
    pub noted_at: i64,
    /// From then on no token is left that it would end.
    pub until: i64,
}

/// A revocation as columns: its kind, whose it is, the generation, the session that is left out.
pub type Columns = (String, Uuid, Option<i64>, Option<Uuid>);

impl Revocation {
    /// As a row has it.
    pub fn columns(&self) -> (&'static str, Uuid, Option<i64>, Option<Uuid>) {
        match *self {
            Self::Session(id) => ("session", id, None, None),
            Self::User { id, below, except } => ("user", id, Some(below), except),
            Self::Company { id, below } => ("company", id, Some(below), None),
        }
    }

    /// Reads a row; `None` if it is of a kind that this version does not know.
    pub fn from_columns((kind, id, below, except): Columns) -> Option<Self> {
        match (kind.as_str(), below) {
            ("session", _) => Some(Self::Session(id)),
            ("user", Some(below)) => Some(Self::User { id, below, except }),
            ("company", Some(below)) => Some(Self::Company { id, below }),
            _ => None,
        }
    }
}

/// `KIND|ID|BELOW|EXCEPT|NOTED|UNTIL`, what does not apply being empty. The end comes last, where
/// the script that trims looks for it.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, id, below, except) = self.revocation.columns();
        write!(f, "{kind}|{}|", id.simple())?;
        if let Some(below) = below {
            write!(f, "{below}")?;
        }
        f.write_str("|")?;
        if let Some(except) = except {
            write!(f, "{}", except.simple())?;
        }
        write!(f, "|{}|{}", self.noted_at, self.until)
    }
}

impl Entry {
    /// Reads what [`fmt::Display`] writes; `None` if it is none, or of a kind that this version does
    /// not know.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('|');
        let mut next = || fields.next();
        let (kind, id, below, except) = (next()?.to_owned(), next()?, next()?, next()?);
        let (noted_at, until) = (next()?.parse().ok()?, next()?.parse().ok()?);
        if next().is_some() {
            return None;
        }
        let below = (!below.is_empty()).then(|| below.parse()).transpose();
        let except = (!except.is_empty()).then(|| except.parse()).transpose();
        let columns = (kind, id.parse().ok()?, below.ok()?, except.ok()?);
        Some(Self {
            revocation: Revocation::from_columns(columns)?,
            noted_at,
            until,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
        for revocation in [
            Revocation::Session(id),
            Revocation::User {
                id,
                below: 2,
                except: None,
            },
            Revocation::User {
                id,
                below: i64::MAX,
                except: Some(other),
            },
            Revocation::Company { id, below: 1 },
        ] {
            let entry = Entry {
                revocation,
                noted_at: 1_700_000_000_000,
                until: 1_700_000_900_000,
            };
            assert_eq!(Entry::parse(&entry.to_string()), Some(entry));
        }
    }

    #[test]
    fn what_is_none_is_not_read() {
        let id = Uuid::now_v7().simple().to_string();
        for text in [
            String::new(),
            "session".into(),
            format!("session|{id}|||1"),
            format!("session|{id}|||1|2|3"),
            format!("session|{id}|||1|x"),
            "session|x|||1|2".into(),
            format!("user|{id}|||1|2"),
            format!("user|{id}|x||1|2"),
            format!("user|{id}|1|x|1|2"),
            format!("planet|{id}|||1|2"),
        ] {
            assert_eq!(Entry::parse(&text), None, "{text}");
        }
    }
}
