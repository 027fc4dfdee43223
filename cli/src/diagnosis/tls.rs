//! TLS failed: certificates, clocks, protocols.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use dunlin_client::transport::{RootsTried, TlsError};

use crate::diagnosis::context::RunContext;
use crate::diagnosis::protocol::Foreign;
use crate::diagnosis::text::{duration, quoted, shell};
use crate::diagnosis::{Diagnosis, Id, Try};

/// Why TLS failed on opening, or by an alert later on.
pub(crate) fn failed(context: &RunContext, peer: SocketAddr, error: &TlsError) -> Diagnosis {
    let diagnosis = match error {
        TlsError::UnknownIssuer {
            subject,
            issuer,
            roots,
        } => Diagnosis {
            saw: Some(format!(
                "certificate of {}, issued by {}; roots tried: {roots}",
                quoted(subject),
                quoted(issuer)
            )),
            ..untrusted(context, issuer, roots)
        },
        TlsError::Intercepted { host, issuer } => intercepted(host, issuer),
        TlsError::NameMismatch { wanted, presented } => misnamed(context, wanted, presented),
        TlsError::Expired {
            not_before,
            not_after,
            now,
        } => expired(*not_before, *not_after, *now),
        TlsError::NotYetValid {
            not_before,
            not_after,
            now,
        } => early(*not_before, *not_after, *now),
        TlsError::BadCertificate {
            subject: Some(subject),
            issuer: Some(issuer),
            detail,
        } => rejected(context, subject, issuer, detail),
        TlsError::NoApplicationProtocol => alpn_refused(context),
        TlsError::NotTls { received } => not_tls(context, received),
        TlsError::Closed => closed(context),
        error => handshake(context, error),
    };
    Diagnosis {
        at: Some(format!("TLS handshake · {} ({peer})", context.address())),
        ..diagnosis
    }
}

/// The connection ended before CONNACK and no ALPN protocol had been selected.
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

/// The server refused the offer with an alert.
fn alpn_refused(context: &RunContext) -> Diagnosis {
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

fn offered(context: &RunContext) -> String {
    context
        .alpn_offered
        .as_deref()
        .map_or_else(|| "(nothing, --alpn none)".to_owned(), quoted)
}

fn alpn(context: &RunContext, headline: &str) -> Diagnosis {
    let mut try_ = Vec::new();
    if context.alpn_offered.as_deref() != Some("mqtt") {
        try_.push(Try::advice("leave --alpn out: mqtt is the default"));
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

/// Nothing that is trusted has signed the server's certificate.
fn untrusted(context: &RunContext, issuer: &str, roots: &RootsTried) -> Diagnosis {
    let mut diagnosis = Diagnosis::new(
        Id::TlsCa,
        "the server's certificate is signed by an authority that is not trusted",
    );
    let file = roots.file.as_deref();
    if let Some(suggested) = &context.suggested_endpoint {
        diagnosis.likely.push(
            "an endpoint without -ats has a certificate that hardly anyone trusts any more".into(),
        );
        diagnosis
            .try_
            .push(Try::paste(format!("--endpoint {suggested}")));
    } else if let (true, Some(file)) = (context.is_aws, file) {
        diagnosis.likely.push(format!(
            "{} lacks Amazon's root certificate; without a CA file Dunlin trusts it",
            file.display()
        ));
        diagnosis.try_.push(Try::advice(
            "leave --ca, DUNLIN_CA and SSL_CERT_FILE out, or get Amazon's root:",
        ));
        diagnosis.try_.push(Try::command(
            "curl -O https://www.amazontrust.com/repository/AmazonRootCA1.pem",
        ));
    } else if let Some(file) = file {
        diagnosis.likely.push(format!(
            "{} is the CA file of another server, or does not hold {}",
            file.display(),
            quoted(issuer)
        ));
        diagnosis.try_.push(Try::command(format!(
            "openssl x509 -in {} -noout -subject -dates",
            shell(&file.display().to_string())
        )));
    } else {
        diagnosis
            .likely
            .push("the server has a CA of its own, and no --ca names its certificate".into());
        if !context.is_aws {
            diagnosis
                .try_
                .push(Try::advice("--ca with the file of the server's CA"));
        }
    }
    if !context.is_aws {
        diagnosis.try_.push(Try::advice(
            "for a sandbox on this computer: --endpoint sandbox finds its CA by itself",
        ));
    }
    diagnosis
}

/// The certificate itself is at fault, in a way that only rustls' text tells.
fn rejected(context: &RunContext, subject: &str, issuer: &str, detail: &str) -> Diagnosis {
    let has = |word| detail.contains(word);
    let (headline, likely, try_) = if has("CaUsedAsEndEntity") {
        (
            "the server uses a CA certificate (CA:TRUE) as its own",
            "the certificate was made with \"openssl req -x509\" and serves as CA and server at once",
            vec![
                Try::advice("make a certificate for the server, signed by that CA:"),
                Try::command(make_certificate(context)),
            ],
        )
    } else if has("UnsupportedCertVersion") {
        (
            "the server's certificate is X.509 version 1; TLS needs version 3",
            "it was signed without extensions (openssl x509 -req without -extfile)",
            vec![
                Try::advice("sign it again with the server's name in it:"),
                Try::command(make_certificate(context)),
            ],
        )
    } else if has("BadSignature") {
        (
            "the server's certificate was signed with another key than that of the trusted CA",
            "the CA was made again under the same name, and the CA file here or the server's certificate is older",
            vec![Try::advice(
                "copy the CA file that the server's certificate was made with, and name it with --ca",
            )],
        )
    } else {
        (
            "the server's certificate is not acceptable",
            "it is damaged, or made for another purpose than that of a server",
            vec![Try::command(format!(
                "openssl s_client -connect {} -servername {} </dev/null",
                shell(&context.address()),
                shell(&context.host)
            ))],
        )
    };
    Diagnosis {
        saw: Some(format!(
            "certificate of {}, issued by {}",
            quoted(subject),
            quoted(issuer)
        )),
        likely: vec![likely.into()],
        try_,
        ..Diagnosis::new(Id::TlsCa, headline)
    }
}

/// `openssl x509 ..`, for who runs a test server.
fn make_certificate(context: &RunContext) -> String {
    let kind = if context.host.parse::<std::net::IpAddr>().is_ok() {
        "IP"
    } else {
        "DNS"
    };
    format!(
        "printf 'subjectAltName={kind}:%s' {} >san && openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -extfile san -out server.pem",
        shell(&context.host)
    )
}

/// The server answered the TLS handshake with something else.
fn not_tls(context: &RunContext, received: &[u8]) -> Diagnosis {
    match Foreign::recognise(received) {
        Some(foreign) => foreign.diagnosis(Id::TlsHandshake, context, received),
        None => Diagnosis {
            likely: vec![
                "this port speaks something else: plain MQTT (1883), HTTP, or a proxy's error page"
                    .into(),
            ],
            try_: vec![plain(context)],
            ..Diagnosis::new(
                Id::TlsHandshake,
                "the server does not speak TLS on this port",
            )
        },
    }
}

/// An MQTT server without TLS closes the connection when it reads a TLS handshake.
fn closed(context: &RunContext) -> Diagnosis {
    let mut likely = vec!["a firewall or proxy ends connections of this kind".to_owned()];
    if !context.is_aws {
        likely.insert(0, "this port speaks MQTT without TLS".into());
    }
    Diagnosis {
        saw: Some("the TCP connection is up; the server closed it without a TLS record".into()),
        likely,
        try_: vec![plain(context)],
        ..Diagnosis::new(
            Id::TlsHandshake,
            "the server closed the connection during the TLS handshake",
        )
    }
}

/// What to try where there may be no TLS.
fn plain(context: &RunContext) -> Try {
    if context.is_aws {
        Try::advice("--port 443, where AWS IoT takes custom authorizers")
    } else if context.choices.is_sample {
        Try::advice(
            "the port that the server uses for TLS (usually 8883); dunlin bench also takes mqtt://HOST",
        )
    } else {
        Try::paste(format!("--endpoint mqtt://{}", shell(&context.address())))
    }
}

fn intercepted(host: &str, issuer: &str) -> Diagnosis {
    Diagnosis {
        likely: vec!["a proxy or virus scanner opens TLS connections on this network".into()],
        try_: vec![Try::advice(format!(
            "ask for a bypass for {host}; --ca alone will not restore ALPN"
        ))],
        ..Diagnosis::new(
            Id::TlsIntercepted,
            format!(
                "the certificate for {host} was issued by {}, which is no authority of AWS",
                quoted(issuer)
            ),
        )
    }
}

fn misnamed(context: &RunContext, wanted: &str, presented: &[String]) -> Diagnosis {
    if presented.is_empty() {
        return Diagnosis {
            saw: Some(
                "the certificate has no Subject Alternative Name (SAN); the Common Name does not count"
                    .into(),
            ),
            likely: vec!["it was made without -addext or -extfile".into()],
            try_: vec![
                Try::advice("sign it again with the server's name in it:"),
                Try::command(make_certificate(context)),
            ],
            ..Diagnosis::new(
                Id::TlsName,
                format!("the server's certificate is not valid for {}", quoted(wanted)),
            )
        };
    }
    let mut names: Vec<String> = presented
        .iter()
        .take(MOST_NAMES)
        .map(|name| quoted(name))
        .collect();
    if presented.len() > MOST_NAMES {
        names.push(format!("{} more", presented.len() - MOST_NAMES));
    }
    Diagnosis {
        saw: Some(format!("certificate valid for: {}", names.join(", "))),
        likely: vec![
            "the endpoint is an IP address or another name of the server, or another server answers".into(),
        ],
        try_: vec![Try::advice(
            "--endpoint with a name from the certificate; --connect-to IP keeps the name",
        )],
        ..Diagnosis::new(Id::TlsName, format!("the server's certificate is not valid for {}", quoted(wanted)))
    }
}

fn expired(not_before: Option<SystemTime>, not_after: SystemTime, now: SystemTime) -> Diagnosis {
    let ago = now.duration_since(not_after).unwrap_or_default();
    Diagnosis {
        saw: Some(validity(not_before, Some(not_after), now)),
        likely: vec![
            "nobody has renewed it".into(),
            "this computer's clock is ahead".into(),
        ],
        try_: vec![Try::advice(
            "compare the clock with another one, then tell who runs the server",
        )],
        ..Diagnosis::new(
            Id::TlsExpired,
            format!("the server's certificate expired {} ago", long(ago)),
        )
    }
}

fn early(not_before: SystemTime, not_after: Option<SystemTime>, now: SystemTime) -> Diagnosis {
    Diagnosis {
        saw: Some(validity(Some(not_before), not_after, now)),
        likely: vec!["the clock is wrong (no NTP yet, dead RTC battery)".into()],
        try_: vec![Try::advice("set the clock, then retry")],
        ..Diagnosis::new(
            Id::TlsTime,
            "the server's certificate is not valid yet according to this computer's clock",
        )
    }
}

fn handshake(context: &RunContext, error: &TlsError) -> Diagnosis {
    let likely = match error {
        TlsError::Io(_) => "a firewall or proxy ends connections of this kind",
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

/// `certificate valid from 2026-01-10 to 2027-02-01; this computer says 1970-01-01 00:03:12 UTC`
fn validity(
    not_before: Option<SystemTime>,
    not_after: Option<SystemTime>,
    now: SystemTime,
) -> String {
    let from = not_before.map_or(String::new(), |time| format!(" from {}", day(time)));
    let to = not_after.map_or(String::new(), |time| format!(" to {}", day(time)));
    let now = humantime::format_rfc3339_seconds(now).to_string();
    format!(
        "certificate valid{from}{to}; this computer says {} UTC",
        now.replace('T', " ").trim_end_matches('Z')
    )
}

fn day(time: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// Days where there are days.
fn long(time: Duration) -> String {
    match time.as_secs() / (24 * 60 * 60) {
        0 => duration(Duration::from_secs(time.as_secs())),
        1 => "1 day".into(),
        days => format!("{days} days"),
    }
}

const MOST_NAMES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_told_by_its_own_words() {
        let at = |text| humantime::parse_rfc3339(text).unwrap();
        let diagnosis = early(
            at("2026-01-10T08:00:00Z"),
            Some(at("2027-02-01T00:00:00Z")),
            at("1970-01-01T00:03:12Z"),
        );
        assert_eq!(
            diagnosis.saw.as_deref(),
            Some(
                "certificate valid from 2026-01-10 to 2027-02-01; this computer says 1970-01-01 00:03:12 UTC"
            )
        );
    }

    #[test]
    fn an_expired_certificate_tells_by_how_long() {
        let after = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let headline = |late| expired(None, after, after + Duration::from_secs(late)).headline;
        assert!(headline(3 * 86_400 + 5).ends_with("expired 3 days ago"));
        assert!(headline(90).ends_with("expired 1 min 30 s ago"));
    }
}
