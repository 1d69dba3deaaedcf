//! All servers that say that they are the master. While sentinels switch there are two: the old one
//! goes on for some ten seconds, and a process counts on it until a sentinel names it the other.

use std::{collections::HashMap, time::Duration};

use futures_util::future::{join_all, try_join_all};
use redis::{AsyncConnectionConfig, ConnectionInfo, aio::MultiplexedConnection};
use tokio::time::timeout;

use super::{
    RedisStore,
    topology::{Node, connect, is_master},
};
use crate::{
    config::{RedisUrl, redis_url::Topology},
    storage::StoreError,
};

/// What sentinels know of a server, by the names of the fields.
type Fields = HashMap<String, String>;

impl RedisStore {
    /// Connections to all servers but this one that say that they are the master. Without sentinels
    /// there are none.
    ///
    /// # Errors
    ///
    /// If no sentinel answers, or a server does not that may be a master: nobody listens at the
    /// address of one that has died, and of one that hangs the sentinels say that it is down.
    pub async fn other_masters(
        &self,
        than: &Node,
    ) -> Result<Vec<MultiplexedConnection>, StoreError> {
        match &self.url.topology {
            // As long for the sentinels, as long for the servers, and the rest for what is asked next.
            Topology::Sentinel(name) => others(&self.url, name, than, self.timeout / 4).await,
            Topology::Single | Topology::Cluster => Ok(Vec::new()),
        }
    }
}

/// All sentinels are asked for the servers, since they learn of a switch one after the other, and each
/// server for its role.
async fn others(
    url: &RedisUrl,
    name: &str,
    than: &Node,
    limit: Duration,
) -> Result<Vec<MultiplexedConnection>, StoreError> {
    // The limit is that of all that is asked of one.
    let config = &AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let answers = url.nodes.iter().map(async |sentinel| {
        let asking = ask_sentinel(sentinel, name, config);
        timeout(limit, asking)
            .await
            .unwrap_or(Err(StoreError::Timeout))
    });
    let servers = merge(join_all(answers).await)?;
    let roles = servers.into_iter().filter(|(node, _)| node != than);
    let roles = roles.map(async |(node, is_down)| {
        let asking = ask_server(url, &node, config);
        match timeout(limit, asking).await.unwrap_or(Err(StoreError::Timeout)) {
            Err(_) if is_down => Ok(None),
            Err(error) => Err(StoreError::Unavailable(format!(
                "{node} does not say whether it is a master, and the sentinels do not call it down: {error}"
            ))),
            answer => answer,
        }
    });
    Ok(try_join_all(roles).await?.into_iter().flatten().collect())
}

/// All servers that a sentinel knows, with what it knows of them.
async fn ask_sentinel(
    sentinel: &ConnectionInfo,
    name: &str,
    config: &AsyncConnectionConfig,
) -> Result<Vec<Fields>, StoreError> {
    let mut connection = connect(sentinel.clone(), config).await?;
    let mut questions = redis::pipe();
    questions.cmd("SENTINEL").arg("MASTER").arg(name);
    questions.cmd("SENTINEL").arg("REPLICAS").arg(name);
    let answers = questions.query_async(&mut connection).await;
    let (master, mut servers): (Fields, Vec<Fields>) = answers
        .map_err(StoreError::from)
        .map_err(StoreError::of_reading)?;
    servers.push(master);
    Ok(servers)
}

/// A connection to the server, if it says that it is a master.
async fn ask_server(
    url: &RedisUrl,
    node: &Node,
    config: &AsyncConnectionConfig,
) -> Result<Option<MultiplexedConnection>, StoreError> {
    let client = redis::Client::open(node.connection_info(url))?;
    let connecting = client.get_multiplexed_async_connection_with_config(config);
    let mut connection = match connecting.await {
        Err(error) if error.is_connection_refusal() => return Ok(None),
        connected => connected?,
    };
    let is_master = is_master(&mut connection).await?;
    Ok(is_master.then_some(connection))
}

/// All servers that any sentinel knows, and whether all who know it say that it is down.
fn merge(answers: Vec<Result<Vec<Fields>, StoreError>>) -> Result<HashMap<Node, bool>, StoreError> {
    let (mut servers, mut answered, mut failed) = (HashMap::new(), false, None);
    for answer in answers {
        match answer {
            Ok(fields) => {
                answered = true;
                for (node, is_down) in fields.iter().filter_map(server) {
                    let all_say_so = servers.entry(node).or_insert(true);
                    *all_say_so &= is_down;
                }
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if !answered => Err(error),
        _ => Ok(servers),
    }
}

fn server(fields: &Fields) -> Option<(Node, bool)> {
    let node = Node::new(fields.get("ip")?, fields.get("port")?.parse().ok()?);
    let mut flags = fields.get("flags")?.split(',');
    Some((node, flags.any(|flag| matches!(flag, "s_down" | "o_down"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(port: u16, flags: &str) -> Fields {
        let all = [
            ("ip", "10.0.0.1"),
            ("port", &port.to_string()),
            ("flags", flags),
        ];
        let owned = all.map(|(name, value)| (name.to_owned(), value.to_owned()));
        owned.into()
    }

    #[test]
    fn what_one_sentinel_knows_is_asked_and_what_all_call_down_may_be_silent() {
        let away = || Err(StoreError::Timeout);
        let answers = vec![
            Ok(vec![
                fields(1, "master"),
                fields(2, "slave,s_down,disconnected"),
                fields(3, "s_down,o_down,master"),
                fields(5, "slave,disconnected"),
            ]),
            away(),
            Ok(vec![
                fields(1, "s_down,slave"),
                fields(2, "s_down,slave"),
                fields(4, "slave"),
            ]),
        ];
        let servers = merge(answers).unwrap();
        let down = [(1, false), (2, true), (3, true), (4, false), (5, false)];
        let expected = down.map(|(port, is_down)| (Node::new("10.0.0.1", port), is_down));
        assert_eq!(servers, expected.into());
        assert!(merge(vec![away(), away()]).is_err());
    }
}
