//! `NO_PROXY`: hosts for which a proxy of the environment is not used.

use std::net::{IpAddr, SocketAddr};

use hyper_util::client::proxy::matcher::Matcher;

/// Names of the variable; the first one that isn't empty is used.
pub(super) const VARIABLES: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// A list as curl and Go read it, separated by commas or blanks: `*`, a domain with its subdomains,
/// an IP address, a network such as `10.0.0.0/8`. An entry may end in a port, except for `*` and
/// networks.
///
/// hyper-util matches domains, addresses and networks. Ports, `*.example.com`, blanks, and `*` for
/// addresses it doesn't know, so the list is rewritten without them first.
#[derive(Debug)]
pub(super) struct NoProxy(Vec<String>);

impl NoProxy {
    pub(super) fn new(list: &str) -> Self {
        let entries = list
            .split([',', ' ', '\t'])
            .filter(|entry| !entry.is_empty());
        Self(entries.map(str::to_owned).collect())
    }

    /// True if the list names the host, or the address that is used instead of it.
    ///
    /// `port` is the port of the host; an address to connect to brings its own.
    pub(super) fn covers(&self, host: &str, connect_to: Option<SocketAddr>, port: u16) -> bool {
        let port = connect_to.map_or(port, |address| address.port());
        let list: Vec<String> = self
            .0
            .iter()
            .filter_map(|entry| without_port(entry, port))
            .collect();
        // The name of this proxy is never used: an answer of `None` means that the list names the
        // host.
        let matcher = Matcher::builder()
            .all("http://proxy.invalid")
            .no(list.join(","))
            .build();
        let is_listed = |host: &str| {
            let host = match host.parse() {
                Ok(IpAddr::V6(address)) => format!("[{address}]"),
                _ => host.trim_end_matches('.').to_owned(),
            };
            let url = format!("https://{host}").parse();
            url.is_ok_and(|url| matcher.intercept(&url).is_none())
        };
        is_listed(host) || connect_to.is_some_and(|address| is_listed(&address.ip().to_string()))
    }
}

/// An entry in the form that hyper-util reads; `None` if it is for another port, or empty.
fn without_port(entry: &str, port: u16) -> Option<String> {
    if entry == "*" {
        return Some("*,0.0.0.0/0,::/0".to_owned());
    }
    // A network, or an IPv6 address without brackets: its colons are no port.
    if entry.contains('/') || entry.parse::<IpAddr>().is_ok() {
        return Some(entry.to_owned());
    }
    let name = match entry.rsplit_once(':') {
        Some((name, only)) if only.parse() == Ok(port) => name,
        Some(_) if !entry.ends_with(']') => return None,
        _ => entry,
    };
    let name = name
        .trim_start_matches(['*', '['])
        .trim_start_matches('.')
        .trim_end_matches([']', '.']);
    (!name.is_empty()).then(|| name.to_owned())
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
