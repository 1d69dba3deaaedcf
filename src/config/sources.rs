//! Where settings come from: command line, environment, `.env`, TOML, defaults.

use std::path::{Path, PathBuf};

use figment::{
    Figment, Metadata, Profile, Provider, Source,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{
    SettingError,
    catalog::{self, PRODUCTION_DEFAULTS, SETTINGS, Setting},
    values::Environment,
};

/// Everything outside the process that settings are read from.
///
/// [`Sources::of_process`] takes the real ones; tests write their own and
/// never touch the environment of the process.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Command-line options: key (see [`Setting::option`], with underscores) and value.
    pub options: Vec<(String, String)>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Directory in which `.env` and relative settings files are looked for.
    pub directory: PathBuf,
}

impl Sources {
    /// The environment and working directory of this process.
    pub fn of_process(options: Vec<(String, String)>) -> Self {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        Self {
            options,
            environment: std::env::vars_os()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            directory: PathBuf::new(),
        }
    }
}

/// Sources from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Built into the binary.
    Default,
    /// A TOML file.
    File,
    /// The `.env` file.
    DotEnv,
    /// The environment.
    Environment,
    /// The command line.
    CommandLine,
}

const LAYERS: &[(Layer, &str)] = &[
    (Layer::Default, "default"),
    (Layer::DotEnv, "dotenv"),
    (Layer::Environment, "environment"),
    (Layer::CommandLine, "command line"),
];

impl Layer {
    fn tag(self) -> Source {
        let (_, name) = LAYERS
            .iter()
            .find(|(layer, _)| *layer == self)
            .expect("files carry their path instead");
        Source::Custom((*name).to_owned())
    }

    /// The layer a value's metadata belongs to.
    pub fn of(metadata: &Metadata) -> Self {
        match &metadata.source {
            Some(Source::Custom(tag)) => LAYERS
                .iter()
                .find(|(_, name)| name == tag)
                .map_or(Self::Default, |(layer, _)| *layer),
            Some(Source::File(_)) => Self::File,
            _ => Self::Default,
        }
    }
}

/// One value with the name of its origin; figment keeps the two together.
struct Entry {
    layer: Layer,
    profile: Profile,
    key: String,
    value: String,
    origin: String,
}

impl Provider for Entry {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone()).source(self.layer.tag())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let value = Value::from(self.value.clone());
        Ok(Map::from([(
            self.profile.clone(),
            Dict::from([(self.key.clone(), value)]),
        )]))
    }
}

/// All sources merged, and what could not even be merged.
pub(super) struct Merged {
    pub figment: Figment,
    pub errors: Vec<SettingError>,
}

/// Merges all sources in order of precedence and selects the profile.
pub(super) fn merge(sources: &Sources) -> Merged {
    let mut errors = Vec::new();
    let dotenv = read_dotenv(&sources.directory.join(".env"), &mut errors);
    let mut overrides = entries(Layer::DotEnv, &dotenv, &mut errors);
    overrides.extend(entries(
        Layer::Environment,
        &sources.environment,
        &mut errors,
    ));
    overrides.extend(sources.options.iter().map(|(key, value)| Entry {
        layer: Layer::CommandLine,
        profile: Profile::Global,
        key: key.clone(),
        value: value.clone(),
        origin: format!("option --{}", key.replace('_', "-")),
    }));

    // The profile and the file decide what else is read, so they come first.
    let chosen = overrides
        .iter()
        .map(|entry| (entry.key.as_str(), entry.value.as_str()));
    let mut profile = Environment::Development;
    let mut file = None;
    for (key, value) in chosen {
        match key {
            "env" => profile = value.parse().unwrap_or(profile),
            "config" => file = Some(value.to_owned()),
            _ => {}
        }
    }

    let mut figment = defaults(profile)
        .into_iter()
        .fold(Figment::new(), Figment::merge);
    if let Some(toml) = read_toml(&sources.directory, file.as_deref(), &mut errors) {
        figment = figment.merge(toml);
    }
    figment = overrides.into_iter().fold(figment, Figment::merge);
    Merged {
        figment: figment.select(profile.name()),
        errors,
    }
}

fn defaults(profile: Environment) -> Vec<Entry> {
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .to_string();
    let entry = |key: &str, value: &str| Entry {
        layer: Layer::Default,
        // Weaker than the file's [default], also where the profile has a default of its own.
        profile: Profile::Default,
        key: key.to_owned(),
        value: value.to_owned(),
        origin: "built-in default".to_owned(),
    };
    let mut defaults: Vec<_> = SETTINGS
        .iter()
        .map(|setting| entry(setting.key, setting.default))
        .collect();
    defaults.push(entry("workers", &workers));
    if profile == Environment::Production {
        defaults.extend(
            PRODUCTION_DEFAULTS
                .iter()
                .map(|(key, value)| entry(key, value)),
        );
    }
    defaults
}

fn read_dotenv(path: &Path, errors: &mut Vec<SettingError>) -> Vec<(String, String)> {
    let variables = match dotenvy::from_path_iter(path) {
        Ok(lines) => lines.collect::<Result<_, _>>(),
        Err(dotenvy::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    };
    variables.unwrap_or_else(|error| {
        // dotenvy quotes the whole line in its message, and the line may hold a secret.
        let what = match error {
            dotenvy::Error::LineParse(_, position) => {
                format!("a line cannot be parsed, near its character {position}")
            }
            dotenvy::Error::Io(error) => error.to_string(),
            _ => "it cannot be parsed".to_owned(),
        };
        errors.push(SettingError::new(path.display(), what));
        Vec::new()
    })
}

/// Turns environment variables into entries; complains about unknown `FOOTFALL_` names.
fn entries(
    layer: Layer,
    variables: &[(String, String)],
    errors: &mut Vec<SettingError>,
) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    for (variable, value) in variables {
        let origin = match layer {
            Layer::DotEnv => format!("{variable} in .env"),
            _ => format!("environment variable {variable}"),
        };
        let Some(key) = catalog::key_of_variable(variable) else {
            if variable.starts_with("FOOTFALL_") {
                errors.push(SettingError::unknown(
                    origin,
                    catalog::suggestion(variable, catalog::all_env_names()),
                ));
            }
            continue;
        };
        match found.iter().find(|entry| entry.key == key) {
            Some(other) if other.value != *value => errors.push(SettingError::new(
                origin,
                format!(
                    "{} says something else; set only one of the two",
                    other.origin
                ),
            )),
            Some(_) => {}
            None => found.push(Entry {
                layer,
                profile: Profile::Global,
                key,
                value: value.clone(),
                origin,
            }),
        }
    }
    found
}

/// Reads the settings file; a missing one is an error only if it was asked for.
fn read_toml(
    directory: &Path,
    chosen: Option<&str>,
    errors: &mut Vec<SettingError>,
) -> Option<impl Provider + use<>> {
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
    let toml = Toml::file_exact(&path).nested();
    match toml.data() {
        Ok(data) => {
            check_toml(&path, &data, errors);
            Some(toml)
        }
        Err(error) => {
            // The lines after the first quote the file, which may hold a secret.
            let message = error.to_string();
            let place = message.lines().next().unwrap_or_default();
            let hint = "each key belongs under [default] or a profile, and texts in quotes";
            errors.push(SettingError::new(
                path.display(),
                format!("{place}; {hint}"),
            ));
            None
        }
    }
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
