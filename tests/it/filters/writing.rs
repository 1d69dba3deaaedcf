//! The same filter, written in another way.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// Groups within each other, as many as there may be.
const DEPTH: usize = 5;

/// Conditions, as many as there may be.
const LEAVES: usize = 50;

/// Bytes, as many as there may be.
const BYTES: usize = 16 * 1024;

/// Choices that are the same for the same seed (xorshift64).
pub struct Choices(u64);

impl Choices {
    pub fn of(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below this one.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.below(last + 1));
        }
    }
}

/// Writes a filter so that it says the same: in another order, with repeats, with groups of one, with numbers,
/// times and texts written otherwise.
pub fn rewritten(filter: &Value, choices: &mut Choices) -> String {
    let mut writer = Writer {
        leaves: leaves(filter),
        choices,
    };
    let sides = ["include", "exclude"].into_iter().filter_map(|side| {
        let node = filter.get(side)?;
        Some((side, writer.node(node, 1)))
    });
    let mut members: Vec<_> = sides.collect();
    members.push(("version", writer.number(&filter["version"])));
    let written = writer.object(members);
    // What was too much is what the filter is without it.
    match written.len() > BYTES {
        true => filter.to_string(),
        false => written,
    }
}

/// How deep the groups of a node are.
fn height(node: &Value) -> usize {
    ["all", "any"]
        .into_iter()
        .filter_map(|group| node.get(group)?.as_array())
        .map(|children| 1 + children.iter().map(height).max().unwrap_or_default())
        .max()
        .unwrap_or_default()
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(members) => match members.get("did") {
            Some(did) => did["where"].as_array().map_or(0, Vec::len).max(1),
            None if members
                .keys()
                .any(|name| name.starts_with("visitor") || name == "audience") =>
            {
                1
            }
            None => members.values().map(leaves).sum(),
        },
        Value::Array(values) => values.iter().map(leaves).sum(),
        _ => 0,
    }
}

struct Writer<'a> {
    leaves: usize,
    choices: &'a mut Choices,
}

impl Writer<'_> {
    /// Of these leaves there may be more, if there is room.
    fn takes(&mut self, more: usize) -> bool {
        let fits = self.leaves + more <= LEAVES && self.choices.once_in(4);
        self.leaves += if fits { more } else { 0 };
        fits
    }

    fn node(&mut self, node: &Value, depth: usize) -> String {
        let room = depth + height(node) <= DEPTH;
        if room && self.choices.once_in(3) {
            let group = ["all", "any"][self.choices.below(2)];
            let inner = json!({group: [node]});
            return self.group(group, &inner[group], depth);
        }
        let members = node.as_object().expect("an object");
        for group in ["all", "any"] {
            if let Some(children) = members.get(group) {
                return self.group(group, children, depth);
            }
        }
        match members.get("did") {
            Some(did) => {
                let did = self.did(did);
                self.object(vec![("did", did)])
            }
            None => self.condition(members),
        }
    }

    fn group(&mut self, group: &'static str, children: &Value, depth: usize) -> String {
        let mut children = children.as_array().expect("a list").clone();
        for child in children.clone() {
            if self.takes(leaves(&child)) {
                children.push(child);
            }
        }
        self.choices.shuffle(&mut children);
        // A part of it, in a group of the same kind.
        let tallest = children.iter().map(height).max().unwrap_or_default();
        if depth + 1 + tallest < DEPTH && self.choices.once_in(3) {
            let part = children.split_off(self.choices.below(children.len()));
            children.push(json!({group: part}));
        }
        let children = children
            .iter()
            .map(|child| self.node(child, depth + 1))
            .collect();
        let children = self.list(children);
        self.object(vec![(group, children)])
    }

    fn did(&mut self, did: &Value) -> String {
        let mut members = Vec::new();
        members.push(("counter", self.text(&did["counter"])));
        let mut times = did.get("times").cloned().unwrap_or(json!({}));
        let times = times.as_object_mut().expect("an object");
        if !times.contains_key("at_least") && self.choices.once_in(2) {
            times.insert("at_least".to_owned(), json!(1));
        }
        if !times.is_empty() {
            members.push(("times", self.numbers(times)));
        }
        if let Some(within) = did.get("within") {
            let within = match within.get("days") {
                Some(_) => self.numbers(within.as_object().expect("an object")),
                None => {
                    let from = self.time(&within["from"]);
                    let to = self.time(&within["to"]);
                    self.object(vec![("from", from), ("to", to)])
                }
            };
            members.push(("within", within));
        }
        let mut conditions = did["where"].as_array().cloned().unwrap_or_default();
        for condition in conditions.clone() {
            if self.takes(1) {
                conditions.push(condition);
            }
        }
        self.choices.shuffle(&mut conditions);
        if !conditions.is_empty() || self.choices.once_in(4) {
            let conditions = conditions
                .iter()
                .map(|condition| self.condition(condition.as_object().expect("an object")))
                .collect();
            members.push(("where", self.list(conditions)));
        }
        self.object(members)
    }

    fn numbers(&mut self, numbers: &Map<String, Value>) -> String {
        let members = numbers
            .iter()
            .map(|(name, number)| (name.as_str(), self.number(number)))
            .collect();
        self.object(members)
    }

    /// A condition, or the reference to an audience.
    fn condition(&mut self, condition: &Map<String, Value>) -> String {
        let is_country = ["field", "visitor"]
            .iter()
            .any(|name| condition.get(*name).is_some_and(|field| field == "country"));
        let members = condition
            .iter()
            .map(|(name, value)| match (name.as_str(), value) {
                ("exists", Value::Bool(value)) if self.choices.once_in(2) => {
                    ("missing", (!value).to_string())
                }
                ("missing", Value::Bool(value)) if self.choices.once_in(2) => {
                    ("exists", (!value).to_string())
                }
                ("audience", Value::String(id)) if self.choices.once_in(2) => {
                    ("audience", format!("\"{}\"", id.to_uppercase()))
                }
                (name, Value::Array(values)) => {
                    let mut values = values.clone();
                    for value in values.clone() {
                        if is_country && self.choices.once_in(2) {
                            values.push(value.as_str().expect("a text").to_lowercase().into());
                        }
                        if self.choices.once_in(3) {
                            values.push(value);
                        }
                    }
                    self.choices.shuffle(&mut values);
                    let values = values.iter().map(|value| self.scalar(value)).collect();
                    (name, self.list(values))
                }
                (name, value) => (name, self.scalar(value)),
            });
        let members = members.collect();
        self.object(members)
    }

    fn scalar(&mut self, value: &Value) -> String {
        match value {
            Value::String(_) => self.text(value),
            Value::Number(_) => self.number(value),
            other => other.to_string(),
        }
    }

    fn number(&mut self, number: &Value) -> String {
        let plain = number.to_string();
        // Beyond this not every integer is a double, and only its plain digits are it.
        let is_small = number.as_f64().is_some_and(|number| number.abs() < 1e15);
        if !is_small || plain.contains('e') {
            return plain;
        }
        let zeros = "0".repeat(1 + self.choices.below(3));
        match plain.split_once('.') {
            None => match self.choices.below(5) {
                0 => format!("{plain}.{zeros}"),
                1 => format!("{plain}e0"),
                2 => format!("{plain}.{zeros}E+0"),
                3 if plain != "0" => format!("{plain}{zeros}e-{}", zeros.len()),
                _ => plain,
            },
            Some((whole, fraction)) => match self.choices.below(4) {
                0 => format!("{plain}{zeros}"),
                1 => format!("{plain}e-0"),
                2 if whole != "0" && whole != "-0" => {
                    format!("{whole}{fraction}e-{}", fraction.len())
                }
                _ => plain,
            },
        }
    }

    fn time(&mut self, time: &Value) -> String {
        let text = time.as_str().expect("a text");
        let instant = humantime::parse_rfc3339(text).expect("a time in UTC");
        let hours = 1 + self.choices.below(23) as u64;
        let shifted = match self.choices.below(2) {
            0 => (
                instant + Duration::from_secs(hours * 3600),
                format!("+{hours:02}:00"),
            ),
            _ if instant > UNIX_EPOCH + Duration::from_secs(86_400) => (
                instant - Duration::from_secs(hours * 3600),
                format!("-{hours:02}:00"),
            ),
            _ => (instant, "+00:00".to_owned()),
        };
        let written = match self.choices.below(5) {
            0 => text.to_lowercase(),
            1 => text.replace('Z', "000Z"),
            2 => text.replace(".000Z", "Z"),
            3 => text.to_owned(),
            _ => {
                let (instant, offset) = shifted;
                let local = humantime::format_rfc3339_millis(instant).to_string();
                local.replace('Z', &offset)
            }
        };
        format!("\"{written}\"")
    }

    /// Some of its characters escaped (RFC 8259, section 7).
    fn text(&mut self, text: &Value) -> String {
        let text = text.as_str().expect("a text");
        let mut written = String::from("\"");
        for character in text.chars() {
            let must = character < ' ' || character == '"' || character == '\\';
            if must || self.choices.once_in(8) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    written.push_str(&match self.choices.below(2) {
                        0 => format!("\\u{unit:04x}"),
                        _ => format!("\\u{unit:04X}"),
                    });
                }
            } else {
                written.push(character);
            }
        }
        written.push('"');
        written
    }

    fn list(&mut self, values: Vec<String>) -> String {
        let blank = self.blank();
        format!("[{blank}{}]", values.join(&format!("{blank},")))
    }

    fn object(&mut self, members: Vec<(&str, String)>) -> String {
        let mut members: Vec<_> = members
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":{}{value}", self.blank()))
            .collect();
        self.choices.shuffle(&mut members);
        format!("{{{}{}}}", members.join(","), self.blank())
    }

    fn blank(&mut self) -> &'static str {
        ["", "", "", " ", "\n", "\t\r\n "][self.choices.below(6)]
    }
}
