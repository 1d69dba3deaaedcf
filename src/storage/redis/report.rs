//! What `footfall doctor` wants to know of a Redis, as far as it may be asked.

use deadpool_redis::Connection;
use redis::{Cmd, RedisError, RedisResult, ServerErrorKind, Value};

use super::{Node, RedisStore};
use crate::storage::StoreError;

/// One server.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its address.
    pub node: Node,
    /// `redis_version`
    pub version: Option<String>,
    /// `maxmemory`; 0 is no limit
    pub max_memory: Option<u64>,
    /// `maxmemory-policy`
    pub eviction: Option<String>,
    /// Whether there is an append-only file.
    pub append_only: Option<bool>,
    /// `appendfsync`
    pub fsync: Option<String>,
    /// `min-replicas-to-write`
    pub min_replicas: Option<u64>,
    /// Its replicas.
    pub replicas: Vec<Replica>,
}

/// A replica, as its master sees it.
#[derive(Debug, Clone)]
pub struct Replica {
    /// `HOST:PORT`
    pub address: String,
    /// Whether it follows; else it is still copying.
    pub online: bool,
    /// Bytes it is behind, if the master says how far it is itself.
    pub bytes_behind: Option<u64>,
    /// Seconds since it was last heard of.
    pub seconds_silent: u64,
}

impl RedisStore {
    /// Looks at what keeps counts from being lost on this master.
    ///
    /// # Errors
    ///
    /// If it does not answer in time.
    pub async fn report(&self, node: &Node) -> Result<Report, StoreError> {
        let asking = self.ask(node);
        match tokio::time::timeout(self.timeout(), asking).await {
            Ok(report) => report,
            Err(_) => Err(StoreError::Timeout),
        }
    }

    /// Why the user may not run each of these commands; `None` where it may.
    /// None of them is executed.
    ///
    /// # Errors
    ///
    /// If it does not answer in time, or transactions are not allowed.
    pub async fn denied(
        &self,
        node: &Node,
        commands: &[Cmd],
    ) -> Result<Vec<Option<String>>, StoreError> {
        let trying = async {
            // It is not given back: a transaction that may not be discarded ends with it.
            let mut connection = Connection::take(self.connection(node).await?);
            let mut nothing = redis::pipe();
            nothing.cmd("MULTI").cmd("EXEC").cmd("MULTI");
            nothing.query_async::<()>(&mut connection).await?;
            let mut all = redis::pipe();
            for command in commands {
                all.add_command(command.clone());
            }
            all.cmd("DISCARD").ignore_errors();
            let replies: Vec<RedisResult<Value>> = all.query_async(&mut connection).await?;
            let reasons = replies.into_iter().take(commands.len());
            Ok(reasons.map(|reply| denial(&reply.err()?)).collect())
        };
        let result = tokio::time::timeout(self.timeout(), trying).await;
        result.unwrap_or(Err(StoreError::Timeout))
    }

    /// The clock of this master, in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// If it does not answer in time, or its user may not ask.
    pub async fn clock(&self, node: &Node) -> Result<i64, StoreError> {
        let asking = async {
            let mut connection = self.connection(node).await?;
            let (seconds, microseconds): (i64, i64) =
                redis::cmd("TIME").query_async(&mut connection).await?;
            Ok(seconds.saturating_mul(1000) + microseconds / 1000)
        };
        let answer = tokio::time::timeout(self.timeout(), asking).await;
        answer.unwrap_or(Err(StoreError::Timeout))
    }

    async fn ask(&self, node: &Node) -> Result<Report, StoreError> {
        let mut connection = self.connection(node).await?;
        // Managed services commonly forbid INFO or CONFIG.
        let info = redis::cmd("INFO")
            .query_async::<redis::InfoDict>(&mut connection)
            .await
            .ok();
        let text = |key: &str| info.as_ref()?.get::<String>(key);
        let mut setting = async |name: &str| {
            let question = redis::cmd("CONFIG").arg("GET").arg(name).take();
            let answer: Vec<String> = question.query_async(&mut connection).await.ok()?;
            answer.into_iter().nth(1)
        };
        let fsync = setting("appendfsync").await;
        let min_replicas = setting("min-replicas-to-write").await;
        let written = text("master_repl_offset").and_then(|offset| offset.parse().ok());
        Ok(Report {
            node: node.clone(),
            version: text("redis_version"),
            max_memory: text("maxmemory").and_then(|bytes| bytes.parse().ok()),
            eviction: text("maxmemory_policy"),
            append_only: text("aof_enabled").map(|enabled| enabled == "1"),
            fsync,
            min_replicas: min_replicas.and_then(|number| number.parse().ok()),
            replicas: (0..)
                .map_while(|number| text(&format!("slave{number}")))
                .filter_map(|line| parse_replica(&line, written))
                .collect(),
        })
    }
}

/// What a server says to whom it does not allow a command, or the command's keys. A command that
/// was renamed or is not there is not allowed either; all else says nothing of permissions.
fn denial(error: &RedisError) -> Option<String> {
    let unknown = || error.detail()?.strip_prefix("unknown command");
    let denied = error.kind() == ServerErrorKind::NoPerm.into();
    (denied || unknown().is_some()).then(|| StoreError::from(error.clone()).to_string())
}

/// `ip=10.0.0.2,port=6379,state=online,offset=1234,lag=0`
fn parse_replica(line: &str, written: Option<u64>) -> Option<Replica> {
    let field = |name: &str| {
        line.split(',')
            .filter_map(|field| field.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    };
    let offset: u64 = field("offset")?.parse().ok()?;
    Some(Replica {
        address: format!("{}:{}", field("ip")?, field("port")?),
        online: field("state") == Some("online"),
        bytes_behind: written.map(|written| written.saturating_sub(offset)),
        seconds_silent: field("lag")?.parse().ok()?,
    })
}
