//! Takes settings out of the merged sources, one by one, and remembers every
//! error and every origin on the way.

use std::{fmt, str::FromStr};

use figment::{Figment, Profile, value::Value};
use secrecy::SecretString;

use super::{
    SettingError,
    catalog::{SETTINGS, Setting},
    sources::{Errors, Layer, Merged},
};
use crate::text;

/// One line of `footfall config`.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The setting.
    pub setting: &'static Setting,
    /// Its value, redacted where it is secret.
    pub value: String,
    /// Where the value came from.
    pub origin: String,
}

/// How strong a value is: its layer, then whether the profile's own table set it.
pub(super) type Strength = (Layer, bool);

/// The origin of a value nobody set.
const BUILT_IN: &str = "built-in default";

/// A secret and how strong its source is.
pub(super) struct Secret {
    pub value: SecretString,
    pub strength: Strength,
}

/// Names a setting, and its origin unless that says the name already.
fn with_origin(name: &str, origin: &str) -> String {
    if origin.contains(name) {
        origin.to_owned()
    } else {
        format!("{name} ({origin})")
    }
}

/// The text of one setting and where it came from.
struct Raw {
    text: String,
    origin: String,
    strength: Strength,
}

/// Reads settings and collects what is wrong with them.
pub(super) struct Reader {
    figment: Figment,
    errors: Errors,
    pub shown: Vec<Shown>,
}

impl Reader {
    pub fn new(merged: Merged) -> Self {
        Self {
            figment: merged.figment,
            errors: merged.errors,
            shown: Vec::new(),
        }
    }

    /// Everything that was wrong.
    pub fn into_errors(self) -> Vec<SettingError> {
        self.errors.list
    }

    /// Whether nothing was wrong so far.
    pub fn is_sound(&self) -> bool {
        self.errors.list.is_empty()
    }

    /// Whether the value of a setting could not be taken: that has been said, and what stands in
    /// for it is not to be judged.
    pub fn is_broken(&self, key: &'static str) -> bool {
        let broken = &self.errors.broken;
        broken.contains(key) || broken.contains(&Setting::named(key).file_key())
    }

    /// A setting that always has a value. `None` means its error was recorded.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str) -> Option<T> {
        let raw = self.raw(key)?;
        self.show(key, raw.text.clone(), &raw.origin);
        match raw.text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let name = Setting::named(key).env_name();
                let what = format!("`{}`: {error}", raw.text);
                let error = SettingError::new(with_origin(&name, &raw.origin), what);
                self.errors.list.push(error);
                None
            }
        }
    }

    /// A secret, from its value or its file. `None` when it is unset, or when
    /// an error was recorded.
    pub fn secret(&mut self, key: &'static str) -> Option<Secret> {
        if self.is_broken(key) {
            return None;
        }
        let setting = Setting::named(key);
        let value = self.raw(key).filter(|raw| !raw.text.is_empty());
        let file = self
            .raw(&setting.file_key())
            .filter(|raw| !raw.text.is_empty());
        let raw = match (value, file) {
            (Some(value), Some(file)) if value.strength == file.strength => {
                let what = format!("{} sets it too; set only one of the two", file.origin);
                self.break_key(key, SettingError::new(value.origin, what));
                return None;
            }
            (Some(value), Some(file)) if value.strength > file.strength => value,
            (_, Some(file)) => match contents_of(file) {
                Ok(raw) => raw,
                Err(error) => {
                    self.break_key(key, error);
                    return None;
                }
            },
            (Some(value), None) => value,
            (None, None) => {
                let origin = self.raw(key).map_or(BUILT_IN.to_owned(), |raw| raw.origin);
                self.show(key, String::new(), &origin);
                return None;
            }
        };
        self.show(key, redact(setting, &raw.text), &raw.origin);
        Some(Secret {
            value: SecretString::from(raw.text),
            strength: raw.strength,
        })
    }

    /// A secret that must be set: `NAME=` in the environment is an error, not a request for the default.
    pub fn required_secret(&mut self, key: &'static str) -> Option<Secret> {
        let secret = self.secret(key);
        if secret.is_none() {
            self.reject(key, "must not be empty");
        }
        secret
    }

    /// Records an error found after parsing, under the origin of the setting; none about a value
    /// that could not be taken.
    pub fn reject(&mut self, key: &'static str, message: impl fmt::Display) {
        if self.is_broken(key) {
            return;
        }
        let shown = self.shown.iter().find(|shown| shown.setting.key == key);
        let origin = shown.map_or("unset", |shown| shown.origin.as_str());
        let name = Setting::named(key).env_name();
        let error = SettingError::new(with_origin(&name, origin), message);
        self.errors.list.push(error);
    }

    fn break_key(&mut self, key: &str, error: SettingError) {
        self.errors.list.push(error);
        self.errors.broken.insert(key.to_owned());
    }

    fn show(&mut self, key: &str, value: String, origin: &str) {
        self.shown.push(Shown {
            setting: Setting::named(key),
            value,
            origin: origin.to_owned(),
        });
    }

    fn raw(&mut self, key: &str) -> Option<Raw> {
        if self.errors.broken.contains(key) {
            return None;
        }
        let value = self.figment.find_value(key).ok()?;
        let tag = value.tag();
        // figment names only its own two profiles; any other is the selected one.
        let profile = tag.profile().unwrap_or(self.figment.profile().clone());
        let (layer, origin) = match self.figment.get_metadata(tag) {
            Some(metadata) => match metadata
                .source
                .as_ref()
                .and_then(|source| source.file_path())
            {
                Some(path) => (
                    Layer::File,
                    format!("{key} under [{profile}] in {}", path.display()),
                ),
                None => (Layer::of(metadata), metadata.name.to_string()),
            },
            None => (Layer::Default, BUILT_IN.to_owned()),
        };
        let text = match text_of(key, &value) {
            Some(text) => text::decode(text.as_bytes()).map(str::to_owned),
            None => {
                let what = if is_text(key) {
                    "expected a text, in quotes"
                } else {
                    "expected a text, a number or a list of them"
                };
                self.break_key(key, SettingError::new(origin, what));
                return None;
            }
        };
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                self.break_key(key, SettingError::new(origin, error));
                return None;
            }
        };
        Some(Raw {
            text,
            origin,
            strength: (layer, profile != Profile::Default),
        })
    }
}

/// Replaces the path of a secret's file by what the file holds.
fn contents_of(file: Raw) -> Result<Raw, SettingError> {
    let path = std::path::Path::new(&file.text);
    let origin = format!("{}, {}", file.origin, path.display());
    let problem = match std::fs::read(path) {
        Ok(bytes) => match text::decode(&bytes) {
            Ok("") => "the file is empty".to_owned(),
            Ok(secret) => {
                return Ok(Raw {
                    text: secret.to_owned(),
                    origin,
                    strength: file.strength,
                });
            }
            Err(error) => error.to_string(),
        },
        Err(error) => format!("the file cannot be read: {error}"),
    };
    Err(SettingError::new(origin, problem))
}

/// Whether a value means nothing but its own characters: of `1_000` or `1e3`, TOML leaves others.
fn is_text(key: &str) -> bool {
    let is_secret =
        |setting: &Setting| setting.secret && (key == setting.key || key == setting.file_key());
    key == "admin_username" || SETTINGS.iter().any(is_secret)
}

/// TOML allows numbers and lists where the environment has only text.
fn text_of(key: &str, value: &Value) -> Option<String> {
    if is_text(key) {
        return value.as_str().map(str::to_owned);
    }
    if let Some(entries) = value.as_array() {
        let entries: Option<Vec<_>> = entries.iter().map(|entry| text_of(key, entry)).collect();
        return Some(entries?.join(","));
    }
    let number = || match (key, value.to_i128()) {
        // TOML has octal numbers, and what is left of `0o660` is the number it means: 432. Where
        // the digits of such a number could be octal ones themselves, as of 440 or 511, nobody
        // knows which of the two modes is meant, and the wrong one would open the socket wider.
        ("socket_mode", Some(mode @ 0o600..=0o777))
            if mode == 0o660 || mode.to_string().contains(['8', '9']) =>
        {
            Some(format!("0{mode:o}"))
        }
        (_, Some(number)) => Some(number.to_string()),
        (_, None) => value.to_f64().map(|number| number.to_string()),
    };
    // A setting that is `on` or `off` says so of `true` better than a message about types would.
    let truth = || value.to_bool().map(|truth| truth.to_string());
    value
        .as_str()
        .map(str::to_owned)
        .or_else(number)
        .or_else(truth)
}

/// Hides a secret; of a server's URL only the credentials, since the host is
/// what an operator wants to see.
fn redact(setting: &Setting, secret: &str) -> String {
    const HIDDEN: &str = "[redacted]";
    if setting.is_hidden() {
        return HIDDEN.to_owned();
    }
    match secret.split_once("://") {
        Some((scheme, rest)) => {
            // The options of a sentinel's URL hold a password.
            let (rest, options) = match rest.split_once('?') {
                Some((_, options)) if options.contains('@') => (HIDDEN, String::new()),
                Some((rest, _)) => (rest, format!("?{HIDDEN}")),
                None => (rest, String::new()),
            };
            match rest.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://{HIDDEN}@{host}{options}"),
                None => format!("{scheme}://{rest}{options}"),
            }
        }
        None if secret.starts_with("sqlite:") => secret.to_owned(),
        None => HIDDEN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        for (key, secret, shown) in [
            ("secret_key", "hunter2", "[redacted]"),
            ("secret_key", "correct://horse", "[redacted]"),
            ("admin_password", "sqlite:hunter2", "[redacted]"),
            ("admin_password", "a://b@c", "[redacted]"),
            ("database_url", "sqlite:counts.db", "sqlite:counts.db"),
            ("redis_url", "rubbish", "[redacted]"),
            (
                "redis_url",
                "redis://127.0.0.1:6379/1",
                "redis://127.0.0.1:6379/1",
            ),
            (
                "redis_url",
                "redis://user:123?ss@host",
                "redis://[redacted]",
            ),
            (
                "redis_url",
                "redis+sentinel://a,b/main?sentinel_password=hunter2",
                "redis+sentinel://a,b/main?[redacted]",
            ),
            (
                "redis_url",
                "redis://user:p@ss@host:6379",
                "redis://[redacted]@host:6379",
            ),
            (
                "redis_url",
                "rediss://:secret@host",
                "rediss://[redacted]@host",
            ),
        ] {
            assert_eq!(redact(Setting::named(key), secret), shown);
        }
    }
}
