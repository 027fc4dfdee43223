//! Topic aliases that the server sets on one connection (§3.3.2.3.4).

use std::sync::Arc;

use dunlin_codec::{DecodeError, PacketType, ReasonCode, TopicAlias, TopicName};

use crate::engine::violation::{protocol_error, violation};
use crate::error::Violation;

/// Topics of the aliases: at most one topic of 64 KiB for each alias that this client takes.
#[derive(Debug)]
pub(in crate::engine) struct InboundAliases {
    /// Topic Alias Maximum in CONNECT.
    maximum: u16,
    /// Indexed by alias - 1.
    topics: Vec<AliasTarget>,
}

/// Target that the server set an alias to.
#[derive(Debug, Clone, Default)]
enum AliasTarget {
    #[default]
    Unset,
    Name(Arc<str>),
    /// Not a topic name: messages with the alias alone are refused like the one that set it.
    Refused(Box<DecodeError>),
}

/// Reason why an alias stands for no topic.
#[derive(Debug)]
pub(in crate::engine) enum AliasFault {
    /// The server broke the rules of the connection.
    Violation(Violation),
    /// The alias was set by a message that was refused, to something that is no topic name.
    Refused(DecodeError),
}

impl AliasFault {
    /// Returns a violation as an error. An alias that was refused before is refused again.
    pub(in crate::engine) fn into_violation<T>(self) -> Result<Option<T>, Violation> {
        match self {
            Self::Violation(violation) => Err(violation),
            Self::Refused(_) => Ok(None),
        }
    }
}

impl InboundAliases {
    /// None is set yet: they don't outlive their connection. [MQTT-3.3.2-7]
    pub(in crate::engine) const fn new(maximum: u16) -> Self {
        Self {
            maximum,
            topics: Vec::new(),
        }
    }

    /// Sets the alias of a PUBLISH that has both, or returns the topic of one that has the alias
    /// alone.
    ///
    /// # Errors
    /// The alias is above the maximum or not set, or it was refused.
    pub(in crate::engine) fn resolve(
        &mut self,
        alias: TopicAlias,
        topic: Option<TopicName<'_>>,
    ) -> Result<Option<Arc<str>>, AliasFault> {
        let slot = self.slot(alias).map_err(AliasFault::Violation)?;
        // The alias alone: it must have been set.
        let Some(topic) = topic else {
            return match slot {
                AliasTarget::Unset => Err(AliasFault::Violation(UNSET)),
                AliasTarget::Name(topic) => Ok(Some(Arc::clone(topic))),
                AliasTarget::Refused(error) => Err(AliasFault::Refused(**error)),
            };
        };
        *slot = AliasTarget::Name(topic.as_str().into());
        Ok(None)
    }

    /// Sets the alias of a PUBLISH whose topic is not valid.
    ///
    /// # Errors
    /// The alias is above the maximum.
    pub(in crate::engine) fn refuse(
        &mut self,
        alias: TopicAlias,
        error: DecodeError,
    ) -> Result<(), Violation> {
        *self.slot(alias)? = AliasTarget::Refused(Box::new(error));
        Ok(())
    }

    /// Target of an alias that this client takes.
    fn slot(&mut self, alias: TopicAlias) -> Result<&mut AliasTarget, Violation> {
        // [MQTT-3.1.2-26] [MQTT-3.1.2-27]
        if alias.get() > self.maximum {
            return Err(violation(
                PacketType::Publish,
                "a topic alias above this client's maximum",
                if self.maximum == 0 {
                    "MQTT-3.1.2-27"
                } else {
                    "MQTT-3.1.2-26"
                },
                ReasonCode::TopicAliasInvalid,
            ));
        }
        // The table grows only as far as aliases are used.
        let index = usize::from(alias.get() - 1);
        if self.topics.len() <= index {
            self.topics.resize(index + 1, AliasTarget::Unset);
        }
        self.topics.get_mut(index).ok_or(UNSET)
    }
}

const UNSET: Violation = protocol_error(
    PacketType::Publish,
    "a topic alias that stands for nothing",
    "U-3.3.4-1",
);
