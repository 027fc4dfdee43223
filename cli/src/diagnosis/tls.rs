//! TLS failed: certificates, clocks, protocols.

use std::io::ErrorKind;
use std::time::Duration;

use dunlin_client::transport::{PeerAddress, TlsError};

use crate::diagnosis::context::RunContext;
use crate::diagnosis::protocol::Foreign;
use crate::diagnosis::text::{duration, quoted, shell};
use crate::diagnosis::{Diagnosis, Id, Try, certificate};

/// Diagnosis of a failed TLS handshake, or of an alert later on.
pub(crate) fn failed(context: &RunContext, peer: &PeerAddress, error: &TlsError) -> Diagnosis {
    let diagnosis = match error {
        TlsError::UnknownIssuer {
            subject,
            issuer,
            roots,
        } => certificate::untrusted(context, subject, issuer, roots),
        TlsError::Intercepted { host, issuer } => certificate::intercepted(host, issuer),
        TlsError::NameMismatch { wanted, presented } => {
            certificate::misnamed(context, wanted, presented)
        }
        TlsError::Expired {
            not_before,
            not_after,
            now,
        } => certificate::expired(*not_before, *not_after, *now),
        TlsError::NotYetValid {
            not_before,
            not_after,
            now,
        } => certificate::not_yet_valid(*not_before, *not_after, *now),
        TlsError::BadCertificate {
            subject,
            issuer,
            fault,
            ca_file,
        } => {
            let names = subject.as_deref().zip(issuer.as_deref());
            certificate::rejected(context, names, fault, ca_file.as_deref())
        }
        TlsError::NoApplicationProtocol => alpn_refused(context),
        TlsError::NotTls { received } => not_tls(context, received),
        TlsError::Closed => closed(context, "closed"),
        // A server without TLS that closes before it has read all of ClientHello resets.
        TlsError::Io(error) if error.kind == ErrorKind::ConnectionReset => closed(context, "reset"),
        error => handshake(context, error),
    };
    Diagnosis {
        at: Some(format!("TLS handshake · {} ({peer})", context.address())),
        ..diagnosis
    }
}

/// Diagnosis of a server that selected no ALPN protocol and closed the connection before CONNACK.
pub(crate) fn alpn_missing(context: &RunContext, closed_after: Duration) -> Diagnosis {
    Diagnosis {
        saw: Some(format!(
            "we offered: {}; server selected: none; connection closed {} after CONNECT",
            offered(context),
            duration(closed_after)
        )),
        ..alpn(
            context,
            "the server did not select the ALPN protocol \"mqtt\", so it may not speak MQTT here",
        )
    }
}

/// Diagnosis of a server that refused the ALPN offer with an alert.
fn alpn_refused(context: &RunContext) -> Diagnosis {
    // WebSocket has no ALPN protocol of its own: a port that insists on one is for MQTT.
    if context.choices.is_websocket && context.alpn_offered.is_none() {
        return Diagnosis {
            saw: Some("we offered: (nothing); the server's alert: no_application_protocol".into()),
            likely: vec!["this port has MQTT over TLS, without WebSocket".into()],
            try_: vec![Try::advice("mqtts:// in place of wss://")],
            ..Diagnosis::new(
                Id::Alpn,
                "the server wants to be offered an ALPN protocol, which WebSocket has none of",
            )
        };
    }
    // The same with HTTP.
    if context.choices.is_http && context.alpn_offered.is_none() {
        return Diagnosis {
            saw: Some("we offered: (nothing); the server's alert: no_application_protocol".into()),
            likely: vec!["this port has MQTT over TLS, without HTTP".into()],
            try_: vec![Try::advice(
                "the port of HTTPS, or mqtts:// in place of https://",
            )],
            ..Diagnosis::new(
                Id::Alpn,
                "the server wants to be offered an ALPN protocol, which HTTP has none of here",
            )
        };
    }
    // Without an offer, the missing offer is the error.
    let headline = match context.alpn_offered {
        Some(_) => "the server speaks none of the ALPN protocols that were offered",
        None => "the server wants to be offered an ALPN protocol, and none was",
    };
    Diagnosis {
        saw: Some(format!(
            "we offered: {}; the server's alert: no_application_protocol",
            offered(context)
        )),
        ..alpn(context, headline)
    }
}

/// Offered protocol in quotes, or a note that none was offered.
fn offered(context: &RunContext) -> String {
    context
        .alpn_offered
        .as_deref()
        .map_or_else(|| "(nothing)".to_owned(), quoted)
}

/// Likely causes and proposals for both ALPN errors.
fn alpn(context: &RunContext, headline: &str) -> Diagnosis {
    let mut try_ = Vec::new();
    // Proposals only for what differs from the default.
    if context.alpn_offered.as_deref() != Some("mqtt") {
        try_.push(if context.choices.alpn && context.uses_authorizers() {
            Try::advice("leave --alpn out: mqtt is the default")
        } else {
            Try::paste("--alpn mqtt")
        });
    }
    if context.port != 443 && context.is_aws {
        try_.push(Try::advice(
            "leave --port out: custom authorizers are at 443",
        ));
    }
    if try_.is_empty() {
        try_.push(Try::advice(
            "another network, to rule out an inspecting proxy",
        ));
    }
    Diagnosis {
        likely: vec![
            "on port 443 AWS IoT picks the protocol by ALPN; custom authorizers need \"mqtt\" \
             (x-amzn-mqtt-ca is for client certificates)"
                .into(),
            "a TLS-inspecting proxy in between strips ALPN".into(),
        ],
        try_,
        ..Diagnosis::new(Id::Alpn, headline)
    }
}

/// Diagnosis of a server that answered the TLS handshake in another protocol.
fn not_tls(context: &RunContext, received: &[u8]) -> Diagnosis {
    match Foreign::recognise(received) {
        // To a web server, the first bytes of TLS are a bad request.
        Some(foreign @ Foreign::Http) if context.choices.is_http => Diagnosis {
            headline: NOT_TLS.into(),
            likely: vec!["this port speaks HTTP without TLS".into()],
            try_: vec![plain(context)],
            ..foreign.diagnosis(Id::TlsHandshake, context, received)
        },
        // No CONNECT was sent yet: the server answers the first bytes of TLS.
        Some(foreign @ Foreign::Mqtt3 { .. }) => Diagnosis {
            likely: vec!["this port speaks MQTT without TLS".into()],
            ..foreign.diagnosis(Id::TlsHandshake, context, received)
        },
        Some(foreign) => foreign.diagnosis(Id::TlsHandshake, context, received),
        None => Diagnosis {
            likely: vec![
                "this port speaks something else: plain MQTT (1883), HTTP, or a proxy's error page"
                    .into(),
            ],
            try_: vec![plain(context)],
            ..Diagnosis::new(Id::TlsHandshake, NOT_TLS)
        },
    }
}

/// Headline of a server that answered the handshake in another protocol.
const NOT_TLS: &str = "the server does not speak TLS on this port";

/// Diagnosis of a server that closed or reset (`how`) the connection during the handshake, as MQTT
/// servers without TLS do.
fn closed(context: &RunContext, how: &str) -> Diagnosis {
    let mut likely = vec!["a firewall or proxy ends connections of this kind".to_owned()];
    // AWS has no port without TLS.
    if !context.is_aws {
        let plain = match (context.choices.is_http, context.choices.is_websocket) {
            (true, _) => "this port speaks HTTP or MQTT without TLS",
            (_, true) => "this port speaks WebSocket or MQTT without TLS",
            _ => "this port speaks MQTT without TLS",
        };
        likely.insert(0, plain.into());
    }
    Diagnosis {
        saw: Some(format!(
            "the TCP connection was up; it was {how} without a TLS record from the server"
        )),
        likely,
        try_: vec![plain(context)],
        ..Diagnosis::new(
            Id::TlsHandshake,
            format!("the server {how} the connection during the TLS handshake"),
        )
    }
}

/// Proposal for a port that may not speak TLS.
fn plain(context: &RunContext) -> Try {
    if context.is_aws {
        Try::advice("--port 443, where AWS IoT takes custom authorizers")
    } else if context.choices.is_http {
        Try::paste(format!("--endpoint http://{}", shell(&context.address())))
    } else if context.choices.is_websocket {
        Try::advice("ws:// in place of wss://, which is without TLS")
    } else if context.choices.is_sample {
        Try::advice(
            "the port that the server uses for TLS (usually 8883); dunlin bench also takes mqtt://HOST",
        )
    } else {
        Try::paste(format!("--endpoint mqtt://{}", shell(&context.address())))
    }
}

/// Diagnosis of all other errors of a handshake.
fn handshake(context: &RunContext, error: &TlsError) -> Diagnosis {
    let likely = match error {
        TlsError::Io(_) => "a firewall or proxy ends connections of this kind",
        // Certificates and versions are what servers send alerts about.
        TlsError::Alert(_) => "the server wants a client certificate, or another version of TLS",
        TlsError::InvalidServerName { .. } => "the endpoint is mistyped",
        _ => "the two sides have no version or cipher of TLS in common",
    };
    let try_ = if context.is_aws {
        "--port 443, where AWS IoT takes custom authorizers"
    } else {
        "check --port and the server's log"
    };
    Diagnosis {
        likely: vec![likely.into()],
        try_: vec![Try::advice(try_)],
        ..Diagnosis::new(Id::TlsHandshake, format!("TLS failed: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::diagnosis::context::context;

    #[test]
    fn a_reset_handshake_may_mean_mqtt_without_tls() {
        let reset = io::Error::from(ErrorKind::ConnectionReset);
        let diagnosis = failed(
            &context("localhost"),
            &"127.0.0.1:1883".parse().unwrap(),
            &TlsError::Io((&reset).into()),
        );
        assert_eq!(
            &*diagnosis.headline,
            "the server reset the connection during the TLS handshake"
        );
        assert_eq!(
            diagnosis.likely.first().map(String::as_str),
            Some("this port speaks MQTT without TLS")
        );
    }

    #[test]
    fn advice_for_wss_stays_with_websocket_or_names_the_port_of_mqtt() {
        let mut context = context("localhost");
        context.choices.is_websocket = true;
        context.choices.alpn = false;
        context.alpn_offered = None;

        let plain = closed(&context, "reset");
        assert_eq!(
            plain.likely[0],
            "this port speaks WebSocket or MQTT without TLS"
        );
        assert!(format!("{:?}", plain.try_).contains("ws:// in place of wss://"));

        let refused = alpn_refused(&context);
        assert_eq!(refused.id, Id::Alpn);
        let advice = format!("{:?}", refused.try_);
        assert!(
            advice.contains("mqtts://") && !advice.contains("--alpn"),
            "{advice}"
        );
    }

    #[test]
    fn advice_for_https_stays_with_http_or_names_the_port_of_mqtt() {
        let mut context = context("localhost");
        context.choices.is_http = true;
        context.choices.alpn = false;
        context.alpn_offered = None;
        let http = Try::paste(format!("--endpoint http://{}", context.address()));

        let closed = closed(&context, "reset");
        assert_eq!(closed.try_, std::slice::from_ref(&http));
        let web = not_tls(&context, b"HTTP/1.1 400 Bad Request\r\n");
        assert_eq!(
            (web.headline.as_ref(), &web.try_[..]),
            (NOT_TLS, &[http][..])
        );
        let refused = alpn_refused(&context);
        let advice = format!("{:?}", refused.try_);
        assert!(
            advice.contains("mqtts://") && !advice.contains("--alpn"),
            "{advice}"
        );
    }

    #[test]
    fn a_connack_in_answer_to_a_handshake_means_mqtt_without_tls() {
        let diagnosis = not_tls(&context("localhost"), &[0x20, 0x02, 0x00, 0x01]);
        assert_eq!(diagnosis.likely, ["this port speaks MQTT without TLS"]);
    }
}
