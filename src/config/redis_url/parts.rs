//! The parts of a `REDIS_URL`, and what each of its forms makes of them.

use redis::{ConnectionInfo, IntoConnectionInfo, io::tcp::TcpSettings};

use super::{FORMS, RedisUrl, Topology};

/// The port of a sentinel, unless the URL says another
/// (<https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>).
const SENTINEL_PORT: u16 = 26379;

/// The port of a server, unless the URL says another.
const SERVER_PORT: u16 = 6379;

/// What a scheme says of the rest of the URL.
pub(super) enum Kind {
    Server,
    Socket,
    Sentinel,
    Cluster,
}

/// Whether there is TLS, in the words of the Redis library, and what the URL names.
pub(super) fn scheme_of(scheme: &str) -> Option<(&'static str, Kind)> {
    if scheme == "unix" {
        return Some(("redis", Kind::Socket));
    }
    let (security, kind) = match scheme.split_once('+') {
        Some((security, kind)) => (security, Some(kind)),
        None => (scheme, None),
    };
    let security = match security {
        "redis" | "valkey" => "redis",
        "rediss" | "valkeys" => "rediss",
        _ => return None,
    };
    let kind = match kind {
        None => Kind::Server,
        Some("sentinel") => Kind::Sentinel,
        Some("cluster") => Kind::Cluster,
        // A socket is not encrypted.
        Some("unix") if security == "redis" => Kind::Socket,
        Some(_) => return None,
    };
    Some((security, kind))
}

/// The options of a URL, each at most once; `None` if there are others than these.
fn options<'a>(query: &'a str, known: &[&str]) -> Option<Vec<(&'a str, &'a str)>> {
    let mut options: Vec<(&str, &str)> = Vec::new();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=')?;
        if !known.contains(&name) || options.iter().any(|(other, _)| *other == name) {
            return None;
        }
        options.push((name, value));
    }
    Some(options)
}

fn check_database(number: &str) -> Result<(), String> {
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    if number.is_empty() || is_number && number.parse::<u32>().is_ok() {
        return Ok(());
    }
    Err("the database must be a number, as 1 in redis://HOST:6379/1".into())
}

/// A user alone would be left out without a word, and so would a password that stands in its place.
fn check_credentials(credentials: &str) -> Result<(), String> {
    match credentials.split_once(':').unwrap_or((credentials, "")) {
        (user, "") if !user.is_empty() => Err(
            "a user needs a password: USER:PASSWORD@HOST; a password alone is written \
             redis://:PASSWORD@HOST"
                .into(),
        ),
        _ => Ok(()),
    }
}

/// `[CREDENTIALS@]HOSTS[/PATH][?QUERY][#FRAGMENT]`
pub(super) struct Parts<'a> {
    security: &'a str,
    credentials: &'a str,
    hosts: Vec<&'a str>,
    pub path: &'a str,
    pub query: &'a str,
    pub fragment: &'a str,
}

impl<'a> Parts<'a> {
    pub fn of(security: &'a str, rest: &'a str) -> Self {
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        Self {
            security,
            credentials,
            hosts: hosts.split(',').collect(),
            path,
            query,
            fragment,
        }
    }

    pub fn server(&self) -> Result<RedisUrl, String> {
        let [host] = *self.hosts else {
            return Err(
                "one server has one host; several are redis+sentinel://HOST,HOST/MASTER or \
                 redis+cluster://HOST,HOST"
                    .into(),
            );
        };
        if !self.query.is_empty() {
            return Err(
                "options are not understood here; the database goes after the host, as 1 in \
                 redis://HOST:6379/1, and TLS is rediss://"
                    .into(),
            );
        }
        let database = self.path.trim_matches('/');
        Ok(RedisUrl::single(self.node(
            self.credentials,
            host,
            SERVER_PORT,
            database,
        )?))
    }

    pub fn socket(&self) -> Result<RedisUrl, String> {
        if !self.credentials.is_empty() || self.hosts != [""] {
            return Err(
                "a Unix socket has no host, its path is absolute, and a user is an option: \
                 unix:///run/redis.sock?user=USER&pass=PASSWORD"
                    .into(),
            );
        }
        if self.path.is_empty() || self.path.ends_with('/') {
            return Err("the path of the socket is missing: unix:///run/redis.sock".into());
        }
        let options = options(self.query, &["db", "user", "pass"])
            .ok_or("the options of a Unix socket are db, user and pass, each once")?;
        let given = |wanted: &str| options.iter().find(|(name, _)| *name == wanted);
        if let Some((_, number)) = given("db") {
            check_database(number)?;
        }
        let is_given = |name| given(name).is_some_and(|(_, value)| !value.is_empty());
        if is_given("user") && !is_given("pass") {
            return Err("user needs a pass".into());
        }
        // The library takes a plus sign for a blank, as in HTML forms.
        let query = self.query.replace('+', "%2B");
        let info = connection_info(&format!("unix:///{}?{query}", self.path))?;
        Ok(RedisUrl::single(info))
    }

    pub fn sentinel(&self) -> Result<RedisUrl, String> {
        let (master, database) = self.path.split_once('/').unwrap_or((self.path, ""));
        if master.is_empty() {
            return Err(
                "the master's name is missing; expected redis+sentinel://HOST[:PORT]/MASTER".into(),
            );
        }
        let credentials = self.sentinel_credentials()?;
        let sentinels = self
            .hosts
            .iter()
            .map(|host| self.node(&credentials, host, SENTINEL_PORT, ""));
        Ok(RedisUrl {
            topology: Topology::Sentinel(master.to_owned()),
            nodes: sentinels.collect::<Result<_, _>>()?,
            server: self.node(self.credentials, "found-out", SERVER_PORT, database)?,
        })
    }

    pub fn cluster(&self) -> Result<RedisUrl, String> {
        if !matches!(self.path, "" | "0") {
            return Err(
                "a cluster has no databases and no master; end the URL after the hosts".into(),
            );
        }
        if !self.query.is_empty() {
            return Err("a cluster's URL takes no options".into());
        }
        let nodes = self
            .hosts
            .iter()
            .map(|host| self.node(self.credentials, host, SERVER_PORT, ""));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        Ok(RedisUrl {
            topology: Topology::Cluster,
            server: nodes.first().ok_or(FORMS)?.clone(),
            nodes,
        })
    }

    /// Sentinels have users of their own, and commonly none at all.
    fn sentinel_credentials(&self) -> Result<String, String> {
        let options = options(self.query, &["sentinel_username", "sentinel_password"]).ok_or(
            "the options of a sentinel's URL are sentinel_username and sentinel_password, each once",
        )?;
        let given = |wanted: &str| {
            let mut values = options.iter().filter(|(name, _)| *name == wanted);
            values.next().map(|(_, value)| *value)
        };
        let username = given("sentinel_username").unwrap_or_default();
        match given("sentinel_password") {
            Some(password) if !password.is_empty() => Ok(format!("{username}:{password}")),
            _ if username.is_empty() => Ok(String::new()),
            _ => Err("sentinel_username needs a sentinel_password".into()),
        }
    }

    fn node(
        &self,
        credentials: &str,
        host: &str,
        default_port: u16,
        database: &str,
    ) -> Result<ConnectionInfo, String> {
        check_database(database)?;
        check_credentials(credentials)?;
        let mut url = format!("{}://", self.security);
        if !credentials.is_empty() {
            url += &format!("{credentials}@");
        }
        url += host;
        // The colons of an IPv6 address are in brackets.
        if !host.rsplit(']').next().unwrap_or_default().contains(':') {
            url += &format!(":{default_port}");
        }
        url += &format!("/{database}");
        if !self.fragment.is_empty() {
            url += &format!("#{}", self.fragment);
        }
        connection_info(&url)
    }
}

fn connection_info(url: &str) -> Result<ConnectionInfo, String> {
    // The crate's own message may hold the password.
    let info = url
        .into_connection_info()
        .map_err(|_| format!("the URL cannot be parsed; {FORMS}"))?;
    // Batches are small and waited for: Nagle's algorithm would only delay them.
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}
