//! What a failed connection means in a container: there the machine itself is
//! the container.

use std::{net::IpAddr, path::Path, sync::LazyLock};

use redis::{ConnectionAddr, RedisError};

use super::first_line;

/// Docker and Podman mark their containers by these files.
static IN_CONTAINER: LazyLock<bool> = LazyLock::new(|| {
    let marks = ["/.dockerenv", "/run/.containerenv"];
    marks.iter().any(|mark| Path::new(mark).exists())
});

/// The error in one line. Where nobody answers at an address that leads to the
/// container itself, it says so: few mean that.
pub(super) fn explain(error: &RedisError, address: &ConnectionAddr) -> String {
    let message = first_line(error);
    if *IN_CONTAINER
        && error.is_connection_refusal()
        && let Some(itself) = itself(address)
    {
        return format!("{message}; {itself} is this container's own");
    }
    message
}

/// What leads nowhere else than to the machine itself.
fn itself(address: &ConnectionAddr) -> Option<&str> {
    let host = match address {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
        ConnectionAddr::Unix(_) => return Some("the Unix socket"),
        _ => return None,
    };
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let is_loopback = match name.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback() || ip.is_unspecified(),
        // RFC 6761 6.3
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    };
    is_loopback.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_the_machine_itself() {
        for host in [
            "127.0.0.1",
            "127.1.2.3",
            "::1",
            "::ffff:127.0.0.1",
            "0.0.0.0",
            "::",
            "localhost",
            "LocalHost.",
            "redis.localhost",
        ] {
            let address = ConnectionAddr::Tcp(host.to_owned(), 6379);
            assert_eq!(itself(&address), Some(host));
        }
        let socket = ConnectionAddr::Unix("/run/redis.sock".into());
        assert_eq!(itself(&socket), Some("the Unix socket"));
        for host in ["redis", "10.127.0.1", "localhost.example", "2001:db8::1"] {
            let address = ConnectionAddr::Tcp(host.to_owned(), 6379);
            assert_eq!(itself(&address), None, "{host}");
        }
    }
}
