//! Settings: what they are, where they come from, what is wrong with them.
//!
//! Precedence, strongest first: command line, environment, `.env`, the TOML
//! file (the profile's table, then `[default]`), built-in defaults. Settings
//! are read once, at the top, and handed down in pieces; nothing below reads
//! the environment. All errors are reported at once, each with its source.

use std::{fmt, path::PathBuf};

mod accounts;
mod auth;
pub mod catalog;
mod database;
pub mod dotenv;
mod log;
mod mail;
mod origin;
pub mod phc;
pub mod postgres_url;
mod public_url;
mod reader;
pub mod redis_url;
mod sentry_dsn;
mod server;
mod settings_file;
mod smtp_url;
pub mod sources;
mod store;
pub mod values;

pub use self::{
    accounts::{AccountsSettings, Registration},
    auth::{AdminCredential, AuthSettings},
    database::{DatabaseLocation, DatabaseSettings},
    log::LogSettings,
    mail::MailSettings,
    origin::Origin,
    postgres_url::PostgresUrl,
    public_url::PublicUrl,
    reader::Shown,
    redis_url::RedisUrl,
    sentry_dsn::SentryDsn,
    server::ServerSettings,
    smtp_url::{SmtpTls, SmtpUrl},
    sources::Sources,
    store::{IDEMPOTENCY_WINDOW, StoreLocation, StoreSettings},
};
use self::{reader::Reader, values::Environment};

/// Everything that is set, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The profile.
    pub environment: Environment,
    /// Listeners, limits, draining.
    pub server: ServerSettings,
    /// The counters' store.
    pub store: StoreSettings,
    /// People, and the record of visits.
    pub database: DatabaseSettings,
    /// Tokens and the account.
    pub auth: AuthSettings,
    /// Mail.
    pub mail: MailSettings,
    /// Who may have an account.
    pub accounts: AccountsSettings,
    /// Logs.
    pub log: LogSettings,
    /// `FOOTFALL_SENTRY_DSN`: where errors are reported to, if anywhere.
    pub sentry_dsn: Option<SentryDsn>,
    /// Every setting as text with its origin, secrets redacted.
    pub shown: Vec<Shown>,
}

impl Settings {
    /// Reads and checks all settings.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, in one value.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(sources::merge(sources));
        let environment = reader.parse("env");
        reader.parse::<String>("config");
        let production = environment == Some(Environment::Production);
        let server = ServerSettings::read(&mut reader);
        let redis_url = reader.secret("redis_url");
        let has_redis = redis_url.is_some() || reader.is_broken("redis_url");
        let (database, file) = DatabaseSettings::read(&mut reader, server.as_ref(), has_redis);
        let data_dir = read_data_dir(&mut reader);
        let folder = data_dir.as_deref();
        let store = StoreSettings::read(&mut reader, server.as_ref(), redis_url, folder, file);
        let has_database = database
            .as_ref()
            .is_none_or(|database| !matches!(database.location, DatabaseLocation::None));
        let auth = AuthSettings::read(&mut reader, production, has_database);
        let mail = MailSettings::read(&mut reader, production, server.as_ref(), folder);
        let sends_mail = mail.as_ref().is_none_or(|mail| mail.smtp.is_some());
        let accounts = AccountsSettings::read(&mut reader, production, sends_mail);
        let log = LogSettings::read(&mut reader, sources);
        let sentry_dsn = SentryDsn::read(&mut reader);
        match (
            environment,
            server,
            store,
            database,
            auth,
            mail,
            accounts,
            log,
        ) {
            (
                Some(environment),
                Some(server),
                Some(store),
                Some(database),
                Some(auth),
                Some(mail),
                Some(accounts),
                Some(log),
            ) if reader.is_sound() => Ok(Self {
                environment,
                server,
                store,
                database,
                auth,
                mail,
                accounts,
                log,
                sentry_dsn,
                shown: reader.shown,
            }),
            _ => Err(SettingsError(reader.into_errors())),
        }
    }
}

/// `FOOTFALL_DATA_DIR` (`data`).
fn read_data_dir(reader: &mut Reader) -> Option<PathBuf> {
    let data_dir = reader.parse::<PathBuf>("data_dir")?;
    if data_dir.as_os_str().is_empty() {
        reader.reject("data_dir", "the directory is missing");
    }
    Some(data_dir)
}

/// One thing that is wrong with the settings, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    origin: String,
    message: String,
}

impl SettingError {
    /// `message` about what is set at `origin`.
    pub fn new(origin: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self {
            origin: origin.to_string(),
            message: message.to_string(),
        }
    }

    /// That no setting is called as `origin` says; `suggestion` is one that is.
    pub fn unknown(origin: impl fmt::Display, suggestion: Option<String>) -> Self {
        Self::new(
            origin,
            match suggestion {
                Some(name) => format!("no setting has this name; did you mean {name}?"),
                None => "no setting has this name; `footfall config` lists them all".to_owned(),
            },
        )
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub Vec<SettingError>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "a setting is wrong:")?,
            count => write!(f, "{count} settings are wrong:")?,
        }
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
impl Settings {
    /// What a test needs of them, with these variables in the environment.
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter();
        let sources = Sources {
            environment: variables
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            ..Sources::default()
        };
        Self::load(&sources).unwrap()
    }
}
