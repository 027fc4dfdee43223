//! One request to a policy: the client, its action, and the values that conditions may compare.

use core::fmt;
use core::net::IpAddr;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::policy::client_certificate::ClientCertificate;
use crate::policy::key::ConditionKey;
use crate::policy::thing::Thing;

/// Action of a client. The first word of the resource follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// `iot:Connect` on `client/<client id>`.
    Connect,
    /// `iot:Publish` on `topic/<topic name>`.
    Publish,
    /// `iot:RetainPublish` on `topic/<topic name>`, evaluated besides [`Action::Publish`].
    RetainPublish,
    /// `iot:Receive` on `topic/<topic name>`.
    Receive,
    /// `iot:Subscribe` on `topicfilter/<topic filter>`: not `topic/`, the commonest mistake.
    Subscribe,
    /// `iot:SendDirectMessage` on `client/<client id of the receiver>`, over HTTP alone.
    SendDirectMessage,
}

/// One request to a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Requested action.
    pub action: Action,
    /// Client id, topic name or topic filter that the action is requested on; the client id of the
    /// receiver for [`Action::SendDirectMessage`].
    pub name: &'a str,
    /// Client that requests it.
    pub subject: &'a Subject,
    /// Time of the request, for conditions on `aws:CurrentTime` and `aws:EpochTime`.
    pub time: SystemTime,
}

/// Client of a request, with the values of policy variables and condition keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `iot:ClientId`; empty if there is none, as for an HTTP client.
    pub client_id: Arc<str>,
    /// `aws:SourceIp`; `None` if the address isn't known.
    pub source_ip: Option<IpAddr>,
    /// `iot:DomainName`: server name (SNI) of the client's TLS handshake; `None` without one.
    pub domain_name: Option<Arc<str>>,
    /// `iot:LastWillTopic`: topic of the will, for [`Action::Connect`] alone; `None` without a
    /// will.
    pub last_will_topic: Option<Arc<str>>,
    /// `iot:Topic`: topic of the message, for [`Action::SendDirectMessage`] alone; `None` without
    /// one.
    pub direct_topic: Option<Arc<str>>,
    /// Certificate of the client, with the thing that it is attached to; `None` without one.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Values that were set by hand.
    pub(super) set: Vec<(ConditionKey, Arc<str>)>,
    /// `iot:ConnectAttributes`, which exist for [`Action::Connect`] alone.
    pub connect: ConnectAttributes,
}

/// Attributes of a CONNECT: `iot:ConnectAttributes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectAttributes {
    /// `PersistentConnect`: a session that outlives the connection.
    pub persistent: bool,
    /// `LastWill`: a will.
    pub last_will: bool,
}

impl Subject {
    /// Client of which only its id is known.
    #[must_use]
    pub fn new(client_id: impl Into<Arc<str>>) -> Self {
        Self {
            client_id: client_id.into(),
            source_ip: None,
            domain_name: None,
            last_will_topic: None,
            direct_topic: None,
            certificate: None,
            set: Vec::new(),
            connect: ConnectAttributes::default(),
        }
    }

    /// Thing of the certificate, if it has the name of the client id.
    fn thing(&self) -> Option<&str> {
        let thing = self.certificate.as_ref()?.thing.as_deref()?;
        (thing == &*self.client_id).then_some(thing)
    }

    /// Entry of that thing in the registry; `None` if there is none.
    fn registered(&self) -> Option<&Thing> {
        self.thing()?;
        self.certificate.as_ref()?.registered.as_deref()
    }

    /// Client for which every key has a value that can have one behind a custom authorizer.
    pub(super) fn with_every_value() -> Self {
        // VPC keys exist for clients within a VPC only; set here, so that the linter doesn't report
        // them as impossible.
        // The topic exists for direct messages only.
        let set = [
            (ConditionKey::Topic, "x".into()),
            (ConditionKey::SourceVpc, "x".into()),
            (ConditionKey::SourceVpce, "x".into()),
        ];
        Self {
            source_ip: Some([127, 0, 0, 1].into()),
            domain_name: Some("localhost".into()),
            last_will_topic: Some("x".into()),
            set: set.into(),
            ..Self::new("x")
        }
    }

    /// Sets a value of a condition key by hand, such as `aws:SourceVpce`, in place of the key's own
    /// values. A key that is set more than once has all of these values.
    ///
    /// # Errors
    /// [`SetKeyError::Unknown`] for a key that isn't known, [`SetKeyError::NoValue`] for one that
    /// never has a value behind a custom authorizer.
    pub fn set(&mut self, key: &str, value: impl Into<Arc<str>>) -> Result<(), SetKeyError> {
        match ConditionKey::named(key) {
            // A value here would allow what AWS IoT denies behind a custom authorizer.
            Some(known) if known.is_of_thing_or_certificate() => {
                Err(SetKeyError::NoValue(key.into()))
            }
            Some(known) => {
                self.set.push((known, value.into()));
                Ok(())
            }
            None => Err(SetKeyError::Unknown(key.into())),
        }
    }
}

/// Error of [`Subject::set`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetKeyError {
    /// Unknown key.
    #[error("{0:?} isn't a condition key of AWS IoT policies that this sandbox knows")]
    Unknown(Box<str>),
    /// Key of things or client certificates.
    #[error(
        "{0:?} has no value behind a custom authorizer: there are no things and no client certificates"
    )]
    NoValue(Box<str>),
}

impl<'a> Request<'a> {
    /// A request of this client at this time.
    #[must_use]
    pub const fn new(
        action: Action,
        name: &'a str,
        subject: &'a Subject,
        time: SystemTime,
    ) -> Self {
        Self {
            action,
            name,
            subject,
            time,
        }
    }

    /// Resource of the request, as an ARN has it after the account: `topic/lamp/on`.
    pub(super) fn resource(&self) -> String {
        format!("{}/{}", self.action.resource_kind(), self.name)
    }

    /// Values of a key for this request; empty if it has none.
    pub(super) fn values(&self, key: &ConditionKey) -> Vec<Cow<'a, str>> {
        // Values that were set by hand take the place of the key's own.
        let subject = self.subject;
        if subject.set.iter().any(|(set, _)| set == key) {
            let values = subject.set.iter().filter(|(set, _)| set == key);
            return values.map(|(_, value)| Cow::Borrowed(&**value)).collect();
        }
        // Keys of the client, of the connection, and of the time. An unknown value is no value,
        // never an empty text.
        match key {
            // An HTTP client has none.
            ConditionKey::ClientId => (!subject.client_id.is_empty())
                .then(|| Cow::Borrowed(&*subject.client_id))
                .into_iter()
                .collect(),
            ConditionKey::SourceIp => subject
                .source_ip
                .iter()
                .map(|ip| ip.to_string().into())
                .collect(),
            ConditionKey::DomainName => subject
                .domain_name
                .iter()
                .map(|name| Cow::Borrowed(&**name))
                .collect(),
            ConditionKey::ConnectAttributes => self.connect_attributes(),
            // The certificate's thing counts if the client id is its name. A custom authorizer knows
            // no things, so that none is attached.
            ConditionKey::IsAttached => vec![subject.thing().is_some().to_string().into()],
            ConditionKey::ThingName => subject.thing().map(Cow::Borrowed).into_iter().collect(),
            ConditionKey::ThingTypeName => {
                let name = subject
                    .registered()
                    .and_then(|thing| thing.thing_type.as_deref());
                name.map(Cow::Borrowed).into_iter().collect()
            }
            ConditionKey::ThingAttribute(name) => {
                let thing = subject.registered();
                let value = thing.and_then(|thing| thing.attributes.get(&**name));
                value
                    .map(|value| Cow::Borrowed(value.as_str()))
                    .into_iter()
                    .collect()
            }
            ConditionKey::CertificateId => {
                let certificate = subject.certificate.iter();
                certificate
                    .map(|certificate| Cow::Borrowed(&*certificate.id))
                    .collect()
            }
            ConditionKey::Certificate(key) => {
                let certificate = subject.certificate.iter();
                certificate
                    .flat_map(|certificate| certificate.values(*key))
                    .map(Cow::Borrowed)
                    .collect()
            }
            // AWS IoT accepts TLS alone. The plain port of the sandbox counts as TLS, so that a
            // policy decides alike on both.
            ConditionKey::SecureTransport => vec!["true".into()],
            // Both keys have the same time, as a date and as seconds since 1970.
            ConditionKey::CurrentTime => vec![
                humantime::format_rfc3339_seconds(self.time)
                    .to_string()
                    .into(),
            ],
            ConditionKey::EpochTime => {
                let since = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
                vec![since.as_secs().to_string().into()]
            }
            ConditionKey::LastWillTopic => {
                // The will is part of CONNECT, so other actions have no such key.
                let topic = subject
                    .last_will_topic
                    .iter()
                    .filter(|_| self.action == Action::Connect);
                topic.map(|topic| format!("topic/{topic}").into()).collect()
            }
            ConditionKey::Topic => {
                let topic = subject
                    .direct_topic
                    .iter()
                    .filter(|_| self.action == Action::SendDirectMessage);
                topic.map(|topic| Cow::Borrowed(&**topic)).collect()
            }
            ConditionKey::SourceVpc
            | ConditionKey::SourceVpce
            | ConditionKey::ThingOrCertificate => Vec::new(),
        }
    }

    fn connect_attributes(&self) -> Vec<Cow<'a, str>> {
        let ConnectAttributes {
            persistent,
            last_will,
        } = self.subject.connect;
        let present = [("PersistentConnect", persistent), ("LastWill", last_will)];
        let named = present.into_iter().filter(|(_, is_present)| *is_present);
        match self.action {
            // AWS has these attributes for iot:Connect alone.
            Action::Connect => named.map(|(name, _)| Cow::Borrowed(name)).collect(),
            _ => Vec::new(),
        }
    }
}

impl Action {
    /// All actions, connecting first.
    pub const ALL: [Self; 6] = [
        Self::Connect,
        Self::Publish,
        Self::RetainPublish,
        Self::Receive,
        Self::Subscribe,
        Self::SendDirectMessage,
    ];

    /// First word of the resource that the action is evaluated on.
    #[must_use]
    pub const fn resource_kind(self) -> &'static str {
        match self {
            Self::Connect | Self::SendDirectMessage => "client",
            Self::Publish | Self::RetainPublish | Self::Receive => "topic",
            Self::Subscribe => "topicfilter",
        }
    }

    /// Name in lower case, which action patterns are matched with.
    pub(super) const fn lowercase_name(self) -> &'static str {
        match self {
            Self::Connect => "iot:connect",
            Self::Publish => "iot:publish",
            Self::RetainPublish => "iot:retainpublish",
            Self::Receive => "iot:receive",
            Self::Subscribe => "iot:subscribe",
            Self::SendDirectMessage => "iot:senddirectmessage",
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Publish => "publish",
            Self::RetainPublish => "retain",
            Self::Receive => "receive",
            Self::Subscribe => "subscribe",
            Self::SendDirectMessage => "send direct",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "iot:Connect",
            Self::Publish => "iot:Publish",
            Self::RetainPublish => "iot:RetainPublish",
            Self::Receive => "iot:Receive",
            Self::Subscribe => "iot:Subscribe",
            Self::SendDirectMessage => "iot:SendDirectMessage",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_attributes_exist_for_connect_alone() {
        let connect = ConnectAttributes {
            persistent: true,
            last_will: true,
        };
        let subject = Subject {
            connect,
            ..Subject::new("lamp-7")
        };
        let values = |action| {
            Request::new(action, "x", &subject, UNIX_EPOCH).values(&ConditionKey::ConnectAttributes)
        };
        assert_eq!(values(Action::Connect), ["PersistentConnect", "LastWill"]);
        assert!(values(Action::Publish).is_empty());
    }

    #[test]
    fn the_topic_exists_for_direct_messages_alone() {
        let subject = Subject {
            direct_topic: Some("a/b".into()),
            ..Subject::new("")
        };
        let values =
            |action| Request::new(action, "x", &subject, UNIX_EPOCH).values(&ConditionKey::Topic);
        assert_eq!(values(Action::SendDirectMessage), ["a/b"]);
        assert!(values(Action::Publish).is_empty());
    }

    #[test]
    fn an_unknown_attribute_has_no_value() {
        let subject = Subject::new("lamp-7");
        let request = Request::new(Action::Publish, "x", &subject, UNIX_EPOCH);
        for key in [
            ConditionKey::SourceIp,
            ConditionKey::DomainName,
            ConditionKey::ThingOrCertificate,
        ] {
            assert!(request.values(&key).is_empty(), "{key:?}");
        }
        assert_eq!(
            request.values(&ConditionKey::CurrentTime),
            ["1970-01-01T00:00:00Z"]
        );
        assert_eq!(request.values(&ConditionKey::EpochTime), ["0"]);
    }
}
