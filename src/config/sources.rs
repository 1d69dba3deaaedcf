//! Where settings come from: command line, environment, `.env`, TOML, defaults.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use figment::{
    Figment, Metadata, Profile, Provider, Source,
    value::{Dict, Map, Value},
};

use super::{
    SettingError,
    catalog::{self, PRODUCTION_DEFAULTS, SETTINGS},
    dotenv::{self, Problem, Statement, Value as Line},
    settings_file::read_toml,
    values::Environment,
};
use crate::text;

/// Everything outside the process that settings are read from.
///
/// [`Sources::of_process`] takes the real ones; tests write their own and
/// never touch the environment of the process.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Command-line options: key (see [`Setting::option`](catalog::Setting::option), with underscores) and value.
    pub options: Vec<(String, String)>,
    /// Environment variables.
    pub environment: Vec<(OsString, OsString)>,
    /// Directory in which `.env` and relative settings files are looked for.
    pub directory: PathBuf,
}

impl Sources {
    /// The environment and working directory of this process.
    pub fn of_process(options: Vec<(String, String)>) -> Self {
        Self {
            options,
            environment: std::env::vars_os().collect(),
            directory: PathBuf::new(),
        }
    }

    /// What an environment variable holds.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .iter()
            .find(|(variable, _)| variable == name)
            .map(|(_, value)| value.as_os_str())
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

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Errors {
    pub list: Vec<SettingError>,
    /// Keys whose value could not be taken: what stands in for it is not judged as well.
    pub broken: BTreeSet<String>,
}

impl Errors {
    /// Says what is wrong with the value of a key.
    fn break_key(&mut self, key: String, error: SettingError) {
        self.list.push(error);
        self.broken.insert(key);
    }
}

/// All sources merged, and what could not even be merged.
pub(super) struct Merged {
    pub figment: Figment,
    pub errors: Errors,
}

/// Merges all sources in order of precedence and selects the profile.
pub(super) fn merge(sources: &Sources) -> Merged {
    let mut errors = Errors::default();
    let dotenv = read_dotenv(sources, &mut errors);
    let mut overrides = entries(Layer::DotEnv, dotenv, &mut errors);
    let environment = environment_variables(sources);
    overrides.extend(entries(Layer::Environment, environment, &mut errors));
    overrides.extend(options(sources, &mut errors));

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
    if !errors.broken.contains("config")
        && let Some(toml) = read_toml(&sources.directory, file.as_deref(), &mut errors.list)
    {
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

/// The options of the command line, which go before everything else.
fn options(sources: &Sources, errors: &mut Errors) -> Vec<Entry> {
    let mut found = Vec::new();
    for (key, value) in &sources.options {
        let origin = format!("option --{}", key.replace('_', "-"));
        match text::decode(value.as_bytes()) {
            Ok(value) => found.push(Entry {
                layer: Layer::CommandLine,
                profile: Profile::Global,
                key: key.clone(),
                value: value.to_owned(),
                origin,
            }),
            Err(error) => errors.break_key(key.clone(), SettingError::new(origin, error)),
        }
    }
    found
}

/// A variable meant for Footfall.
struct Variable {
    name: String,
    value: Result<String, String>,
    origin: String,
}

/// The environment variables meant for Footfall.
fn environment_variables(sources: &Sources) -> Vec<Variable> {
    let variables = sources.environment.iter().map(|(name, value)| {
        let name = name.to_string_lossy().into_owned();
        Variable {
            origin: format!("environment variable {name}"),
            value: decode(value.as_bytes()),
            name,
        }
    });
    variables
        .filter(|variable| catalog::is_ours(&variable.name))
        .collect()
}

fn decode(bytes: &[u8]) -> Result<String, String> {
    text::decode(bytes)
        .map(str::to_owned)
        .map_err(|error| error.to_string())
}

/// The variables in `.env` that are meant for Footfall: of several lines with one name, the last.
fn read_dotenv(sources: &Sources, errors: &mut Errors) -> Vec<Variable> {
    let path = sources.directory.join(".env");
    let statements = match fs::read(&path) {
        Ok(file) => dotenv::read(&file, &sources.environment).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => Err(error.to_string()),
    };
    let statements = statements.unwrap_or_else(|error| {
        errors.list.push(SettingError::new(path.display(), error));
        Vec::new()
    });
    let mut found: Vec<Variable> = Vec::new();
    for statement in statements {
        for (key, error) in swallowed(&statement) {
            errors.break_key(key, error);
        }
        if !catalog::is_ours(&statement.name) {
            continue;
        }
        let variable = Variable {
            origin: format!("{} in .env, line {}", statement.name, statement.line),
            value: value_of(&statement),
            name: statement.name,
        };
        // What is wrong with a line is said even if a later one takes its place.
        found.retain(|earlier| earlier.name != variable.name || earlier.value.is_err());
        found.push(variable);
    }
    found
}

/// Settings that are in the quotes of another program's value, or behind them: Compose does not
/// see them, and whoever wrote them there meant the quotes to end before. And those that a line
/// of some other language sets, as `set NAME=VALUE`.
fn swallowed(statement: &Statement) -> Vec<(String, SettingError)> {
    if catalog::is_ours(&statement.name) {
        return Vec::new();
    }
    let within = statement.within.iter();
    let settings = within.filter(|name| catalog::is_ours(name));
    let line = statement.line;
    let complaint = |name: &String| {
        let key = catalog::key_of_variable(name).unwrap_or_else(|| name.clone());
        let error = match &statement.value {
            Err(problem @ Problem::NoAssignment) => SettingError::new(
                format!("{name} in .env, line {line}"),
                format!("{problem}, and nothing before the name"),
            ),
            _ => SettingError::new(
                format!("{name} in .env"),
                format!(
                    "the quotes that begin in line {line} take it in, or end before it; {OTHER_QUOTES}"
                ),
            ),
        };
        (key, error)
    };
    settings.map(complaint).collect()
}

const OTHER_QUOTES: &str = "a quote that is meant goes in quotes of the other kind";

/// The value that a line of `.env` gives a setting.
fn value_of(statement: &Statement) -> Result<String, String> {
    let is_secret = catalog::setting_of_variable(&statement.name).is_some_and(|it| it.secret);
    match &statement.value {
        Ok(_) if !statement.within.is_empty() => Err(format!(
            "its quotes take in a line that looks like NAME=VALUE; {OTHER_QUOTES}"
        )),
        Ok(Line { text, has_unset }) if *has_unset && is_secret && !text.is_empty() => Err(
            "a variable in it is not set; a dollar sign that is meant is written $$, or the value goes in single quotes"
                .to_owned(),
        ),
        Ok(value) => decode(value.text.as_bytes()),
        Err(Problem::Required { name, .. }) if is_secret => Err(format!("{name} must be set")),
        Err(problem) => Err(problem.to_string()),
    }
}

/// Turns variables into entries; complains about unknown `FOOTFALL_` names.
fn entries(layer: Layer, variables: Vec<Variable>, errors: &mut Errors) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    for Variable {
        name,
        value,
        origin,
    } in variables
    {
        let Some(key) = catalog::key_of_variable(&name) else {
            let suggestion = catalog::suggestion(&name, catalog::all_env_names());
            errors.list.push(SettingError::unknown(origin, suggestion));
            continue;
        };
        let value = match value {
            Ok(value) => value,
            Err(error) => {
                errors.break_key(key, SettingError::new(origin, error));
                continue;
            }
        };
        match found.iter().find(|entry| entry.key == key) {
            Some(other) if other.value != value => errors.list.push(SettingError::new(
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
                value,
                origin,
            }),
        }
    }
    found
}
