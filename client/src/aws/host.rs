//! Host names of AWS IoT Core, and the services that they stand for.

use std::fmt;

use crate::domains::{normalized, split_aws_domain};

/// An endpoint of AWS IoT Core other than the data endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AwsService {
    /// `<prefix>.credentials.iot.<region>`.
    Credentials,
    /// `iot.<region>`.
    ControlPlane,
    /// `data.iot.<region>` and `data-ats.iot.<region>`, for the HTTPS API alone.
    DataApi,
    /// `<prefix>.jobs.iot.<region>`.
    Jobs,
}

impl fmt::Display for AwsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credentials => "the credentials endpoint",
            Self::ControlPlane => "the control plane endpoint",
            Self::DataApi => "the endpoint of the HTTPS data API",
            Self::Jobs => "the jobs endpoint",
        })
    }
}

/// True if a host name is one of AWS: a certificate for it comes from an authority that AWS uses.
///
/// ```
/// use dunlin_client::aws::is_aws_host;
///
/// assert!(is_aws_host("abc123-ats.iot.eu-west-1.amazonaws.com"));
/// assert!(!is_aws_host("mqtt.example.com"));
/// ```
pub fn is_aws_host(host: &str) -> bool {
    split_aws_domain(&normalized(host)).is_some()
}

/// A name of the form `<labels>.iot.<region>.<domain>`, in lower case.
pub(super) struct AwsHost {
    labels: Vec<String>,
    /// `iot` or `iot-fips`.
    iot: String,
    region: String,
    domain: &'static str,
}

impl AwsHost {
    pub(super) fn parse(host: &str) -> Option<Self> {
        // Read from the right: domain, region, `iot`, and before it what differs from endpoint to
        // endpoint.
        let host = normalized(host);
        let (rest, domain) = split_aws_domain(&host)?;
        let mut labels: Vec<String> = rest.split('.').map(str::to_owned).collect();
        let region = labels.pop()?;
        let iot = labels
            .pop()
            .filter(|label| label == "iot" || label == "iot-fips")?;
        Some(Self {
            labels,
            iot,
            region,
            domain,
        })
    }

    /// Service of the host; `None` for a data endpoint and for a host of another form.
    pub(super) fn other_service(&self) -> Option<AwsService> {
        let labels: Vec<&str> = self.labels.iter().map(String::as_str).collect();
        // Without a label before `iot` it is the control plane. `<prefix>-ats` alone is a data
        // endpoint, and so is anything unknown.
        match *labels.as_slice() {
            [] => Some(AwsService::ControlPlane),
            [.., "credentials"] => Some(AwsService::Credentials),
            [.., "jobs"] => Some(AwsService::Jobs),
            ["data" | "data-ats"] => Some(AwsService::DataApi),
            _ => None,
        }
    }

    /// Prefix of the account in a data endpoint without `-ats`.
    pub(super) fn legacy_prefix(&self) -> Option<&str> {
        match self.labels.as_slice() {
            [prefix] if !prefix.ends_with("-ats") => Some(prefix),
            _ => None,
        }
    }

    /// Data endpoint of an account in the same region.
    pub(super) fn data_endpoint(&self, prefix: &str) -> String {
        let Self {
            iot,
            region,
            domain,
            ..
        } = self;
        // The Beijing region has a label of its own where all others have a suffix.
        let ats = if region == "cn-north-1" {
            ".ats"
        } else {
            "-ats"
        };
        format!("{prefix}{ats}.{iot}.{region}.{domain}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subdomains_of_aws_belong_to_aws() {
        assert!(is_aws_host("x.iot.eu-west-1.amazonaws.com"));
        assert!(is_aws_host("x.iot.cn-north-1.AMAZONAWS.com.cn."));
        assert!(!is_aws_host("amazonaws.com.example"));
        assert!(!is_aws_host("notamazonaws.com"));
    }
}
