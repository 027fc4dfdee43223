//! `RunContext` and `ConnectionFacts`: endpoint, credentials without secrets, and observations that
//! an error may show.

use std::net::SocketAddr;

use dunlin_client::transport::TlsInfo;

use crate::diagnosis::received::ReceivedBytes;
use crate::diagnosis::text::{count, quoted};

/// Endpoint, credentials and choices of a run. Contains no secret.
#[derive(Clone, Debug)]
pub(crate) struct RunContext {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Name for SNI and certificate: the host, or that of `--sni`.
    pub(crate) server_name: String,
    pub(crate) is_aws: bool,
    /// Endpoint with `-ats`, if one without it was given.
    pub(crate) suggested_endpoint: Option<String>,
    /// `via http://proxy.corp:3128 (from HTTPS_PROXY)`; `None` without a proxy.
    pub(crate) proxy: Option<String>,
    pub(crate) authorizer: Option<String>,
    /// True if the token has a signature.
    pub(crate) is_signed: bool,
    /// True if there is a token, signed or not.
    pub(crate) has_token: bool,
    pub(crate) client_id: String,
    pub(crate) alpn_offered: Option<String>,
    pub(crate) choices: UserChoices,
    pub(crate) username: Option<String>,
    pub(crate) password_len: Option<usize>,
}

/// Choices of the user, which advice must not repeat or contradict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserChoices {
    /// `--ca`, its variable, or the CA of a sandbox.
    pub(crate) ca: bool,
    /// `--client-id`.
    pub(crate) client_id: bool,
    /// `--alpn`, other than the default.
    pub(crate) alpn: bool,
    /// TLS, as opposed to `mqtt://` and `ws://`.
    pub(crate) is_tls: bool,
    /// WebSocket: `ws://` and `wss://`.
    pub(crate) is_websocket: bool,
    /// HTTP requests in place of a connection of MQTT: `https://` and `http://`.
    pub(crate) is_http: bool,
    /// The sample, which always means an authorizer of AWS IoT.
    pub(crate) is_sample: bool,
    /// A load test, whose clients share the start of their identifiers.
    pub(crate) is_load: bool,
    /// `--auth-cmd`, whose command runs before every connection.
    pub(crate) auth_cmd: bool,
}

/// Observations of the current connection, or of the last one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionFacts {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) tls: Option<Box<TlsInfo>>,
    /// First bytes of a packet that couldn't be decoded.
    pub(crate) received: ReceivedBytes,
}

impl RunContext {
    /// `AWS IoT` or `the server`.
    pub(crate) fn server_noun(&self) -> &'static str {
        if self.is_aws { "AWS IoT" } else { "the server" }
    }

    /// Host and port, or `unix:` and a path.
    pub(crate) fn address(&self) -> String {
        address(&self.host, self.port)
    }

    /// `authorizer "MyAuth", username "u", password 8 bytes, client id "thing-7"`
    pub(crate) fn credentials(&self) -> String {
        let mut parts = Vec::new();
        if self.choices.is_http && self.authorizer.is_none() && !self.has_token {
            return "no custom authorizer".to_owned();
        }
        match &self.authorizer {
            Some(name) => parts.push(format!("authorizer {}", quoted(name))),
            // AWS IoT then invokes the default authorizer of the account.
            None if self.uses_authorizers() => parts.push("no authorizer name".to_owned()),
            None => {}
        }
        if self.has_token {
            parts.push(
                if self.is_signed {
                    "signed token"
                } else {
                    "token without a signature"
                }
                .to_owned(),
            );
        }
        // HTTP has neither user name nor password nor client id.
        if self.choices.is_http {
            return parts.join(", ");
        }
        if let Some(username) = &self.username {
            parts.push(format!("username {}", quoted(username)));
        }
        match self.password_len {
            Some(len) => parts.push(format!("password {}", count(len, "byte"))),
            None => parts.push("no password".to_owned()),
        }
        parts.push(format!("client id {}", quoted(&self.client_id)));
        parts.join(", ")
    }

    /// True if custom authorizers decide who may connect.
    pub(crate) fn uses_authorizers(&self) -> bool {
        self.is_aws || self.authorizer.is_some() || self.choices.is_sample
    }

    pub(crate) fn has_password(&self) -> bool {
        self.password_len.is_some()
    }

    /// Last stage before CONNECT: `WebSocket`, `TLS` or `TCP`.
    pub(crate) fn last_stage(&self) -> &'static str {
        match (self.choices.is_websocket, self.choices.is_tls) {
            (true, _) => "WebSocket",
            (false, true) => "TLS",
            (false, false) => "TCP",
        }
    }

    /// Transport as `--transport` names it.
    pub(crate) fn transport(&self) -> &'static str {
        match (self.choices.is_websocket, self.choices.is_tls) {
            (_, true) if self.choices.is_http => "https",
            (_, false) if self.choices.is_http => "http",
            (false, false) => "tcp",
            (false, true) => "tls",
            (true, false) => "ws",
            (true, true) => "wss",
        }
    }

    /// Stages of opening a connection, in order.
    pub(crate) fn stages(&self) -> &'static str {
        // A proxy resolves the name and opens the TCP connection to the server.
        match (self.proxy.is_some(), self.transport()) {
            (true, "wss") => "proxy, TLS, WebSocket",
            (true, "ws") => "proxy, WebSocket",
            (true, "tls" | "https") => "proxy, TLS",
            (true, _) => "proxy",
            (false, "wss") => "DNS, TCP, TLS, WebSocket",
            (false, "ws") => "DNS, TCP, WebSocket",
            (false, "tls" | "https") => "DNS, TCP, TLS",
            (false, _) => "DNS, TCP",
        }
    }

    pub(crate) fn username(&self) -> &str {
        self.username.as_deref().unwrap_or_default()
    }

    /// Client id for a policy. The clients of a load test share a prefix, the end of which is random
    /// unless the user has chosen it.
    pub(crate) fn client_id_in_policy(&self) -> String {
        let id = self.client_id.as_str();
        match (self.choices.is_load, self.choices.client_id) {
            (false, true) => id.to_owned(),
            (false, false) if self.choices.is_sample => id.to_owned(),
            (true, true) => format!("{id}-*"),
            (_, false) => {
                // A policy for one random prefix would not allow the next run.
                let fixed = id.rsplit_once('-').map_or(id, |(fixed, _random)| fixed);
                format!("{fixed}-*")
            }
        }
    }

    /// ARN for a policy, with `*` for what isn't known; `kind` is `client`, `topic` or
    /// `topicfilter`.
    pub(crate) fn arn(&self, kind: &str, name: &str) -> String {
        let region = self.region().unwrap_or("*");
        // Regions of China and of the US government are partitions with ARNs of their own.
        let partition = match region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:iot:{region}:*:{kind}/{name}")
    }

    /// The label after `iot`, whether such a region exists or not.
    pub(crate) fn region(&self) -> Option<&str> {
        // Endpoints have the form PREFIX.iot.REGION.amazonaws.com.
        let mut labels = self
            .host
            .split('.')
            .skip_while(|label| *label != "iot" && *label != "iot-fips")
            .skip(1);
        labels.next().filter(|_| self.is_aws)
    }
}

/// Host and port as they stand in a URL, or only the host of `unix:PATH`.
pub(crate) fn address(host: &str, port: u16) -> String {
    if host.starts_with("unix:") {
        host.to_owned()
    } else if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

impl ConnectionFacts {
    /// True if TLS is up and the server has selected no ALPN protocol.
    pub(crate) fn lacks_alpn(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|tls| tls.alpn_selected.is_none())
    }

    /// First bytes of a packet that couldn't be decoded; empty if there was none.
    pub(crate) fn malformed(&self) -> Vec<u8> {
        self.received.bytes()
    }

    /// `x-ats.iot.eu-west-1.amazonaws.com:443 (52.1.2.3) · ALPN mqtt ok`
    pub(crate) fn summary(&self, context: &RunContext) -> String {
        let mut summary = context.address();
        if let Some(peer) = self
            .peer
            .filter(|peer| peer.ip().to_string() != context.host)
        {
            summary.push_str(&format!(" ({})", peer.ip()));
        }
        if context.choices.is_websocket {
            summary.push_str(" · WebSocket");
        } else if let Some(tls) = &self.tls {
            match &tls.alpn_selected {
                Some(alpn) => summary.push_str(&format!(" · ALPN {alpn} ok")),
                None => summary.push_str(" · no ALPN selected"),
            }
        }
        summary
    }
}

#[cfg(test)]
pub(crate) fn context(host: &str) -> RunContext {
    RunContext {
        host: host.into(),
        port: 443,
        server_name: host.into(),
        is_aws: dunlin_client::aws::is_aws_host(host),
        suggested_endpoint: None,
        proxy: None,
        authorizer: Some("MyAuth".into()),
        is_signed: false,
        has_token: false,
        client_id: "thing-7".into(),
        alpn_offered: Some("mqtt".into()),
        choices: UserChoices {
            ca: false,
            client_id: true,
            alpn: false,
            is_tls: true,
            is_websocket: false,
            is_http: false,
            is_sample: true,
            is_load: false,
            auth_cmd: false,
        },
        username: Some("u".into()),
        password_len: Some(8),
    }
}

#[cfg(test)]
impl RunContext {
    pub(crate) fn without_credentials(self) -> Self {
        Self {
            username: None,
            password_len: None,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_without_the_secrets() {
        let text = context("localhost").credentials();
        assert_eq!(
            text,
            r#"authorizer "MyAuth", username "u", password 8 bytes, client id "thing-7""#
        );
    }

    #[test]
    fn an_arn_names_region_and_partition_where_the_endpoint_tells_them() {
        let arn = |host| context(host).arn("topicfilter", "test/topic");
        assert_eq!(
            arn("x-ats.iot.eu-west-1.amazonaws.com"),
            "arn:aws:iot:eu-west-1:*:topicfilter/test/topic"
        );
        assert!(
            arn("x.ats.iot.cn-north-1.amazonaws.com.cn").starts_with("arn:aws-cn:iot:cn-north-1:")
        );
        assert!(arn("localhost").starts_with("arn:aws:iot:*:*:"));
    }
}
