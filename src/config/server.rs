//! Listeners, limits and draining.

use std::time::Duration;

use ipnet::IpNet;

use super::{
    Origin,
    reader::Reader,
    values::{HumanDuration, List, ListenAddress, Network, SocketMode, Switch, Workers},
};

/// Longest time for a request: who waits longer has gone.
const MAX_REQUEST_TIME: Duration = Duration::from_hours(1);

/// How the process listens, limits and drains.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// `FOOTFALL_LISTEN` (`tcp:127.0.0.1:8000`): public listeners.
    pub listen: Vec<ListenAddress>,
    /// `FOOTFALL_OPS_LISTEN` (`tcp:127.0.0.1:9000`): internal listeners.
    pub ops_listen: Vec<ListenAddress>,
    /// `FOOTFALL_SOCKET_MODE` (`0660`): mode bits of Unix sockets.
    pub socket_mode: u32,
    /// `FOOTFALL_TRUSTED_PROXIES`: TCP peers trusted like a Unix-socket peer.
    pub trusted_proxies: Vec<IpNet>,
    /// `FOOTFALL_PROXY_REQUEST_ID` (`off`): whether the trusted proxy makes `X-Request-ID` itself
    /// and passes no client's on.
    pub proxy_request_id: bool,
    /// `FOOTFALL_CORS_ORIGINS`: whose pages, of other origins, are trusted like our own.
    pub cors_origins: Vec<Origin>,
    /// `FOOTFALL_WORKERS` (the CPUs it may use): worker threads.
    pub workers: usize,
    /// `FOOTFALL_REQUEST_TIMEOUT` (`10s`): from the head of a request to its response.
    pub request_timeout: Duration,
    /// `FOOTFALL_HEADER_TIMEOUT` (`30s`): idle time and a request's head together.
    pub header_timeout: Duration,
    /// `FOOTFALL_DRAIN_DELAY` (`0s`): up but unready, after SIGTERM.
    pub drain_delay: Duration,
    /// `FOOTFALL_SHUTDOWN_TIMEOUT` (`30s`): then in-flight requests are cut.
    pub shutdown_timeout: Duration,
}

impl ServerSettings {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let listen = reader.parse::<List<ListenAddress>>("listen");
        let ops_listen = reader.parse::<List<ListenAddress>>("ops_listen");
        let socket_mode = reader.parse::<SocketMode>("socket_mode");
        let trusted_proxies = reader.parse::<List<Network>>("trusted_proxies");
        let proxy_request_id = reader.parse::<Switch>("proxy_request_id");
        let cors_origins = reader.parse::<List<Origin>>("cors_origins");
        let workers = reader.parse::<Workers>("workers");
        let request_timeout = reader.parse::<HumanDuration>("request_timeout");
        let header_timeout = reader.parse::<HumanDuration>("header_timeout");
        let drain_delay = reader.parse::<HumanDuration>("drain_delay");
        let shutdown_timeout = reader.parse::<HumanDuration>("shutdown_timeout");

        if listen.as_ref().is_some_and(|list| list.0.is_empty()) {
            reader.reject("listen", "at least one address is needed");
        }
        let origins = cors_origins.iter().flat_map(|list| &list.0);
        let repeated = origins.enumerate().find_map(|(index, origin)| {
            let before = cors_origins.iter().flat_map(|list| &list.0).take(index);
            before.into_iter().find(|other| *other == origin)
        });
        if let Some(origin) = repeated {
            reader.reject("cors_origins", format!("{origin} is listed twice"));
        }
        for (key, value) in [
            ("request_timeout", request_timeout),
            ("header_timeout", header_timeout),
        ] {
            if value.is_some_and(|value| value.0.is_zero() || value.0 > MAX_REQUEST_TIME) {
                reader.reject(key, "must be longer than zero and not longer than 1h");
            }
        }
        Some(Self {
            listen: listen?.0,
            ops_listen: ops_listen?.0,
            socket_mode: socket_mode?.0,
            trusted_proxies: trusted_proxies?
                .0
                .into_iter()
                .map(|network| network.0)
                .collect(),
            proxy_request_id: proxy_request_id?.0,
            cors_origins: cors_origins?.0,
            workers: workers?.0,
            request_timeout: request_timeout?.0,
            header_timeout: header_timeout?.0,
            drain_delay: drain_delay?.0,
            shutdown_timeout: shutdown_timeout?.0,
        })
    }
}
