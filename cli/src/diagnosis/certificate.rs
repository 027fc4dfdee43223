//! Diagnoses of server certificates: issuer, names, dates, and faults of the certificate itself.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use dunlin_client::transport::{CertificateFault, RootsTried};

use crate::diagnosis::context::RunContext;
use crate::diagnosis::text::{duration, quoted, shell};
use crate::diagnosis::{Diagnosis, Id, Try};

/// None of the roots has issued the certificate of `subject`.
pub(super) fn untrusted(
    context: &RunContext,
    subject: &str,
    issuer: &str,
    roots: &RootsTried,
) -> Diagnosis {
    // The endpoint decides first, then the origin of the roots: a CA file, or the built-in roots.
    let (likely, try_) = match (&context.suggested_endpoint, roots.file.as_deref()) {
        (Some(suggested), _) => (
            "an endpoint without -ats has a certificate that hardly any program trusts".to_owned(),
            vec![Try::paste(format!("--endpoint {suggested}"))],
        ),
        (None, Some(file)) if context.is_aws => lacks_amazon_root(context, file),
        (None, None) if context.is_aws => (
            "the certificate has a new root of Amazon that this version does not contain".into(),
            vec![
                Try::advice("download Amazon's roots and name the file with --ca:"),
                amazon_root(),
            ],
        ),
        (None, Some(file)) => (
            format!(
                "{} is the CA file of another server, or the server sends no intermediate certificate",
                file.display()
            ),
            vec![
                // No command can know the right file; this one shows what the given one holds.
                Try::advice("compare the issuer above with the certificates in the file:"),
                Try::command(format!(
                    "openssl x509 -in {} -noout -subject -dates",
                    shell_path(file)
                )),
            ],
        ),
        (None, None) => (
            "the server has a CA of its own, and no CA file was given".into(),
            vec![Try::advice("--ca with the file of the server's CA")],
        ),
    };
    let mut diagnosis = Diagnosis {
        saw: Some(format!(
            "certificate of {}, issued by {}; roots tried: {roots}",
            quoted(subject),
            quoted(issuer)
        )),
        likely: vec![likely],
        try_,
        ..Diagnosis::new(
            Id::TlsCa,
            "the server's certificate is signed by an authority that is not trusted",
        )
    };
    if !context.is_aws {
        diagnosis.try_.push(for_a_sandbox());
    }
    diagnosis
}

/// A CA file takes the place of the built-in roots, which contain Amazon's.
fn lacks_amazon_root(context: &RunContext, file: &Path) -> (String, Vec<Try>) {
    let likely = format!(
        "{} lacks Amazon's root certificate; without a CA file the built-in one is used",
        file.display()
    );
    // The CA file was named by a flag or by a variable; each is mended in its own way.
    let try_ = if context.choices.ca {
        vec![
            Try::advice("leave out --ca and DUNLIN_CA, or name Amazon's root with --ca:"),
            amazon_root(),
        ]
    } else {
        vec![
            Try::advice("the file is the one that SSL_CERT_FILE names:"),
            Try::command("unset SSL_CERT_FILE"),
        ]
    };
    (likely, try_)
}

fn amazon_root() -> Try {
    Try::command("curl -O https://www.amazontrust.com/repository/AmazonRootCA1.pem")
}

/// The certificate has a fault of its own; `names` are those of its subject and its issuer, where
/// they can be read.
pub(super) fn rejected(
    context: &RunContext,
    names: Option<(&str, &str)>,
    fault: &CertificateFault,
    ca_file: Option<&Path>,
) -> Diagnosis {
    let again = || {
        vec![
            Try::advice("make a certificate for the server, signed by your CA:"),
            make_certificate(context),
        ]
    };
    let look = || {
        vec![
            Try::advice("look at the certificate:"),
            show_certificate(context),
        ]
    };
    // Faults that are mended by a new certificate come first, then those of the chain.
    let (headline, likely, try_) = match fault {
        CertificateFault::AuthorityAsServer => (
            "the server uses a CA certificate (CA:TRUE) as its own".to_owned(),
            "the certificate was made with \"openssl req -x509\" and serves as CA and server at once",
            again(),
        ),
        CertificateFault::Version => (
            "the server's certificate is X.509 version 1; TLS needs version 3".into(),
            "it was signed without extensions (\"openssl x509 -req\" without -extfile)",
            again(),
        ),
        CertificateFault::Purpose => (
            "the server's certificate is not for servers (Extended Key Usage lacks serverAuth)"
                .into(),
            "the server was configured with the certificate of a client",
            again(),
        ),
        CertificateFault::IssuerNotAuthority => (
            "the server's certificate is signed by one that is not a CA (CA:FALSE)".into(),
            "the CA certificate was made without basicConstraints=CA:TRUE",
            look(),
        ),
        CertificateFault::SignatureAlgorithm => (
            "the server's certificate is signed with an algorithm that TLS no longer allows".into(),
            "it is old (SHA-1, MD5), or its key is too short",
            again(),
        ),
        CertificateFault::Signature => (
            "the server's certificate was signed with another key than that of the trusted CA"
                .into(),
            "the CA was made again under the same name, and the CA file here or the server's certificate is older",
            another_key(context, ca_file),
        ),
        fault => (
            format!("the server's certificate is not acceptable: {fault}"),
            "it is damaged, or made for another purpose than that of a server",
            look(),
        ),
    };
    let saw = names.map(|(subject, issuer)| {
        format!(
            "certificate of {}, issued by {}",
            quoted(subject),
            quoted(issuer)
        )
    });
    Diagnosis {
        saw,
        likely: vec![likely.into()],
        try_,
        ..Diagnosis::new(Id::TlsCa, headline)
    }
}

fn another_key(context: &RunContext, ca_file: Option<&Path>) -> Vec<Try> {
    let Some(file) = ca_file else {
        return vec![show_certificate(context)];
    };
    vec![
        Try::advice(format!(
            "replace {} by the CA file that the server's certificate was made with, and check it:",
            file.display()
        )),
        Try::command(format!(
            "openssl s_client -connect {} -servername {} -CAfile {} -verify_return_error </dev/null",
            shell(&context.address()),
            shell(&context.server_name),
            shell_path(file)
        )),
        for_a_sandbox(),
    ]
}

fn for_a_sandbox() -> Try {
    Try::advice("a sandbox on this computer: --endpoint sandbox, without --ca, finds its CA")
}

/// Command that makes a certificate with the name of the host; it expects the CA in `ca.pem` and
/// `ca.key`, and the server's key in `server.key`.
fn make_certificate(context: &RunContext) -> Try {
    // A certificate names addresses and host names in different forms (RFC 5280 section 4.2.1.6).
    let kind = match context.server_name.parse::<IpAddr>() {
        Ok(_) => "IP",
        Err(_) => "DNS",
    };
    let host = shell(&context.server_name);
    Try::command(format!(
        "printf 'subjectAltName={kind}:%s' {host} >san && \
         openssl req -new -key server.key -subj /CN=server -out server.csr && \
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -extfile san -days 365 -out server.pem"
    ))
}

/// Command that prints the server's certificate.
fn show_certificate(context: &RunContext) -> Try {
    Try::command(format!(
        "openssl s_client -connect {} -servername {} </dev/null | openssl x509 -noout -text",
        shell(&context.address()),
        shell(&context.server_name)
    ))
}

/// A certificate for a host of AWS whose issuer has nothing to do with AWS.
pub(super) fn intercepted(host: &str, issuer: &str) -> Diagnosis {
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

/// The certificate is valid for `presented`, and `wanted` isn't among these names.
pub(super) fn misnamed(context: &RunContext, wanted: &str, presented: &[String]) -> Diagnosis {
    let diagnosis = Diagnosis::new(
        Id::TlsName,
        format!(
            "the server's certificate is not valid for {}",
            quoted(wanted)
        ),
    );
    // Without a SAN no name can match, whatever the Common Name is (RFC 6125 section 6.4.4).
    if presented.is_empty() {
        return Diagnosis {
            saw: Some(
                "the certificate has no Subject Alternative Name (SAN); the Common Name does not count"
                    .into(),
            ),
            likely: vec!["it was made without -addext or -extfile".into()],
            try_: vec![
                Try::advice("sign it again with the server's name in it:"),
                make_certificate(context),
            ],
            ..diagnosis
        };
    }
    let mut names: Vec<String> = presented
        .iter()
        .take(MAX_NAMES)
        .map(|name| quoted(name))
        .collect();
    // Certificates of content networks have hundreds of names.
    if presented.len() > MAX_NAMES {
        names.push(format!("{} more", presented.len() - MAX_NAMES));
    }
    Diagnosis {
        saw: Some(format!("certificate valid for: {}", names.join(", "))),
        likely: vec![
            "the endpoint is an IP address or another name of the server, or another server answers"
                .into(),
        ],
        try_: vec![Try::advice(
            "--endpoint with a name from the certificate; --connect-to IP keeps the name",
        )],
        ..diagnosis
    }
}

/// The certificate has expired by this computer's clock.
pub(super) fn expired(
    not_before: Option<SystemTime>,
    not_after: SystemTime,
    now: SystemTime,
) -> Diagnosis {
    let ago = now.duration_since(not_after).unwrap_or_default();
    Diagnosis {
        saw: Some(validity(not_before, Some(not_after), now)),
        likely: vec![
            "nobody has renewed it".into(),
            "this computer's clock is ahead".into(),
        ],
        try_: vec![Try::advice(
            "compare the clock with another one, then tell the server's operator",
        )],
        ..Diagnosis::new(
            Id::TlsExpired,
            format!("the server's certificate expired {} ago", days_or_less(ago)),
        )
    }
}

/// The certificate isn't valid yet by this computer's clock.
pub(super) fn not_yet_valid(
    not_before: SystemTime,
    not_after: Option<SystemTime>,
    now: SystemTime,
) -> Diagnosis {
    Diagnosis {
        saw: Some(validity(Some(not_before), not_after, now)),
        likely: vec!["the clock is wrong (no NTP yet, empty RTC battery)".into()],
        try_: vec![Try::advice("set the clock, then try again")],
        ..Diagnosis::new(
            Id::TlsTime,
            "the server's certificate is not valid yet according to this computer's clock",
        )
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

/// `2027-02-01`
fn day(time: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// `3 days`, or hours, minutes and seconds where it is less than a day.
fn days_or_less(time: Duration) -> String {
    match time.as_secs() / (24 * 60 * 60) {
        0 => duration(Duration::from_secs(time.as_secs())),
        1 => "1 day".into(),
        days => format!("{days} days"),
    }
}

fn shell_path(path: &Path) -> String {
    shell(&path.display().to_string())
}

/// Number of names of a certificate that are shown.
const MAX_NAMES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_shown_beside_the_dates_of_the_certificate() {
        let at = |text| humantime::parse_rfc3339(text).unwrap();
        let diagnosis = not_yet_valid(
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
    fn an_expired_certificate_says_since_when() {
        let after = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let headline = |late| expired(None, after, after + Duration::from_secs(late)).headline;
        assert!(headline(3 * 86_400 + 5).ends_with("expired 3 days ago"));
        assert!(headline(90).ends_with("expired 1 min 30 s ago"));
    }
}
