//! TLS failed: certificates, clocks, protocols.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use dunlin_client::transport::TlsError;

use crate::diagnosis::scene::Scene;
use crate::diagnosis::text::{duration, quoted};
use crate::diagnosis::{Diagnosis, Id, Try};

/// Why TLS failed on opening, or by an alert later on.
pub(crate) fn failed(scene: &Scene, peer: SocketAddr, error: &TlsError) -> Diagnosis {
    let diagnosis = match error {
        TlsError::UnknownIssuer { subject, issuer, roots } => Diagnosis {
            saw: Some(format!(
                "certificate of {}, issued by {}; roots tried: {roots}",
                quoted(subject),
                quoted(issuer)
            )),
            ..untrusted(scene)
        },
        TlsError::Intercepted { host, issuer } => intercepted(host, issuer),
        TlsError::NameMismatch { wanted, presented } => misnamed(wanted, presented),
        TlsError::Expired { not_before, not_after, now } => expired(*not_before, *not_after, *now),
        TlsError::NotYetValid { not_before, not_after, now } => early(*not_before, *not_after, *now),
        TlsError::BadCertificate { subject: Some(subject), issuer: Some(issuer), detail } => {
            rejected(scene, subject, issuer, detail)
        }
        TlsError::NoApplicationProtocol => alpn_refused(scene),
        error => handshake(scene, error),
    };
    Diagnosis { at: Some(format!("TLS handshake · {} ({peer})", scene.address())), ..diagnosis }
}

/// The connection ended before CONNACK and no ALPN protocol had been selected.
pub(crate) fn alpn_missing(scene: &Scene, closed_after: Duration) -> Diagnosis {
    Diagnosis {
        saw: Some(format!(
            "we offered: {}; server selected: none; connection closed {} after CONNECT",
            offered(scene),
            duration(closed_after)
        )),
        ..alpn(scene, "the server did not select the ALPN protocol \"mqtt\", so it may not speak MQTT here")
    }
}

/// The server refused the offer with an alert.
fn alpn_refused(scene: &Scene) -> Diagnosis {
    let headline = match scene.alpn_offered {
        Some(_) => "the server speaks none of the ALPN protocols that were offered",
        None => "the server wants to be offered an ALPN protocol, and none was",
    };
    Diagnosis {
        saw: Some(format!("we offered: {}; the server's alert: no_application_protocol", offered(scene))),
        ..alpn(scene, headline)
    }
}

fn offered(scene: &Scene) -> String {
    scene.alpn_offered.as_deref().map_or_else(|| "(nothing, --alpn none)".to_owned(), quoted)
}

fn alpn(scene: &Scene, headline: &str) -> Diagnosis {
    let mut try_ = Vec::new();
    if scene.alpn_offered.as_deref() != Some("mqtt") {
        try_.push(Try::advice("drop --alpn: mqtt is the default"));
    }
    if scene.port != 443 && scene.is_aws {
        try_.push(Try::advice("drop --port: custom authorizers are at 443"));
    }
    if try_.is_empty() {
        try_.push(Try::advice("another network, to rule out an inspecting proxy"));
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

fn untrusted(scene: &Scene) -> Diagnosis {
    let mut diagnosis =
        Diagnosis::new(Id::TlsCa, "the server's certificate is signed by an authority that is not trusted");
    if let Some(rather) = &scene.rather {
        diagnosis
            .likely
            .push("an endpoint without -ats has a certificate that hardly anyone trusts any more".into());
        diagnosis.try_.push(Try::paste(format!("--endpoint {rather}")));
        return diagnosis;
    }
    diagnosis.likely.push("the server has a CA of its own, and --ca does not name it".into());
    if !scene.is_aws {
        diagnosis.try_.push(Try::advice("--ca FILE"));
        diagnosis
            .try_
            .push(Try::advice("for a sandbox on this computer: --endpoint sandbox finds its CA by itself"));
    }
    diagnosis
}

/// A bad signature means that an authority of the issuer's name is trusted, with another key.
fn rejected(scene: &Scene, subject: &str, issuer: &str, detail: &str) -> Diagnosis {
    let mut diagnosis = untrusted(scene);
    diagnosis.headline = format!("the server's certificate is rejected ({detail})").into();
    diagnosis.saw = Some(format!("certificate of {}, issued by {}", quoted(subject), quoted(issuer)));
    diagnosis
        .likely
        .insert(0, "the CA file is of another authority with the same name, or an old one".into());
    diagnosis
}

fn intercepted(host: &str, issuer: &str) -> Diagnosis {
    Diagnosis {
        likely: vec!["a proxy or virus scanner opens TLS connections on this network".into()],
        try_: vec![Try::advice(format!("ask for a bypass for {host}; --ca alone will not restore ALPN"))],
        ..Diagnosis::new(
            Id::TlsIntercepted,
            format!(
                "the certificate for {host} was issued by {}, which is no authority of AWS",
                quoted(issuer)
            ),
        )
    }
}

fn misnamed(wanted: &str, presented: &[String]) -> Diagnosis {
    let mut names: Vec<String> = presented.iter().take(MOST_NAMES).map(|name| quoted(name)).collect();
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
        likely: vec!["nobody has renewed it".into(), "this computer's clock is ahead".into()],
        try_: vec![Try::advice("compare the clock with another one, then tell who runs the server")],
        ..Diagnosis::new(Id::TlsExpired, format!("the server's certificate expired {} ago", long(ago)))
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

fn handshake(scene: &Scene, error: &TlsError) -> Diagnosis {
    let likely = match error {
        TlsError::NotTls => {
            "this port speaks something else: plain MQTT (1883), HTTP, or a proxy's error page"
        }
        TlsError::Closed | TlsError::Io(_) => "a firewall or proxy ends connections of this kind",
        TlsError::Alert(_) => "the server wants a client certificate, or another version of TLS",
        TlsError::InvalidServerName { .. } => "the endpoint is mistyped",
        _ => "the two sides have no version or cipher of TLS in common",
    };
    let try_ = if scene.is_aws {
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
fn validity(not_before: Option<SystemTime>, not_after: Option<SystemTime>, now: SystemTime) -> String {
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
        let diagnosis =
            early(at("2026-01-10T08:00:00Z"), Some(at("2027-02-01T00:00:00Z")), at("1970-01-01T00:03:12Z"));
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
