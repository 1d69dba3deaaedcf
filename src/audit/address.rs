//! Addresses as they are stored: their bytes, or those of their network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The bytes of an address: 4 or 16.
pub fn bytes(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The bytes of an address's network, as a cut address has them: 3 (/24) or 6 (/48).
pub fn network(address: IpAddr) -> Vec<u8> {
    let mut bytes = bytes(address);
    bytes.truncate(if bytes.len() == 4 { 3 } else { 6 });
    bytes
}

/// As people write it: an address, or a network with the length of its prefix; `None` if these
/// are the bytes of neither.
pub fn text(bytes: &[u8]) -> Option<String> {
    let mut whole = [0; 16];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let [a, b, c, d, ..] = whole;
    let (v4, v6) = (Ipv4Addr::new(a, b, c, d), Ipv6Addr::from(whole));
    match bytes.len() {
        3 => Some(format!("{v4}/24")),
        4 => Some(v4.to_string()),
        6 => Some(format!("{v6}/48")),
        16 => Some(v6.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_read_as_they_were_written() {
        for (address, whole, cut) in [
            ("192.0.2.255", "192.0.2.255", "192.0.2.0/24"),
            ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.0/24"),
            ("2001:db8:1:2::3", "2001:db8:1:2::3", "2001:db8:1::/48"),
            ("::1", "::1", "::/48"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(text(&bytes(address)).unwrap(), whole);
            assert_eq!(text(&network(address)).unwrap(), cut);
        }
        for length in [0, 1, 2, 5, 7, 15, 17] {
            assert_eq!(text(&vec![1; length]), None, "{length}");
        }
    }
}
