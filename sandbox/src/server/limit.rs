//! Limits of a profile that a client can break, each with its reason code and its sentence.

use dunlin_codec::{QoS, ReasonCode};

/// Limit that a client has broken. `Display` is the sentence for the reason string and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Limit {
    #[error("the client id has {has} bytes; at most {most} are allowed")]
    ClientId { has: usize, most: usize },
    #[error("the client id begins with the reserved \"$\"")]
    DollarId,
    #[error("one CONNECT a second is allowed for a client id")]
    Connects,
    #[error("QoS {0} isn't available; the maximum is {1}")]
    QoS(u8, u8),
    #[error("the will has {0}; the maximum is {n}", n = .1.level())]
    WillQoS(QoS, QoS),
    #[error("the sandbox has no memory left for a large will")]
    WillMemory,
    #[error("the payload has {has} bytes; at most {most} are allowed")]
    Payload { has: usize, most: usize },
    #[error("the topic has {has} bytes; at most {most} are allowed")]
    TopicLength { has: usize, most: usize },
    #[error("the topic filter has {has} bytes; at most {most} are allowed")]
    FilterLength { has: usize, most: usize },
    #[error("the topic has {has} slashes; at most {most} are allowed")]
    Slashes { has: usize, most: usize },
    #[error("the topic filter has {has} slashes; at most {most} are allowed")]
    FilterSlashes { has: usize, most: usize },
    #[error("AWS IoT Core defines no such topic, and those that begin with \"$\" are its own")]
    ReservedTopic,
    #[error(
        "AWS IoT Core defines no such topic to subscribe to, and those that begin with \"$\" are its own"
    )]
    ReservedFilter,
    #[error("the share name has {has} bytes; at most {most} are allowed")]
    ShareName { has: usize, most: usize },
    #[error("the topic alias {has} is above the maximum of {most}")]
    TopicAlias { has: u16, most: u16 },
    #[error("more than {0} messages of QoS 1 and 2 are unacknowledged: the Receive Maximum")]
    ReceiveMaximum(u16),
    #[error("one SUBSCRIBE has {has} subscriptions; at most {most} are allowed")]
    Request { has: usize, most: usize },
    #[error("one UNSUBSCRIBE has {has} filters; at most {most} are allowed")]
    Unsubscribe { has: usize, most: usize },
    #[error("a connection may have {0} subscriptions")]
    Subscriptions(usize),
    #[error("there are no subscription identifiers")]
    SubscriptionIdentifiers,
    #[error("more than {0} messages a second, in and out: discarded")]
    Messages(u32),
    #[error("more than {0} bytes a second, in and out: delayed")]
    Throughput(u32),
    #[error("not acknowledged within {0} s: not sent again")]
    Redelivery(u64),
}

impl Limit {
    /// Reason code of the answer to a request that breaks the limit.
    pub(crate) const fn reason_code(self) -> ReasonCode {
        match self {
            Self::ClientId { .. } | Self::DollarId => ReasonCode::ClientIdentifierNotValid,
            // [MQTT-3.2.2-11] [MQTT-3.2.2-12]
            Self::QoS(..) | Self::WillQoS(..) => ReasonCode::QoSNotSupported,
            Self::TopicLength { .. } | Self::Slashes { .. } | Self::ReservedTopic => {
                ReasonCode::TopicNameInvalid
            }
            Self::FilterLength { .. }
            | Self::FilterSlashes { .. }
            | Self::ReservedFilter
            | Self::ShareName { .. } => ReasonCode::TopicFilterInvalid,
            Self::TopicAlias { .. } => ReasonCode::TopicAliasInvalid,
            Self::ReceiveMaximum(_) => ReasonCode::ReceiveMaximumExceeded,
            Self::SubscriptionIdentifiers => ReasonCode::SubscriptionIdentifiersNotSupported,
            Self::Connects
            | Self::WillMemory
            | Self::Payload { .. }
            | Self::Request { .. }
            | Self::Unsubscribe { .. }
            | Self::Subscriptions(_)
            | Self::Messages(_)
            | Self::Throughput(_)
            | Self::Redelivery(_) => ReasonCode::QuotaExceeded,
        }
    }
}

/// Checks a number by a limit; `most` of `None` is no limit.
///
/// # Errors
/// The [`Limit`] that `breach` makes of both numbers, if `has` is larger.
pub(crate) fn at_most(
    has: usize,
    most: Option<usize>,
    breach: impl FnOnce(usize, usize) -> Limit,
) -> Result<(), Limit> {
    match most {
        Some(most) if has > most => Err(breach(has, most)),
        _ => Ok(()),
    }
}
