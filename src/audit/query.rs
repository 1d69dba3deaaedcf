//! What a client may ask of `GET /api/audit`.

use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Actor, Outcome, Position, page::Selection, time};
use crate::{
    auth::{Caller, role::Role},
    edge::{
        Code, Problem,
        page::Page,
        query::{given, invalid},
    },
};

/// Which entries, and which page of them. Forms send what was left empty, so empty is absent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct AuditQuery {
    /// Who did it: an id, or a kind: `user`, `api_token`, `operator`, `command`, `system` or `anonymous`.
    #[param(
        pattern = "^(|user|api_token|operator|command|system|anonymous|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$",
        example = "anonymous"
    )]
    pub actor: Option<String>,
    /// What was done: `session.login`, or with all that begins alike: `session.*`.
    #[param(
        pattern = "^(|[a-z_]{1,40}\\.([a-z_]{1,40}|\\*))$",
        example = "session.*"
    )]
    pub action: Option<String>,
    /// How it ended.
    #[param(pattern = "^(|success|failure|denied)$", example = "failure")]
    pub outcome: Option<String>,
    /// From this time on (RFC 3339).
    #[param(
        pattern = "^(|[0-9]{4}-[01][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?([Zz]|[+-][01][0-9]:[0-5][0-9]))$",
        example = "2026-01-01T00:00:00Z"
    )]
    pub from: Option<String>,
    /// Before this time (RFC 3339).
    #[param(
        pattern = "^(|[0-9]{4}-[01][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?([Zz]|[+-][01][0-9]:[0-5][0-9]))$",
        example = "2030-01-01T00:00:00Z"
    )]
    pub to: Option<String>,
    /// The company, for operators, who without it see all companies. Others may name their own only.
    #[param(pattern = "^(|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$")]
    pub company: Option<String>,
    /// `next` of the page before, as it is; empty for the first page. Not with NDJSON.
    #[param(pattern = "^(1-[0-9a-f]{64})?$")]
    pub cursor: Option<String>,
    /// Entries on the page; empty for the default. Not with NDJSON.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<String>,
}

fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (1..=40).contains(&text.len()) && text.bytes().all(plain)
}

impl AuditQuery {
    /// What is asked for, as far as this caller may see it.
    ///
    /// # Errors
    ///
    /// The problem, with the name of the parameter.
    pub fn selection(&self, caller: &Caller) -> Result<Selection, Problem> {
        let mut selection = Selection {
            company: self.company(caller)?,
            from: self.time("from", &self.from)?,
            to: self.time("to", &self.to)?,
            outcome: self.outcome()?,
            ..Selection::default()
        };
        if let Some(actor) = given(self.actor.as_deref()) {
            selection.actor = Actor::KINDS.into_iter().find(|kind| *kind == actor);
            if selection.actor.is_none() {
                let id = id(actor).ok_or_else(|| {
                    let kinds = Actor::KINDS.join(", ");
                    invalid(format!("actor must be an id, or one of {kinds}."))
                });
                selection.actor_id = Some(id?);
            }
        }
        if let Some(action) = given(self.action.as_deref()) {
            match action.split_once('.') {
                Some((group, "*")) if is_word(group) => {
                    selection.group = Some(format!("{group}."));
                }
                Some((group, verb)) if is_word(group) && is_word(verb) => {
                    selection.action = Some(action.to_owned());
                }
                _ => {
                    return Err(invalid(
                        "action must be like session.login, or like session.*",
                    ));
                }
            }
        }
        Ok(selection)
    }

    /// Another's company is as one that has no entries would be: nothing says whether it is there.
    fn company(&self, caller: &Caller) -> Result<Option<Uuid>, Problem> {
        let own = caller.company.id();
        let Some(asked) = given(self.company.as_deref()) else {
            return Ok((caller.role < Role::Operator).then_some(own));
        };
        let asked = id(asked).ok_or_else(|| invalid("company must be the id of a company."))?;
        match caller.role >= Role::Operator || asked == own {
            true => Ok(Some(asked)),
            false => Err(Code::NotFound.into()),
        }
    }

    fn outcome(&self) -> Result<Option<Outcome>, Problem> {
        let Some(asked) = given(self.outcome.as_deref()) else {
            return Ok(None);
        };
        let outcome = Outcome::ALL.iter().find(|outcome| outcome.text() == asked);
        outcome
            .map(|outcome| Some(*outcome))
            .ok_or_else(|| invalid("outcome must be success, failure or denied."))
    }

    fn time(&self, name: &str, value: &Option<String>) -> Result<Option<i64>, Problem> {
        let Some(asked) = given(value.as_deref()) else {
            return Ok(None);
        };
        let time = time::parse(asked);
        time.map(Some).ok_or_else(|| {
            invalid(format!(
                "{name} must be a time like 2026-03-01T12:00:00Z (RFC 3339); a `+` in it is sent as %2B."
            ))
        })
    }

    /// Which page of them.
    ///
    /// # Errors
    ///
    /// `invalid_query`, with the name of the parameter.
    pub fn page(&self) -> Result<Page<Position>, Problem> {
        Page::new(self.cursor.as_deref(), self.limit.as_deref())
    }

    /// Refuses what is for pages only.
    ///
    /// # Errors
    ///
    /// If a page is asked for.
    pub fn of_no_page(&self) -> Result<(), Problem> {
        match (given(self.cursor.as_deref()), given(self.limit.as_deref())) {
            (None, None) => Ok(()),
            _ => Err(invalid(
                "cursor and limit are for pages: application/x-ndjson has all entries at once.",
            )),
        }
    }
}

/// A UUID in the one form that answers have, in either case.
fn id(text: &str) -> Option<Uuid> {
    text.parse().ok().filter(|_| text.len() == 36)
}
