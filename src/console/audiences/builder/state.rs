//! What the builder has in it: a name, rules, and their JSON, which can be edited as well.

use sha2::{Digest, Sha256};

use super::{draft::Draft, fields::Fields, places::Errors, pretty::pretty};
use crate::{audiences::saved::read_filter, audit::verify::hex};

/// What is said where both were edited.
const BOTH: &str = "You have changed both the rules and this JSON. Take the JSON over into the rules, or go on without what you changed in it.";

/// What the builder has in it.
#[derive(Debug, Default)]
pub struct State {
    /// What it is to be called.
    pub name: String,
    /// The rules.
    pub draft: Draft,
    /// The JSON that is shown, if that is not of the rules.
    pub json: Option<String>,
    /// What is wrong.
    pub errors: Errors,
    /// The field that the cursor is in.
    pub cursor: Option<String>,
}

impl State {
    /// Of a filter that was saved.
    pub fn of_saved(name: &str, filter: &str) -> Self {
        Self {
            name: name.to_owned(),
            draft: Draft::of_json(filter),
            ..Self::default()
        }
    }

    /// Of what was sent, by this button.
    pub fn of_sent(fields: &Fields<'_>, button: &str) -> Self {
        let mut state = Self {
            name: fields.get("name"),
            draft: fields.draft(),
            ..Self::default()
        };
        let (json, was) = (fields.get("json"), fields.get("json_was"));
        let is_edited = digest(&json) != was && !was.is_empty();
        let is_rule_edited = digest(&state.shown_json()) != was;
        let is_step = button.starts_with("add ") || button.starts_with("remove ");
        match button {
            "json" => state.take(json),
            "rules" => {}
            _ if !is_edited || matches!(state.draft, Draft::Json(_)) => {}
            _ if is_rule_edited || is_step => {
                state.errors.note("json", BOTH);
                state.json = Some(json);
            }
            _ => state.take(json),
        }
        state
    }

    /// Takes JSON over into the rules. What cannot be is left as it is, with what is wrong with it, and so
    /// are the rules.
    fn take(&mut self, json: String) {
        let draft = Draft::of_json(&json);
        match (&draft, &self.draft) {
            (Draft::Json(_), Draft::Rules(_)) => {
                if let Err(problem) = read_filter(&json, "") {
                    self.errors.note_places(&draft, "", problem.errors());
                }
                self.json = Some(json);
            }
            _ => self.draft = draft,
        }
    }

    /// The JSON as it is shown.
    pub fn shown_json(&self) -> String {
        match (&self.json, &self.draft) {
            (Some(json), _) | (None, Draft::Json(json)) => json.clone(),
            (None, draft) => pretty(&draft.write().json),
        }
    }

    /// By which it is seen whether the JSON was edited since it was shown.
    pub fn json_was(&self) -> String {
        match &self.json {
            // It was.
            Some(_) => digest(&pretty(&self.draft.write().json)),
            None => digest(&self.shown_json()),
        }
    }

    /// Notes all that is wrong with the filter, and gives its JSON.
    pub fn check(&mut self) -> String {
        let written = self.draft.write();
        let mut wrong = written.wrong;
        if let Err(problem) = read_filter(&written.json, "") {
            // What is wrong in the form is told in its own words, once.
            let own: Vec<_> = wrong.iter().map(|wrong| wrong.pointer.clone()).collect();
            let is_new = |pointer: &str| {
                let mut own = own.iter();
                !own.any(|own| {
                    pointer
                        .strip_prefix(own.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                })
            };
            let errors = problem.errors().iter();
            wrong.extend(errors.filter(|error| is_new(&error.pointer)).cloned());
        }
        self.errors.note_places(&self.draft, "", &wrong);
        written.json
    }
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text)[..16])
}
