//! Topic aliases that the server sets on one connection (§3.3.2.3.4).

use std::sync::Arc;

use dunlin_codec::{DecodeError, PacketType, ReasonCode, TopicAlias, TopicName};

use crate::engine::link::conduct;
use crate::error::Violation;

/// What each alias stands for: one topic of 64 KiB at most for every alias that this client said it
/// takes.
#[derive(Debug)]
pub(in crate::engine) struct InboundAliases {
    maximum: u16,
    topics: Vec<Topic>,
}

/// What the server set an alias to.
#[derive(Debug, Clone, Default)]
enum Topic {
    #[default]
    Unset,
    Name(Arc<str>),
    /// Something that is no topic name: what comes under the alias alone is refused like the
    /// message that set it.
    Refused(Box<DecodeError>),
}

/// Why an alias stands for no topic.
#[derive(Debug)]
pub(in crate::engine) enum AliasFault {
    /// The server broke the rules of the connection.
    Violation(Violation),
    /// It was set with a message that was refused, to something that is no topic name.
    Refused(DecodeError),
}

impl AliasFault {
    /// The violation, if it is one: what was refused before is refused again.
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

    /// Takes note of a PUBLISH that has both, or finds the topic of one that has the alias alone:
    /// that is returned.
    pub(in crate::engine) fn resolve(
        &mut self,
        alias: TopicAlias,
        topic: Option<TopicName<'_>>,
    ) -> Result<Option<Arc<str>>, AliasFault> {
        let slot = self.slot(alias).map_err(AliasFault::Violation)?;
        let Some(topic) = topic else {
            return match slot {
                Topic::Unset => Err(AliasFault::Violation(UNSET)),
                Topic::Name(topic) => Ok(Some(Arc::clone(topic))),
                Topic::Refused(error) => Err(AliasFault::Refused(**error)),
            };
        };
        *slot = Topic::Name(topic.as_str().into());
        Ok(None)
    }

    /// Takes note of a PUBLISH that has both, where the topic isn't one.
    pub(in crate::engine) fn refuse(
        &mut self,
        alias: TopicAlias,
        error: DecodeError,
    ) -> Result<(), Violation> {
        *self.slot(alias)? = Topic::Refused(Box::new(error));
        Ok(())
    }

    /// What an alias stands for, if it is one that this client takes.
    fn slot(&mut self, alias: TopicAlias) -> Result<&mut Topic, Violation> {
        // [MQTT-3.1.2-26] [MQTT-3.1.2-27]
        if alias.get() > self.maximum {
            return Err(Violation::Conduct {
                packet_type: PacketType::Publish,
                fault: "a topic alias above this client's maximum",
                statement: if self.maximum == 0 {
                    "MQTT-3.1.2-27"
                } else {
                    "MQTT-3.1.2-26"
                },
                reason_code: ReasonCode::TopicAliasInvalid,
            });
        }
        let place = usize::from(alias.get() - 1);
        if self.topics.len() <= place {
            self.topics.resize(place + 1, Topic::Unset);
        }
        self.topics.get_mut(place).ok_or(UNSET)
    }
}

const UNSET: Violation = conduct(
    PacketType::Publish,
    "a topic alias that stands for nothing",
    "U-3.3.4-1",
);
