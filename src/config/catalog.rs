//! Every setting there is: its names, its built-in default, what it means.
//!
//! The environment, the command line, the TOML file, `footfall config` and the
//! documentation test all read this one table.

/// One setting and the names it goes by.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The TOML key; in capitals and after `FOOTFALL_`, the environment name;
    /// with hyphens, the command-line option.
    pub key: &'static str,
    /// The built-in default. Empty means unset.
    pub default: &'static str,
    /// Redacted wherever it is shown, never taken from the command line, and
    /// also accepted as a file (`<NAME>_FILE`).
    pub secret: bool,
    /// Also accepted without the `FOOTFALL_` prefix, by its customary name.
    pub bare: bool,
    /// One line for `--help` and the documentation.
    pub help: &'static str,
}

/// The value of `SECRET_KEY` on a laptop. Production refuses it.
pub const DEVELOPMENT_SECRET_KEY: &str = "footfall-development-key-do-not-use-in-production";

/// The value of `FOOTFALL_ADMIN_PASSWORD` on a laptop. Production refuses it.
pub const DEVELOPMENT_ADMIN_PASSWORD: &str = "password";

const fn plain(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting {
        key,
        default,
        secret: false,
        bare: false,
        help,
    }
}

const fn secret(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting {
        key,
        default,
        secret: true,
        bare: false,
        help,
    }
}

const fn bare_secret(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting {
        key,
        default,
        secret: true,
        bare: true,
        help,
    }
}

/// All settings, in the order `footfall config` prints them.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    plain("env", "development", "Profile: development, production or testing"),
    plain("config", "config/footfall.toml", "Settings file with one table per profile"),
    plain("listen", "tcp:127.0.0.1:8000", "Public listeners, comma-separated: tcp:HOST:PORT, unix:PATH"),
    plain("ops_listen", "tcp:127.0.0.1:9000", "Internal listeners for metrics and health; empty for none"),
    plain("socket_mode", "0660", "Mode of Unix sockets, octal"),
    plain("trusted_proxies", "", "Networks (CIDR) of TCP peers whose forwarding headers are believed"),
    plain("proxy_request_id", "off", "Whether the proxy makes X-Request-ID itself: on or off"),
    plain("cors_origins", "", "Origins, comma-separated, whose pages may send requests with credentials and read the answers; none when unset"),
    plain("workers", "", "Worker threads; the CPUs this process may use when unset"),
    plain("request_timeout", "10s", "Time a request may take once its head has arrived"),
    plain("header_timeout", "30s", "Time a connection may take to send a request head, idle time included"),
    plain("drain_delay", "0s", "Time to stay up, unready, after SIGTERM"),
    plain("shutdown_timeout", "30s", "Time in-flight requests get before they are cut"),
    bare_secret("redis_url", "", "Shared store, redis://, unix://, redis+sentinel:// or redis+cluster:// (rediss for TLS); the embedded store when unset"),
    bare_secret("database_url", "", "Database: beside Redis a PostgreSQL as postgres://USER:PASSWORD@HOST/DATABASE, or none when unset; else sqlite:PATH, footfall.db in the data directory when unset"),
    secret("database_password", "", "Password for DATABASE_URL's PostgreSQL, in place of one in the URL"),
    plain("database_timeout", "3s", "Time an operation of PostgreSQL may take in all"),
    plain("database_pool", "2", "Connections to PostgreSQL that a process works on, beside one that watches it"),
    plain("data_dir", "data", "Directory of the embedded database"),
    plain("store_timeout", "1s", "Time the store may take before a request is answered 503"),
    plain("dedup_window", "60s", "Time a proxy's X-Request-ID is remembered; 0 turns it off"),
    plain("dedup_limit", "10000000", "Identities remembered per counter and kind; then new ones are refused"),
    plain("record_backlog", "1000000", "Visits of a counter that may wait to be recorded; then those that carry something are refused"),
    plain("counter_limit", "1000000", "Counters kept of each company; then visits on new ones are refused"),
    plain("wait_replicas", "0", "How many of Redis' replicas must have a visit before it is acknowledged"),
    bare_secret("secret_key", DEVELOPMENT_SECRET_KEY, "Key that signs tokens"),
    secret("secret_key_previous", "", "Key that still verifies tokens, during a rotation"),
    plain("token_ttl", "", "Lifetime of a token; when unset 15m, since it can be refreshed, or 1h without a database"),
    plain("token_leeway", "0s", "Clock difference forgiven when a token is checked"),
    plain("admin_username", "admin", "Name of the account that is always there"),
    secret("admin_password", DEVELOPMENT_ADMIN_PASSWORD, "Its password"),
    secret("admin_password_hash", "", "Its Argon2id hash (PHC string) instead of the password"),
    secret("smtp_url", "", "Mail server, smtps://USER:PASSWORD@HOST or smtp://HOST?starttls; without one no mail is sent"),
    plain("mail_from", "Footfall <footfall@localhost>", "Who mail comes from"),
    plain("public_url", "", "Where people reach the service, https://HOST; links in mails begin with it"),
    plain("registration", "open", "Who may found a company: open (anyone), invite (nobody; admins invite people to theirs) or closed (nobody; only `footfall admin`)"),
    plain("password_min_length", "15", "Fewest characters of a password, from 8 to 128"),
    plain("log", "info", "What is logged, in EnvFilter syntax"),
    plain("log_format", "pretty", "pretty or json"),
    secret("sentry_dsn", "", "Receiver of errors that speaks Sentry's protocol, https://KEY@HOST/PROJECT; none when unset"),
];

/// Defaults that differ from the table above in production.
pub const PRODUCTION_DEFAULTS: &[(&str, &str)] =
    &[("log_format", "json"), ("registration", "invite")];

impl Setting {
    /// The setting with this TOML key.
    ///
    /// # Panics
    ///
    /// If there is none: the key is always one written in this crate.
    pub fn named(key: &str) -> &'static Self {
        SETTINGS
            .iter()
            .find(|setting| setting.key == key)
            .unwrap_or_else(|| panic!("no setting is called {key}"))
    }

    /// The name it is documented under: `SECRET_KEY`, `FOOTFALL_LISTEN`.
    pub fn env_name(&self) -> String {
        let name = self.key.to_uppercase();
        if self.bare {
            name
        } else {
            format!("FOOTFALL_{name}")
        }
    }

    /// Every environment name that means this setting's value.
    pub fn env_names(&self) -> Vec<String> {
        let name = self.key.to_uppercase();
        let mut names = vec![format!("FOOTFALL_{name}")];
        if self.bare {
            names.push(name);
        }
        names
    }

    /// Whether nothing of its value is ever shown. Of the URL of a server only the credentials
    /// are hidden.
    pub fn is_hidden(&self) -> bool {
        self.secret && !matches!(self.key, "redis_url" | "database_url" | "smtp_url")
    }

    /// The key under which the path of a secret's file travels.
    pub fn file_key(&self) -> String {
        format!("{}_file", self.key)
    }

    /// The command-line option: the value itself, or for secrets the path of
    /// a file, since anyone on the machine may read a command line.
    pub fn option(&self) -> String {
        let key = if self.secret {
            self.file_key()
        } else {
            self.key.to_owned()
        };
        key.replace('_', "-")
    }
}

/// The key an environment variable sets, `None` when it is not one of ours.
pub fn key_of_variable(variable: &str) -> Option<String> {
    for setting in SETTINGS {
        for name in setting.env_names() {
            if variable == name {
                return Some(setting.key.to_owned());
            }
            if setting.secret && variable.strip_suffix("_FILE") == Some(&name) {
                return Some(setting.file_key());
            }
        }
    }
    None
}

/// The setting that an environment variable, or the file it names, gives its value.
pub fn setting_of_variable(variable: &str) -> Option<&'static Setting> {
    let key = key_of_variable(variable)?;
    SETTINGS
        .iter()
        .find(|setting| key == setting.key || setting.secret && key == setting.file_key())
}

/// Whether a variable is meant for Footfall, rightly spelt or not.
pub fn is_ours(variable: &str) -> bool {
    variable.starts_with("FOOTFALL_") || key_of_variable(variable).is_some()
}

/// The key a TOML entry sets, `None` when it is not one of ours.
pub fn is_toml_key(key: &str) -> bool {
    // The profile and the file are chosen before the file is read.
    !matches!(key, "env" | "config")
        && SETTINGS
            .iter()
            .any(|setting| key == setting.key || setting.secret && key == setting.file_key())
}

/// The known name nearest to a misspelt one, if any is near.
pub fn suggestion(unknown: &str, known: impl IntoIterator<Item = String>) -> Option<String> {
    let bare = |name: &str| name.strip_prefix("FOOTFALL_").unwrap_or(name).to_owned();
    known
        .into_iter()
        // With their common prefix all names would be alike.
        .map(|name| (strsim::jaro_winkler(&bare(unknown), &bare(&name)), name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Every environment name, for suggestions.
pub fn all_env_names() -> impl Iterator<Item = String> {
    SETTINGS.iter().flat_map(|setting| {
        let mut names = setting.env_names();
        if setting.secret {
            let files: Vec<_> = names.iter().map(|name| format!("{name}_FILE")).collect();
            names.extend(files);
        }
        names
    })
}

/// Every TOML key, for suggestions.
pub fn all_toml_keys() -> impl Iterator<Item = String> {
    SETTINGS.iter().flat_map(|setting| {
        let file = setting.secret.then(|| setting.file_key());
        std::iter::once(setting.key.to_owned()).chain(file)
    })
}
