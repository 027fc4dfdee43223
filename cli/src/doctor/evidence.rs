//! `Evidence`: what a stage has found, as text for people and as JSON.

use std::net::SocketAddr;
use std::time::SystemTime;

use dunlin_client::transport::{FailedAttempt, PeerAddress, PeerCertificate, TlsInfo};
use dunlin_client::{Connected, QoS};
use dunlin_codec::{Escaped, ReasonCode};
use serde_json::{Value, json};

use crate::client_run::event_json::{name_of, timestamp};
use crate::diagnosis::{RunContext, count, quoted};

/// Findings of a stage.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// Findings in one line.
    pub(super) text: String,
    /// Further lines.
    pub(super) more: Vec<String>,
    /// The same as a JSON object.
    pub(super) details: Value,
    /// True if something may be the cause of a later failure.
    pub(super) is_warning: bool,
}

impl Evidence {
    fn new(text: impl Into<String>, details: Value) -> Self {
        Self {
            text: text.into(),
            details,
            ..Self::default()
        }
    }

    /// Endpoint and credentials, without secrets.
    pub(super) fn flags(context: &RunContext) -> Self {
        // Where to, and how; the credentials follow in a line of their own, without secrets.
        let address = context.address();
        let transport = match (context.choices.is_tls, &context.alpn_offered) {
            (false, _) if context.choices.is_http => "HTTP without TLS".to_owned(),
            (true, None) if context.choices.is_http => "HTTPS, no ALPN".to_owned(),
            (true, Some(alpn)) if context.choices.is_http => {
                format!("HTTPS, ALPN {}", Escaped(alpn))
            }
            (false, _) => "TCP without TLS".to_owned(),
            (true, None) => "TLS, no ALPN".to_owned(),
            (true, Some(alpn)) => format!("TLS, ALPN {}", Escaped(alpn)),
        };
        let mut more = vec![context.credentials()];
        more.extend(context.proxy.clone());
        Self {
            more,
            ..Self::new(
                format!("{}, {transport}", Escaped(&address)),
                json!({
                    "endpoint": context.host,
                    "port": context.port,
                    "tls": context.choices.is_tls,
                    "authorizer": context.authorizer,
                    "client_id": context.client_id,
                    "proxy": context.proxy,
                }),
            )
        }
    }

    /// All addresses of a host name.
    pub(super) fn addresses(host: &str, addresses: &[SocketAddr]) -> Self {
        // The system may list an address twice, once for each kind of socket.
        let mut ips: Vec<String> = Vec::new();
        for address in addresses {
            let ip = address.ip().to_string();
            if !ips.contains(&ip) {
                ips.push(ip);
            }
        }
        let v6 = ips.iter().filter(|ip| ip.contains(':')).count();
        let noun = match ips.len() {
            1 => "address",
            _ => "addresses",
        };
        let of_v6 = match v6 {
            0 => String::new(),
            some => format!(" ({some} IPv6)"),
        };
        Self::new(
            format!(
                "{}: {} {noun}{of_v6}: {}",
                Escaped(host),
                ips.len(),
                ips.join(", ")
            ),
            json!({ "host": host, "addresses": ips }),
        )
    }

    /// Address of the TCP connection, and those that failed before it.
    pub(super) fn tcp(peer: &PeerAddress, failed: &[FailedAttempt], is_proxy: bool) -> Self {
        let whose = if is_proxy { " (the proxy)" } else { "" };
        Self {
            more: failed
                .iter()
                .map(|attempt| format!("failed before: {attempt}"))
                .collect(),
            is_warning: !failed.is_empty(),
            ..Self::new(
                format!("{peer}{whose}"),
                json!({
                    "peer": peer.to_string(),
                    "failed": failed.iter().map(ToString::to_string).collect::<Vec<_>>(),
                }),
            )
        }
    }

    /// Answer to an HTTP request.
    pub(super) fn answer(status: u16, reason: &str, request_id: Option<&str>) -> Self {
        let id = request_id.map_or_else(String::new, |id| format!(", request id {}", quoted(id)));
        Self::new(
            format!("answer HTTP {status} {reason}{id}"),
            json!({ "status": status, "request_id": request_id }),
        )
    }

    /// Message that was published over HTTP.
    pub(super) fn published(topic: &str) -> Self {
        Self::new(
            format!("{} QoS 1: accepted", quoted(topic)),
            json!({ "topic": topic, "qos": 1 }),
        )
    }

    /// Tunnel through the proxy.
    pub(super) fn tunnel(context: &RunContext, peer: SocketAddr) -> Self {
        Self::new(
            format!("tunnel to {} through {peer}", Escaped(context.address())),
            json!({ "peer": peer.to_string() }),
        )
    }

    /// Version, certificate and ALPN of a TLS handshake; dates are compared with `now`.
    pub(super) fn tls(tls: &TlsInfo, now: SystemTime) -> Self {
        // ALPN: an offer that the server ignores is what AWS IoT closes connections over.
        let offered = tls.alpn_offered.join(", ");
        let (alpn, ignored) = match (&tls.alpn_selected, offered.is_empty()) {
            (Some(selected), _) => (format!("ALPN {}", Escaped(selected)), false),
            (None, true) => ("no ALPN offered".to_owned(), false),
            (None, false) => (
                format!("ALPN {} offered, none selected", Escaped(&offered)),
                true,
            ),
        };
        // The certificate of the server, with its dates by this computer's clock.
        let certificate = tls.certificate.as_ref();
        let left = certificate.map(|certificate| days_left(certificate, now));
        let subject = certificate.map_or_else(
            || "a certificate that can't be read".to_owned(),
            |certificate| format!("CN={}", certificate.subject),
        );
        let days = left.map_or_else(String::new, |days| {
            format!(
                ", {} left",
                count(usize::try_from(days).unwrap_or(0), "day")
            )
        });
        let unverified = if tls.is_verified {
            ""
        } else {
            ", NOT VERIFIED"
        };
        // Further lines: what the server's owner needs to compare.
        let mut more = Vec::new();
        if let Some(certificate) = certificate {
            more.push(format!(
                "names {}; key {}",
                certificate.names.join(", "),
                certificate.key
            ));
            more.push(format!(
                "valid {} to {}; issued by {}",
                date(certificate.not_before),
                date(certificate.not_after),
                quoted(&certificate.issuer)
            ));
        }
        if !tls.chain.is_empty() {
            let issuers: Vec<&str> = tls.chain.iter().map(|each| each.subject.as_str()).collect();
            more.push(format!("chain: {}", issuers.join(" <- ")));
        }
        Self {
            more,
            is_warning: ignored || !tls.is_verified || left.is_some_and(|days| days < FEW_DAYS),
            ..Self::new(
                format!("{}, {subject}{days}{unverified}, {alpn}", tls.version),
                json!({
                    "version": tls.version.to_string(),
                    "alpn_offered": tls.alpn_offered,
                    "alpn_selected": tls.alpn_selected,
                    "verified": tls.is_verified,
                    "certificate": certificate.map(|each| certificate_json(each, now)),
                    "chain": tls.chain.iter().map(|each| certificate_json(each, now)).collect::<Vec<_>>(),
                }),
            )
        }
    }

    /// Accepted upgrade to WebSocket.
    pub(super) fn upgrade() -> Self {
        Self::new(
            "upgraded to WebSocket, subprotocol mqtt",
            json!({ "subprotocol": "mqtt" }),
        )
    }

    /// CONNACK and the limits in force.
    pub(super) fn connack(connected: &Connected) -> Self {
        // The first line has the limits that runs most often meet.
        let limits = &connected.limits;
        let session = if connected.session_present {
            "session present"
        } else {
            "new session"
        };
        let mut more = vec![
            format!(
                "{session}, keep alive {} s, session expiry {} s, topic aliases {}",
                limits.keep_alive, limits.session_expiry_interval, limits.topic_alias_maximum,
            ),
            format!(
                "packets up to {} B, client id {}",
                limits.maximum_packet_size,
                quoted(&connected.client_id)
            ),
        ];
        if let Some(reason) = &connected.reason_string {
            more.push(format!("the server's words: {}", quoted(reason)));
        }
        Self {
            more,
            ..Self::new(
                format!(
                    "CONNACK 0x00, receive maximum {}, maximum QoS {}",
                    limits.receive_maximum,
                    limits.maximum_qos.level(),
                ),
                json!({
                    "session_present": connected.session_present,
                    "client_id": connected.client_id,
                    "reason_string": connected.reason_string,
                    "receive_maximum": limits.receive_maximum,
                    "max_qos": limits.maximum_qos.level(),
                    "max_packet_size": limits.maximum_packet_size,
                    "topic_alias_maximum": limits.topic_alias_maximum,
                    "keep_alive": limits.keep_alive,
                    "session_expiry": limits.session_expiry_interval,
                }),
            )
        }
    }

    /// SUBACK of the topic.
    pub(super) fn suback(topic: &str, code: ReasonCode) -> Self {
        let granted = match code {
            ReasonCode::Success => "granted QoS 0".to_owned(),
            code => code.name().to_lowercase().replace("qos", "QoS"),
        };
        Self::new(
            format!(
                "SUBACK 0x{:02X}, {granted} on {}",
                code.code(),
                quoted(topic)
            ),
            json!({ "topic": topic, "code": code.code(), "name": name_of(code) }),
        )
    }

    /// Acknowledged message.
    pub(super) fn puback(topic: &str, qos: QoS) -> Self {
        let how = match qos {
            QoS::AtMostOnce => "sent at QoS 0, which has no acknowledgement",
            QoS::AtLeastOnce => "PUBACK",
            QoS::ExactlyOnce => "PUBCOMP",
        };
        Self::new(
            format!("{how}, on {}", quoted(topic)),
            json!({ "topic": topic, "qos": qos.level() }),
        )
    }

    /// Message that came back; `others` counts other messages on the topic.
    pub(super) fn received(topic: &str, others: u64) -> Self {
        let others_text = match others {
            0 => String::new(),
            some => format!(
                "; {} of others before it",
                count(usize::try_from(some).unwrap_or(usize::MAX), "message")
            ),
        };
        Self::new(
            format!("our own message on {}{others_text}", quoted(topic)),
            json!({ "topic": topic, "others": others }),
        )
    }

    /// Answered PINGREQ.
    pub(super) fn pong() -> Self {
        Self::new("PINGRESP", json!({}))
    }
}

/// Content of a certificate as JSON.
fn certificate_json(certificate: &PeerCertificate, now: SystemTime) -> Value {
    json!({
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": certificate.names,
        "not_before": timestamp(certificate.not_before),
        "not_after": timestamp(certificate.not_after),
        "days_left": days_left(certificate, now),
        "key": certificate.key,
    })
}

/// Whole days until the certificate expires; negative if it has expired.
fn days_left(certificate: &PeerCertificate, now: SystemTime) -> i64 {
    const DAY: u64 = 24 * 60 * 60;
    let days = |time: std::time::Duration| i64::try_from(time.as_secs() / DAY).unwrap_or(i64::MAX);
    match certificate.not_after.duration_since(now) {
        Ok(left) => days(left),
        Err(past) => -days(past.duration()) - 1,
    }
}

/// Date of a time in UTC.
fn date(time: SystemTime) -> String {
    timestamp(time).chars().take(10).collect()
}

/// Days before the end of a certificate from which on the stage warns.
const FEW_DAYS: i64 = 14;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::test_context;

    #[test]
    fn addresses_are_listed_once_and_those_of_ipv6_are_counted() {
        let addresses =
            ["52.1.2.3:443", "[2001:db8::1]:443", "52.1.2.3:443"].map(|text| text.parse().unwrap());
        let evidence = Evidence::addresses("iot.example", &addresses);
        assert_eq!(
            evidence.text,
            "iot.example: 2 addresses (1 IPv6): 52.1.2.3, 2001:db8::1"
        );
    }

    #[test]
    fn flags_have_no_secret_and_name_the_proxy() {
        let mut context = test_context("localhost");
        context.proxy = Some("via http://proxy:3128 (from --proxy)".to_owned());
        let evidence = Evidence::flags(&context);
        assert_eq!(evidence.text, "localhost:443, TLS, ALPN mqtt");
        assert!(
            evidence.more[0].contains("password 8 bytes"),
            "{evidence:?}"
        );
        assert_eq!(evidence.more[1], "via http://proxy:3128 (from --proxy)");
    }

    #[test]
    fn a_tcp_connection_after_a_failed_address_is_a_warning() {
        let peer = PeerAddress::Ip("52.1.2.3:443".parse().unwrap());
        assert!(!Evidence::tcp(&peer, &[], false).is_warning);
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let failed = FailedAttempt {
            address: "[2001:db8::1]:443".parse().unwrap(),
            fault: (&refused).into(),
        };
        let evidence = Evidence::tcp(&peer, &[failed], false);
        assert!(evidence.is_warning);
        assert_eq!(
            evidence.more,
            ["failed before: [2001:db8::1]:443 (connection refused)"]
        );
    }
}
