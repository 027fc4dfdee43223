//! The keys that AWS IoT policies know, as variables (`${iot:ClientId}`) and in conditions.

/// One key. Letters count in either case, as in IAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    ClientId,
    SourceIp,
    DomainName,
    ConnectAttributes,
    IsAttached,
    SecureTransport,
    CurrentTime,
    EpochTime,
    /// A property of a thing or of a client certificate. Neither exists behind a custom authorizer: it has no value.
    ThingOrCertificate,
}

impl Key {
    /// `None` for a key that the sandbox doesn't know: the policy that asks for it is refused by that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let begins_with =
            |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        match NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, key)) => Some(*key),
            None => OF_THINGS.iter().any(|prefix| begins_with(prefix)).then_some(Self::ThingOrCertificate),
        }
    }

    /// Whether it may hold more than one value, so that no variable can stand for it.
    pub(super) fn is_list(self) -> bool {
        self == Self::ConnectAttributes
    }
}

const NAMES: [(&str, Key); 9] = [
    ("iot:ClientId", Key::ClientId),
    ("aws:SourceIp", Key::SourceIp),
    ("iot:DomainName", Key::DomainName),
    ("iot:ConnectAttributes", Key::ConnectAttributes),
    ("iot:Connection.Thing.IsAttached", Key::IsAttached),
    ("aws:SecureTransport", Key::SecureTransport),
    ("aws:CurrentTime", Key::CurrentTime),
    ("aws:EpochTime", Key::EpochTime),
    ("iot:CertificateId", Key::ThingOrCertificate),
];
const OF_THINGS: [&str; 3] = ["iot:Connection.Thing.", "iot:Thing.", "iot:Certificate."];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_in_either_case_and_by_its_whole_name() {
        assert_eq!(Key::named("aws:sourceIp"), Some(Key::SourceIp));
        assert_eq!(Key::named("iot:Connection.Thing.Attributes[room]"), Some(Key::ThingOrCertificate));
        assert_eq!(Key::named("iot:Connection.Thing.IsAttached"), Some(Key::IsAttached));
        for unknown in ["iot:ClientIdx", "aws:username", "iot:Certificat", "é", ""] {
            assert_eq!(Key::named(unknown), None, "{unknown}");
        }
    }
}
