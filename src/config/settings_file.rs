//! The TOML file: one table per profile, keys as in the table of settings.

use std::{
    fs,
    path::{Path, PathBuf},
};

use figment::{
    Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map},
};

use super::{
    SettingError,
    catalog::{self, Setting},
    values::Environment,
};
use crate::text;

/// A settings file, read and checked.
pub(super) struct SettingsFile {
    path: PathBuf,
    data: Map<Profile, Dict>,
}

impl Provider for SettingsFile {
    fn metadata(&self) -> Metadata {
        Metadata::from("settings file", self.path.as_path())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(self.data.clone())
    }
}

/// Reads the settings file; a missing one is an error only if it was asked for.
pub(super) fn read_toml(
    directory: &Path,
    chosen: Option<&str>,
    errors: &mut Vec<SettingError>,
) -> Option<SettingsFile> {
    let name = chosen.unwrap_or(Setting::named("config").default);
    let path = directory.join(name);
    if !path.is_file() {
        if chosen.is_some() {
            errors.push(SettingError::new(
                path.display(),
                "there is no such settings file",
            ));
        }
        return None;
    }
    match parse_toml(&path) {
        Ok(data) => {
            check_toml(&path, &data, errors);
            Some(SettingsFile { path, data })
        }
        Err(error) => {
            errors.push(SettingError::new(path.display(), error));
            None
        }
    }
}

fn parse_toml(path: &Path) -> Result<Map<Profile, Dict>, String> {
    let file = fs::read(path).map_err(|error| format!("the file cannot be read: {error}"))?;
    let text = text::decode(&file).map_err(|error| error.to_string())?;
    Toml::string(text).nested().data().map_err(|error| {
        // The lines after the first quote the file, which may hold a secret.
        let message = error.to_string();
        let place = message.lines().next().unwrap_or_default();
        format!("{place}; each key belongs under [default] or a profile, and texts in quotes")
    })
}

fn check_toml(path: &Path, data: &Map<Profile, Dict>, errors: &mut Vec<SettingError>) {
    for (profile, table) in data {
        let known_profile = *profile == Profile::Default
            || profile.as_str().as_str().parse::<Environment>().is_ok();
        if !known_profile {
            let what =
                "unknown table; there are [default], [development], [production] and [testing]";
            errors.push(SettingError::new(
                format!("[{profile}] in {}", path.display()),
                what,
            ));
        }
        for key in table.keys().filter(|key| !catalog::is_toml_key(key)) {
            let origin = format!("{key} under [{profile}] in {}", path.display());
            errors.push(match key.as_str() {
                "env" | "config" => SettingError::new(
                    origin,
                    "is chosen before this file is read; set it in the environment",
                ),
                _ => SettingError::unknown(
                    origin,
                    catalog::suggestion(key, catalog::all_toml_keys()),
                ),
            });
        }
    }
}
