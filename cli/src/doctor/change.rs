//! `Change`: the difference between a way to connect and the flags.

use std::net::IpAddr;

use dunlin_client::transport::IpVersion;

use crate::diagnosis::RunContext;

/// Difference between a way to connect and the flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// None: the check itself.
    None,
    /// No proxy.
    Direct,
    /// Addresses of one IP version only.
    Ip(IpVersion),
    /// Another ALPN protocol; `None` offers none.
    Alpn(Option<String>),
    /// Another port, still with TLS.
    Port(u16),
}

impl Change {
    /// Changes that the flags leave open. A connection without TLS gets none that would send its
    /// credentials anywhere else.
    pub(super) fn of(context: &RunContext, has_address: bool, has_ip_version: bool) -> Vec<Self> {
        let mut changes = Vec::new();
        let has_proxy = context.proxy.is_some();
        if has_proxy {
            changes.push(Self::Direct);
        }
        // A proxy resolves the name, and an address has one version only.
        let is_name = context.host.parse::<IpAddr>().is_err();
        if is_name && !has_proxy && !has_address && !has_ip_version {
            changes.extend([Self::Ip(IpVersion::V4), Self::Ip(IpVersion::V6)]);
        }
        if context.choices.is_tls {
            changes.push(Self::Alpn(match context.alpn_offered {
                Some(_) => None,
                None => Some(MQTT.to_owned()),
            }));
            match context.port {
                HTTPS if !has_address => changes.push(Self::Port(MQTTS)),
                MQTTS if !has_address => changes.push(Self::Port(HTTPS)),
                _ => {}
            }
        }
        changes
    }

    /// Words of the table.
    pub(super) fn name(&self) -> String {
        match self {
            Self::None => "as given".to_owned(),
            Self::Direct => "without the proxy".to_owned(),
            Self::Ip(IpVersion::V6) => "IPv6 only".to_owned(),
            Self::Ip(_) => "IPv4 only".to_owned(),
            Self::Alpn(None) => "without ALPN".to_owned(),
            Self::Alpn(Some(name)) => format!("ALPN {name}"),
            Self::Port(port) => format!("port {port}"),
        }
    }
}

/// Ports of MQTT over TLS that AWS IoT and other servers listen on.
const HTTPS: u16 = 443;
const MQTTS: u16 = 8883;
/// ALPN protocol of MQTT.
const MQTT: &str = "mqtt";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::test_context;

    #[test]
    fn the_flags_decide_what_is_left_to_try() {
        let mut context = test_context("x-ats.iot.eu-west-1.amazonaws.com");
        let names = |context: &RunContext, has_address| {
            let changes = Change::of(context, has_address, false);
            changes.iter().map(Change::name).collect::<Vec<_>>()
        };
        assert_eq!(
            names(&context, false),
            ["IPv4 only", "IPv6 only", "without ALPN", "port 8883"]
        );
        assert_eq!(names(&context, true), ["without ALPN"]);
        context.proxy = Some("via http://proxy:3128 (from HTTPS_PROXY)".to_owned());
        context.port = 8883;
        context.alpn_offered = None;
        assert_eq!(
            names(&context, false),
            ["without the proxy", "ALPN mqtt", "port 443"]
        );
        // Without TLS, nothing leads to another port.
        context.proxy = None;
        context.choices.is_tls = false;
        assert_eq!(names(&context, false), ["IPv4 only", "IPv6 only"]);
        context.host = "127.0.0.1".to_owned();
        assert_eq!(names(&context, false), [""; 0]);
    }
}
