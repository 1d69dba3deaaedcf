//! Sessions and API tokens over three replicas behind the shipped configuration: what one makes is
//! good at all, and what one ends is refused at all.

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{
    Client, Footfall, Redis, postgres::Database, proxy::Proxy, stage::PASSWORD, until,
};

/// Enough for nginx to ask each of them several times.
const REQUESTS: usize = 12;

/// Fewer, since an address may show only 20 wrong API tokens a minute.
const REFUSED: usize = 6;

struct Stack {
    proxy: Proxy,
    replicas: Vec<Footfall>,
    _servers: (Redis, Database),
}

impl Stack {
    /// Three replicas, and an admin of a company, whose e-mail address this is.
    async fn start() -> (Self, &'static str) {
        let (proxy, redis, database) = (Proxy::start(), Redis::start(), Database::migrated());
        let environment = [("REDIS_URL", redis.url()), ("DATABASE_URL", database.url())];
        let mut replicas = Vec::new();
        for _ in 0..3 {
            let builder = proxy.replica();
            let replica = environment
                .iter()
                .fold(builder, |builder, (name, value)| builder.env(name, value))
                .start();
            replica.ready().await;
            replica.metric_becomes("footfall_database_up", 1.0).await;
            replicas.push(replica);
        }
        let anna = "anna@acme.example";
        let mut command = crate::admin_command::command(&environment);
        command.args(["create", "--company", "Acme", "--email", anna]);
        let said = crate::admin_command::typed(command, PASSWORD);
        assert!(said.status.success(), "{said:?}");
        let stack = Self {
            proxy,
            replicas,
            _servers: (redis, database),
        };
        (stack, anna)
    }

    /// A client of one replica, as nginx is.
    fn at(&self, replica: usize) -> Client {
        Client::unix(self.proxy.path(&format!("sockets/{}.sock", replica + 1)))
    }

    /// Counts at each replica, and as often through nginx that each of them has counted.
    async fn counts_everywhere(&self, token: &str) {
        for replica in 0..self.replicas.len() {
            let mut client = self.at(replica).with_token(token);
            client.get("/api/count").await.visits();
        }
        let before = self.counted().await;
        let mut client = self.proxy.client().with_token(token);
        for _ in 0..REQUESTS {
            client.get("/api/count").await.visits();
        }
        for (before, after) in before.into_iter().zip(self.counted().await) {
            assert!(after > before, "nginx asks each of them");
        }
    }

    async fn counted(&self) -> Vec<f64> {
        let mut counted = Vec::new();
        for replica in &self.replicas {
            counted.push(replica.metric("footfall_visits_total").await.unwrap());
        }
        counted
    }

    /// Nothing is counted from the first moment on, by none of them; what does not count is refused
    /// within a second.
    async fn refused_everywhere(&self, token: &str, path: &str) {
        let before = self.counted().await;
        for replica in 0..self.replicas.len() {
            let mut client = self.at(replica).with_token(token);
            let reply = client.get("/api/count").await;
            assert_eq!(reply.problem(), "invalid_token", "at {replica}");
        }
        let mut client = self.proxy.client().with_token(token);
        for _ in 0..REFUSED {
            assert_eq!(client.get("/api/count").await.problem(), "invalid_token");
        }
        assert_eq!(self.counted().await, before);
        for replica in 0..self.replicas.len() {
            let mut client = self.at(replica).with_token(token);
            let refused = async || (client.get(path).await.status == 401).then_some(());
            until("it is refused", refused).await;
        }
    }
}

fn text(of: &Value, field: &str) -> String {
    of[field].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_token_of_one_replica_is_good_at_all_until_another_ends_it() {
    let (stack, anna) = Stack::start().await;
    let session = stack.proxy.client().login(anna, PASSWORD).await.json();
    let session = text(&session, "token");
    for (made_at, ended_at) in [(0, 1), (1, 2), (2, 0)] {
        let mut client = stack.at(made_at).with_token(&session);
        let body = json!({ "name": "shop", "scopes": ["visits:write", "counters:read"] });
        let made = client.post_json("/auth/tokens", &body.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let (id, token) = (text(&made.json(), "id"), text(&made.json(), "token"));
        stack.counts_everywhere(&token).await;
        let mut client = stack.at(ended_at).with_token(&session);
        assert_eq!(
            client.delete(&format!("/auth/tokens/{id}")).await.status,
            204
        );
        stack.refused_everywhere(&token, "/api/counters").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_one_replica_goes_on_at_all_until_another_ends_it() {
    let (stack, anna) = Stack::start().await;
    for (begun_at, ended_at) in [(0, 1), (1, 2), (2, 0)] {
        let mut begun = stack.at(begun_at).login(anna, PASSWORD).await.json();
        stack.counts_everywhere(&text(&begun, "token")).await;
        // Each replica takes the token that the one before has given.
        for replica in 0..stack.replicas.len() {
            let body = json!({ "refresh_token": text(&begun, "refresh_token") });
            let mut client = stack.at(replica);
            let reply = client.post_json("/auth/refresh", &body.to_string()).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            begun = reply.json();
        }
        let token = text(&begun, "token");
        stack.counts_everywhere(&token).await;
        let mut client = stack.at(ended_at).with_token(&token);
        let json = [("content-type", "application/json")];
        let ended = client.send(Method::POST, "/auth/logout", &json, "{}").await;
        assert_eq!(ended.status, 204, "{}", ended.text());
        stack.refused_everywhere(&token, "/auth/me").await;
        for replica in 0..stack.replicas.len() {
            let body = json!({ "refresh_token": text(&begun, "refresh_token") });
            let mut client = stack.at(replica);
            let reply = client.post_json("/auth/refresh", &body.to_string()).await;
            assert_eq!(reply.problem(), "session_ended");
        }
    }
}
