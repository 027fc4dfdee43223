//! Domains of AWS, and the certificate authorities that issue certificates for them.

/// Domains below which AWS has its endpoints.
const AWS_DOMAINS: [&str; 2] = ["amazonaws.com", "amazonaws.com.cn"];

/// Organisations whose certificates endpoints of AWS have or had, and those that have signed for
/// them.
#[cfg(feature = "tokio")]
const AWS_AUTHORITIES: [&str; 5] = ["Amazon", "Starfield", "DigiCert", "VeriSign", "Symantec"];

/// Host name in lower case, without the dot of the root at its end.
pub(crate) fn normalized(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Labels before the domain of AWS, and the domain; `None` for another domain. The host must be
/// [`normalized`].
pub(crate) fn split_aws_domain(host: &str) -> Option<(&str, &'static str)> {
    AWS_DOMAINS
        .iter()
        .find_map(|domain| Some((host.strip_suffix(domain)?.strip_suffix('.')?, *domain)))
}

/// Authorities that issue certificates for this host; `None` if any authority may.
#[cfg(feature = "tokio")]
pub(crate) fn authorities(host: &str) -> Option<&'static [&'static str]> {
    split_aws_domain(&normalized(host)).map(|_| &AWS_AUTHORITIES[..])
}
