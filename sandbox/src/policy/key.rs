//! Keys that AWS IoT policies know, as variables (`${iot:ClientId}`) and in conditions.

use std::sync::Arc;

use crate::policy::certificate_key::CertificateKey;

/// One key. Upper and lower case are alike, as in IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConditionKey {
    ClientId,
    SourceIp,
    /// Network of AWS that the client comes from; set by hand only, as there is none here.
    SourceVpc,
    SourceVpce,
    DomainName,
    ConnectAttributes,
    /// Topic of the will, as an ARN.
    LastWillTopic,
    /// Topic of a direct message.
    Topic,
    IsAttached,
    /// Name of the thing that the client certificate is attached to, if it is the client id.
    ThingName,
    /// Name of the type of that thing.
    ThingTypeName,
    /// Attribute of that thing, by its name, whose case counts.
    ThingAttribute(Arc<str>),
    CertificateId,
    Certificate(CertificateKey),
    SecureTransport,
    CurrentTime,
    EpochTime,
    /// Other property of a thing or of a client certificate; never has a value.
    ThingOrCertificate,
}

impl ConditionKey {
    /// `None` for a key that the sandbox doesn't know: the policy that asks for it is refused by
    /// that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        // `get` and not an index: the name may have other characters than ASCII at this place.
        let begins_with = |prefix: &str| {
            name.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        // Whole names first: IsAttached has a value although it is a key of things.
        match NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            Some((_, key)) => Some(key.clone()),
            None if attribute(name).is_some() => {
                attribute(name).map(|attribute| Self::ThingAttribute(attribute.into()))
            }
            None if CertificateKey::named(name).is_some() => {
                CertificateKey::named(name).map(Self::Certificate)
            }
            None => OF_THINGS
                .iter()
                .any(|prefix| begins_with(prefix))
                .then_some(Self::ThingOrCertificate),
        }
    }

    /// `true` for a key that has a value for a client with a certificate alone.
    pub(super) const fn is_of_thing_or_certificate(&self) -> bool {
        matches!(
            self,
            Self::ThingName
                | Self::ThingTypeName
                | Self::ThingAttribute(_)
                | Self::CertificateId
                | Self::Certificate(_)
                | Self::ThingOrCertificate
        )
    }

    /// `true` for a key with any number of values: no variable can stand for it.
    pub(super) fn is_list(&self) -> bool {
        *self == Self::ConnectAttributes
    }
}

static NAMES: [(&str, ConditionKey); 16] = [
    ("iot:ClientId", ConditionKey::ClientId),
    ("aws:SourceIp", ConditionKey::SourceIp),
    ("aws:SourceVpc", ConditionKey::SourceVpc),
    ("aws:SourceVpce", ConditionKey::SourceVpce),
    ("iot:DomainName", ConditionKey::DomainName),
    ("iot:LastWillTopic", ConditionKey::LastWillTopic),
    ("iot:Topic", ConditionKey::Topic),
    ("iot:ConnectAttributes", ConditionKey::ConnectAttributes),
    ("iot:Connection.Thing.IsAttached", ConditionKey::IsAttached),
    ("aws:SecureTransport", ConditionKey::SecureTransport),
    ("aws:CurrentTime", ConditionKey::CurrentTime),
    ("aws:EpochTime", ConditionKey::EpochTime),
    ("iot:CertificateId", ConditionKey::CertificateId),
    ("iot:Connection.Thing.ThingName", ConditionKey::ThingName),
    ("iot:Thing.ThingName", ConditionKey::ThingName),
    (
        "iot:Connection.Thing.ThingTypeName",
        ConditionKey::ThingTypeName,
    ),
];

/// Attribute of `iot:Connection.Thing.Attributes[NAME]`; `None` for another key.
fn attribute(name: &str) -> Option<&str> {
    let (start, rest) = name.split_at_checked(ATTRIBUTES.len())?;
    let attribute = rest.strip_suffix(']').filter(|name| !name.is_empty())?;
    start.eq_ignore_ascii_case(ATTRIBUTES).then_some(attribute)
}

/// Reason why a key of IAM or of another service can't apply here; `None` for an unknown key.
pub(super) fn why_unsupported(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let begins_with = |prefix: &str| name.starts_with(prefix);
    // Keys that people copy from IAM policies, with the reason why AWS IoT has no use for them.
    if begins_with("aws:resourcetag/") || begins_with("aws:requesttag/") || name == "aws:tagkeys" {
        Some("tags are for calls of the AWS API with IAM; MQTT has none")
    } else if ["iot:clientmode", "iot:thinggrouparn"].contains(&name.as_str()) {
        Some("it is a key of IAM for calls of the AWS API, not of AWS IoT policies")
    } else if begins_with("cognito-identity.amazonaws.com:") {
        Some("it needs a Cognito identity; behind a custom authorizer there is none")
    } else {
        None
    }
}

const ATTRIBUTES: &str = "iot:Connection.Thing.Attributes[";
const OF_THINGS: [&str; 3] = ["iot:Connection.Thing.", "iot:Thing.", "iot:Certificate."];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_in_either_case_and_by_its_whole_name() {
        assert_eq!(
            ConditionKey::named("aws:sourceIp"),
            Some(ConditionKey::SourceIp)
        );
        assert_eq!(
            ConditionKey::named("iot:connection.thing.attributes[Room]"),
            Some(ConditionKey::ThingAttribute("Room".into()))
        );
        assert_eq!(
            ConditionKey::named("iot:Connection.Thing.Attributes[]"),
            Some(ConditionKey::ThingOrCertificate)
        );
        assert_eq!(
            ConditionKey::named("iot:Connection.Thing.IsAttached"),
            Some(ConditionKey::IsAttached)
        );
        // A name that is longer, from IAM, shorter than a prefix, outside ASCII, and empty.
        for unknown in ["iot:ClientIdx", "aws:username", "iot:Certificat", "é", ""] {
            assert_eq!(ConditionKey::named(unknown), None, "{unknown}");
        }
    }
}
