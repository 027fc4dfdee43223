//! `check_endpoint`: host names that aren't the data endpoint, recognised before they are resolved.

use dunlin_codec::{Escaped, Quoted};
use std::net::Ipv6Addr;

use super::host::{AwsHost, AwsService};

/// Host to connect to, with its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or IP address; IPv6 without brackets.
    pub host: String,
    /// Port; `None` if none was given.
    pub port: Option<u16>,
    /// Advice about an endpoint that may be wrong; `None` if there is none.
    pub advice: Option<EndpointAdvice>,
}

/// Advice about an endpoint that works for some clients only.
///
/// ```
/// use dunlin_client::aws::{Endpoint, EndpointAdvice, check_endpoint};
///
/// let endpoint: Endpoint = check_endpoint("a1b2c3.iot.eu-west-1.amazonaws.com")?;
/// if let Some(EndpointAdvice::NotAts { instead }) = endpoint.advice {
///     assert_eq!(instead, "a1b2c3-ats.iot.eu-west-1.amazonaws.com");
/// }
/// # Ok::<(), dunlin_client::aws::EndpointFault>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointAdvice {
    /// A data endpoint without `-ats`, whose certificate is of an authority that hardly anyone
    /// trusts any more.
    #[error(
        "this is a legacy endpoint; {} has a certificate of Amazon Trust Services",
        Escaped(instead)
    )]
    NotAts {
        /// Endpoint of the same account with `-ats`.
        instead: String,
    },
}

/// Fault of text that isn't a data endpoint, with a replacement if it is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointFault {
    /// The text is empty.
    #[error("the endpoint is empty")]
    Empty,
    /// The text has white space or a control character, as from copying.
    #[error("the endpoint contains white space")]
    Whitespace,
    /// The text is a URL rather than a host name.
    #[error(
        "the endpoint begins with \"{}://\", where a host name is wanted: {}",
        Escaped(scheme),
        Escaped(instead)
    )]
    Scheme {
        /// Scheme of the URL.
        scheme: String,
        /// Host name without the rest.
        instead: String,
    },
    /// The host name is followed by a path, query or fragment.
    #[error(
        "the endpoint ends in {}, where a host name is wanted: {}",
        Quoted(path),
        Escaped(instead)
    )]
    Path {
        /// Rest, from the first `/`, `?` or `#`.
        path: String,
        /// Host name without the rest.
        instead: String,
    },
    /// The text after `:` is no port.
    #[error("{} is no port: that is a number from 1 to 65535", Quoted(port))]
    Port {
        /// Text after `:`.
        port: String,
    },
    /// The text is neither a host name nor an IP address.
    #[error("the endpoint is neither a host name nor an IP address")]
    NotAHost,
    /// The endpoint is one of AWS IoT Core without MQTT.
    #[error(
        "the endpoint is {service}, not the account's data endpoint: that looks like {}",
        Escaped(instead)
    )]
    WrongService {
        /// Service of the endpoint.
        service: AwsService,
        /// Form of a data endpoint in the same region.
        instead: String,
    },
}

/// Parses `HOST`, `HOST:PORT`, an IPv6 address, or one in brackets with or without a port, and checks
/// that it may be a data endpoint.
///
/// Hosts outside of AWS and endpoints of an unknown form are accepted.
///
/// # Errors
/// The [`EndpointFault`] of the text.
///
/// ```
/// use dunlin_client::aws::check_endpoint;
///
/// let endpoint = check_endpoint("a1b2c3-ats.iot.eu-west-1.amazonaws.com:443")?;
/// assert_eq!(endpoint.host, "a1b2c3-ats.iot.eu-west-1.amazonaws.com");
/// assert_eq!(endpoint.port, Some(443));
/// # Ok::<(), dunlin_client::aws::EndpointFault>(())
/// ```
pub fn check_endpoint(text: &str) -> Result<Endpoint, EndpointFault> {
    if text.is_empty() {
        return Err(EndpointFault::Empty);
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(EndpointFault::Whitespace);
    }
    // Mistakes of copying, each with the text that was meant. The scheme comes before the path,
    // because a URL has both.
    if let Some((scheme, rest)) = text.split_once("://") {
        let (authority, _) = split_path(rest);
        return Err(EndpointFault::Scheme {
            scheme: scheme.to_owned(),
            instead: authority.to_owned(),
        });
    }
    if let (authority, Some(path)) = split_path(text) {
        return Err(EndpointFault::Path {
            path: path.to_owned(),
            instead: authority.to_owned(),
        });
    }
    // Then the form of host and port, for any server.
    let (host, port) = split_port(text)?;
    if !is_host(host) {
        return Err(EndpointFault::NotAHost);
    }
    // Last, rules for hosts of AWS IoT: other services of the account have similar names.
    let advice = AwsHost::parse(host).map_or(Ok(None), |host| check_service(&host))?;
    Ok(Endpoint {
        host: host.to_owned(),
        port,
        advice,
    })
}

/// Checks that the host is the data endpoint of AWS IoT, and advises against an older one.
fn check_service(host: &AwsHost) -> Result<Option<EndpointAdvice>, EndpointFault> {
    // The account's prefix isn't part of the other endpoint's name, so the advice has a placeholder
    // for it.
    if let Some(service) = host.other_service() {
        return Err(EndpointFault::WrongService {
            service,
            instead: host.data_endpoint("<prefix>"),
        });
    }
    let advice = |prefix| EndpointAdvice::NotAts {
        instead: host.data_endpoint(prefix),
    };
    Ok(host.legacy_prefix().map(advice))
}

fn split_path(text: &str) -> (&str, Option<&str>) {
    match text.find(['/', '?', '#']) {
        Some(at) => {
            let (authority, path) = text.split_at(at);
            (authority, Some(path))
        }
        None => (text, None),
    }
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), EndpointFault> {
    // IPv6 in brackets, with or without a port.
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']').ok_or(EndpointFault::NotAHost)?;
        if address.parse::<Ipv6Addr>().is_err() {
            return Err(EndpointFault::NotAHost);
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((address, Some(parse_port(port)?))),
            None if rest.is_empty() => Ok((address, None)),
            None => Err(EndpointFault::NotAHost),
        };
    }
    // IPv6 without brackets can't have a port: all its colons are of the address.
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    // A name or an IPv4 address has no colon but the one before the port.
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(EndpointFault::NotAHost),
        Some((host, port)) => Ok((host, Some(parse_port(port)?))),
        None => Ok((text, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, EndpointFault> {
    // `parse` alone would take a sign.
    let port = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    };
    port.filter(|port| *port != 0)
        .ok_or_else(|| EndpointFault::Port {
            port: text.to_owned(),
        })
}

/// A DNS name or an IP address. IPv4 has the form of a name.
fn is_host(host: &str) -> bool {
    if host.parse::<Ipv6Addr>().is_ok() {
        return true;
    }
    // Limits of DNS (RFC 1035, section 2.3.4), and `_`, which some private names have. The dot at
    // the end marks a complete name.
    let name = host.strip_suffix('.').unwrap_or(host);
    (1..=253).contains(&name.len()) && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> EndpointFault {
        check_endpoint(text).unwrap_err()
    }

    #[track_caller]
    fn passes(text: &str, host: &str, port: Option<u16>) {
        let endpoint = Endpoint {
            host: host.to_owned(),
            port,
            advice: None,
        };
        assert_eq!(check_endpoint(text), Ok(endpoint));
    }

    #[test]
    fn the_data_endpoints_of_every_partition_pass() {
        for host in [
            "a1b2c3-ats.iot.eu-west-1.amazonaws.com",
            "a1b2c3-ats.iot.us-gov-west-1.amazonaws.com",
            "a1b2c3-ats.iot-fips.us-east-1.amazonaws.com",
            "a1b2c3.ats.iot.cn-north-1.amazonaws.com.cn",
            "a1b2c3-ats.iot.cn-northwest-1.amazonaws.com.cn",
            "A1B2C3-ATS.iot.eu-west-1.amazonaws.com",
            "vpce-1.data.iot.eu-west-1.vpce.amazonaws.com",
            "a1b2c3-ats.iot.eu-west-1.amazonaws.com.",
        ] {
            passes(host, host, None);
        }
    }

    #[test]
    fn hosts_outside_of_aws_pass() {
        for host in [
            "localhost",
            "127.0.0.1",
            "::1",
            "iot.example.com",
            "credentials.iot",
            "my_broker",
            "amazonaws.com",
        ] {
            passes(host, host, None);
        }
    }

    #[test]
    fn a_host_name_may_have_a_port() {
        passes("localhost:8883", "localhost", Some(8883));
        passes("[::1]:8883", "::1", Some(8883));
        passes("[::1]", "::1", None);
        for port in ["", "0", "65536", "mqtt", "+1"] {
            assert_eq!(
                fault(&format!("localhost:{port}")),
                EndpointFault::Port {
                    port: port.to_owned()
                }
            );
        }
    }

    #[test]
    fn an_endpoint_of_another_service_is_refused() {
        let cases = [
            (
                "c1abc.credentials.iot.eu-west-1.amazonaws.com",
                AwsService::Credentials,
            ),
            ("iot.eu-west-1.amazonaws.com", AwsService::ControlPlane),
            ("data.iot.eu-west-1.amazonaws.com", AwsService::DataApi),
            ("data-ats.iot.eu-west-1.amazonaws.com", AwsService::DataApi),
            ("a1b2c3.jobs.iot.eu-west-1.amazonaws.com", AwsService::Jobs),
            ("data.jobs.iot.eu-west-1.amazonaws.com", AwsService::Jobs),
        ];
        for (host, service) in cases {
            let instead = "<prefix>-ats.iot.eu-west-1.amazonaws.com".to_owned();
            assert_eq!(
                fault(host),
                EndpointFault::WrongService { service, instead },
                "{host}"
            );
        }
    }

    #[test]
    fn a_legacy_endpoint_passes_with_advice() {
        let advised = |host, instead: &str| {
            let advice = check_endpoint(host).unwrap().advice;
            assert_eq!(
                advice,
                Some(EndpointAdvice::NotAts {
                    instead: instead.to_owned()
                })
            );
        };
        advised(
            "a1b2c3.iot.eu-west-1.amazonaws.com",
            "a1b2c3-ats.iot.eu-west-1.amazonaws.com",
        );
        advised(
            "a1b2c3.iot.cn-north-1.amazonaws.com.cn",
            "a1b2c3.ats.iot.cn-north-1.amazonaws.com.cn",
        );
    }

    #[test]
    fn a_url_in_place_of_a_host_name_is_refused_with_the_name() {
        let host = "a1b2c3-ats.iot.eu-west-1.amazonaws.com";
        let instead = host.to_owned();
        assert_eq!(
            fault(&format!("{host}/mqtt")),
            EndpointFault::Path {
                path: "/mqtt".to_owned(),
                instead: instead.clone()
            }
        );
        assert_eq!(
            fault(&format!("https://{host}/mqtt")),
            EndpointFault::Scheme {
                scheme: "https".to_owned(),
                instead
            }
        );
        for text in [
            format!(" {host}"),
            format!("{host}\n"),
            "local host".to_owned(),
        ] {
            assert_eq!(fault(&text), EndpointFault::Whitespace);
        }
        assert_eq!(fault(""), EndpointFault::Empty);
    }

    #[test]
    fn a_name_that_is_no_host_is_refused() {
        for text in [
            "a..b",
            ".",
            "-a",
            "a-",
            "ü.example",
            "u@host",
            "[::1",
            "[::1]x",
            "[host]",
            "1:2:3",
            "*.host",
        ] {
            assert_eq!(fault(text), EndpointFault::NotAHost, "{text}");
        }
        assert_eq!(fault(&"a".repeat(64)), EndpointFault::NotAHost);
    }
}
