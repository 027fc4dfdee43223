//! `Access`: TLS, default port and default ALPN protocol of a server.

use dunlin_client::aws;

use super::EndpointForm;
use crate::args::TransportArg;

/// TLS, default port and default ALPN protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) is_tls: bool,
    pub(super) default_port: u16,
    pub(super) default_alpn: Option<&'static str>,
}

/// Source of the transport that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Neither a URL nor a flag.
    Nothing,
    /// Scheme of a URL, which has a default port.
    Scheme(TransportArg),
    /// `--transport`, which leaves the port to the other flags.
    Flag(TransportArg),
}

impl Asked {
    /// Transport that was asked for; `None` if none was.
    pub(super) const fn transport(self) -> Option<TransportArg> {
        match self {
            Self::Nothing => None,
            Self::Scheme(transport) | Self::Flag(transport) => Some(transport),
        }
    }
}

impl EndpointForm {
    /// Chooses TLS, port and ALPN for a host.
    pub(super) fn access(self, host: &str, port: Option<u16>, asked: Asked) -> Access {
        // A URL or a flag for WebSocket says it all. ALPN "mqtt" would be MQTT without WebSocket.
        if let Some(transport @ (TransportArg::Ws | TransportArg::Wss)) = asked.transport() {
            let is_tls = transport == TransportArg::Wss;
            return Access {
                is_tls,
                default_port: if is_tls { WSS } else { WS },
                default_alpn: None,
            };
        }
        // HTTP likewise; only a client certificate at AWS IoT's shared port has an ALPN protocol.
        if let Some(transport @ (TransportArg::Https | TransportArg::Http)) = asked.transport() {
            let is_tls = transport == TransportArg::Https;
            let default_port = if is_tls { aws::DEFAULT_PORT } else { HTTP };
            let has_certificate = matches!(self, Self::AnyServer(asked_for) if asked_for.certificate && !asked_for.authorizer);
            let is_shared_port = port.unwrap_or(default_port) == aws::DEFAULT_PORT;
            let is_certificate =
                has_certificate && is_tls && is_shared_port && aws::is_aws_host(host);
            return Access {
                is_tls,
                default_port,
                default_alpn: is_certificate.then_some(aws::HTTP_CERTIFICATE_ALPN),
            };
        }
        // TLS by its flag alone leaves port and ALPN as they would be without it.
        let scheme = match asked {
            Asked::Scheme(transport) => Some(transport == TransportArg::Tls),
            Asked::Flag(TransportArg::Tcp) => Some(false),
            Asked::Flag(_) | Asked::Nothing => None,
        };
        let Self::AnyServer(asked_for) = self else {
            let default_port = match scheme {
                None => aws::DEFAULT_PORT,
                Some(true) => MQTTS,
                Some(false) => MQTT,
            };
            return Access {
                is_tls: scheme != Some(false),
                default_port,
                default_alpn: Some(MQTT_ALPN),
            };
        };
        let is_aws = aws::is_aws_host(host);
        let has_authorizer =
            asked_for.authorizer || (is_aws && !asked_for.certificate && scheme.is_none());
        let is_tls = scheme.unwrap_or(
            has_authorizer
                || is_aws
                || asked_for.certificate
                || asked_for.ca
                || matches!(asked, Asked::Flag(TransportArg::Tls))
                || matches!(port, Some(MQTTS | aws::DEFAULT_PORT)),
        );
        let default_port = match is_tls {
            true if has_authorizer && scheme.is_none() => aws::DEFAULT_PORT,
            true => MQTTS,
            false => MQTT,
        };
        // AWS IoT serves several protocols on port 443 and tells them apart by ALPN.
        let is_shared_port = port.unwrap_or(default_port) == aws::DEFAULT_PORT;
        let default_alpn = match (has_authorizer, is_aws && is_shared_port) {
            (true, _) => Some(MQTT_ALPN),
            (false, true) if asked_for.certificate => Some(CERTIFICATE_ALPN),
            (false, true) => Some(MQTT_ALPN),
            (false, false) => None,
        };
        Access {
            is_tls,
            default_port,
            default_alpn: default_alpn.filter(|_| is_tls),
        }
    }
}

/// Default ports of `mqtt://`, `mqtts://`, `ws://` and `wss://`.
const MQTT: u16 = 1883;
const MQTTS: u16 = 8883;
const WS: u16 = 80;
const WSS: u16 = 443;
/// Default port of `http://`.
const HTTP: u16 = 80;
/// ALPN protocol of custom authorizers, and that of client certificates on port 443 of AWS IoT.
pub(super) const MQTT_ALPN: &str = "mqtt";
const CERTIFICATE_ALPN: &str = "x-amzn-mqtt-ca";
