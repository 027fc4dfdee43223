//! `NO_PROXY`: the hosts that an environment's proxy isn't asked for.

use std::net::{IpAddr, SocketAddr};

/// The first one that isn't empty counts.
pub(super) const VARIABLES: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The list, as curl and Go read it: `*`, a domain with all below it, an address, a network such as
/// `10.0.0.0/8`; each but `*` and a network may name a port.
#[derive(Debug)]
pub(super) struct NoProxy(Vec<String>);

impl NoProxy {
    pub(super) fn new(list: &str) -> Self {
        let words = list.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        Self(words.map(str::to_ascii_lowercase).collect())
    }

    pub(super) fn covers(&self, host: &str, connect_to: Option<SocketAddr>, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let address = connect_to
            .map(|address| address.ip())
            .or_else(|| host.parse().ok());
        let port = connect_to.map_or(port, |address| address.port());
        self.0
            .iter()
            .any(|entry| matches(entry, &host, address, port))
    }
}

fn matches(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, bits)) = entry.split_once('/') {
        let network = network.parse().ok().zip(bits.parse().ok());
        return network
            .zip(address)
            .is_some_and(|((network, bits), address)| is_in(network, bits, address));
    }
    let (name, only) = split_port(entry);
    if only.is_some_and(|only| only != port) {
        return false;
    }
    if let Ok(ip) = name.parse::<IpAddr>() {
        return address == Some(ip);
    }
    let domain = name
        .trim_start_matches('*')
        .trim_start_matches('.')
        .trim_end_matches('.');
    let below = host.strip_suffix(domain);
    !domain.is_empty() && below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

fn split_port(entry: &str) -> (&str, Option<u16>) {
    if entry.parse::<IpAddr>().is_ok() {
        return (entry, None);
    }
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().ok()),
        None => (entry, None),
    };
    (name.trim_start_matches('[').trim_end_matches(']'), port)
}

fn is_in(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (
            u128::from(u32::from(network)),
            u128::from(u32::from(address)),
            32_u32,
        ),
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (u128::from(network), u128::from(address), 128)
        }
        _ => return false,
    };
    let Some(host_bits) = width.checked_sub(bits) else {
        return false;
    };
    host_bits == 128 || network >> host_bits == address >> host_bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(list: &str, host: &str) -> bool {
        NoProxy::new(list).covers(host, None, 443)
    }

    #[test]
    fn a_domain_covers_itself_and_what_is_below() {
        for list in [
            "example.com",
            ".example.com",
            "*.example.com",
            "a, EXAMPLE.com",
            "example.com:443",
            "*",
        ] {
            assert!(
                covers(list, "example.com") && covers(list, "iot.Example.com."),
                "{list}"
            );
        }
        for list in [
            "",
            "example.org",
            "le.com",
            "example.com:8883",
            "com.",
            ".",
            "x.example.com.org",
        ] {
            assert_eq!(covers(list, "iot.example.com"), list == "com.", "{list}");
        }
    }

    #[test]
    fn an_address_is_covered_alone_or_by_its_network() {
        for (list, host) in [
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3:443", "10.1.2.3"),
            ("10.0.0.0/8", "10.1.2.3"),
            ("0.0.0.0/0", "10.1.2.3"),
            ("2001:db8::/32", "2001:db8::7"),
            ("::/0", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("2001:db8::7", "2001:db8:0::7"),
        ] {
            assert!(covers(list, host), "{list} {host}");
        }
        for list in [
            "10.1.2.4",
            "10.1.2.3:1",
            "11.0.0.0/8",
            "10.0.0.0/33",
            "10.0.0.0/x",
            "::/0",
        ] {
            assert!(!covers(list, "10.1.2.3"), "{list}");
        }
        let to = Some("10.1.2.3:8883".parse().unwrap());
        assert!(NoProxy::new("10.0.0.0/8").covers("iot.example.com", to, 443));
    }
}
