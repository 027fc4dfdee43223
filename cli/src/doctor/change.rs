//! `Change`: the difference between a way to connect and the flags.

use std::net::IpAddr;

use dunlin_client::transport::{IpVersion, TransportOptions};

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
    /// WebSocket over TLS at this port, with the default path.
    WebSocket(u16),
}

impl Change {
    /// Changes that the flags leave open. A connection without TLS gets none that would send its
    /// credentials anywhere else.
    pub(super) fn of(context: &RunContext, transport: &TransportOptions) -> Vec<Self> {
        let mut changes = Vec::new();
        let has_proxy = context.proxy.is_some();
        // A Unix domain socket is an address as well.
        let has_address = transport.connect_to.is_some() || transport.unix_socket.is_some();
        let has_websocket = transport.websocket.is_some();
        if has_proxy {
            changes.push(Self::Direct);
        }
        // A proxy resolves the name, and an address has one version only.
        let is_name = context.host.parse::<IpAddr>().is_err();
        if is_name && !has_proxy && !has_address && transport.ip_version.is_none() {
            changes.extend([Self::Ip(IpVersion::V4), Self::Ip(IpVersion::V6)]);
        }
        // WebSocket has no ALPN protocol of MQTT, and a port of its own.
        if context.choices.is_tls && !has_websocket {
            changes.push(Self::Alpn(match context.alpn_offered {
                Some(_) => None,
                None => Some(MQTT.to_owned()),
            }));
            // The ports at which AWS IoT and many servers are; others say nothing about the rest.
            if !has_address && [HTTPS, MQTTS].contains(&context.port) {
                let other = if context.port == HTTPS { MQTTS } else { HTTPS };
                changes.extend([Self::Port(other), Self::WebSocket(HTTPS)]);
            }
        }
        changes
    }

    /// Port of the change; `None` if it is that of the flags.
    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Self::Port(port) | Self::WebSocket(port) => Some(*port),
            _ => None,
        }
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
            Self::WebSocket(_) => "WebSocket".to_owned(),
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
        let mut transport = TransportOptions::default();
        let names = |context: &RunContext, transport: &TransportOptions| {
            let changes = Change::of(context, transport);
            changes.iter().map(Change::name).collect::<Vec<_>>()
        };
        assert_eq!(
            names(&context, &transport),
            [
                "IPv4 only",
                "IPv6 only",
                "without ALPN",
                "port 8883",
                "WebSocket"
            ]
        );
        context.proxy = Some("via http://proxy:3128 (from HTTPS_PROXY)".to_owned());
        context.port = 8883;
        context.alpn_offered = None;
        assert_eq!(
            names(&context, &transport),
            ["without the proxy", "ALPN mqtt", "port 443", "WebSocket"]
        );
        // Without TLS, nothing leads to another port.
        context.proxy = None;
        context.choices.is_tls = false;
        assert_eq!(names(&context, &transport), ["IPv4 only", "IPv6 only"]);
        context.host = "127.0.0.1".to_owned();
        assert_eq!(names(&context, &transport), [""; 0]);
        // A given address is kept.
        transport.connect_to = "127.0.0.1:1".parse().ok();
        context.choices.is_tls = true;
        assert_eq!(names(&context, &transport), ["ALPN mqtt"]);
    }
}
