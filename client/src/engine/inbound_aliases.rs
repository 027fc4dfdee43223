//! Topic aliases that the server sets on one connection (§3.3.2.3.4).

use std::sync::Arc;

use dunlin_codec::{PacketType, ReasonCode, TopicAlias, TopicName};

use super::link::conduct;
use crate::error::Violation;

/// What each alias stands for: one topic of 64 KiB at most for every alias that this client said it takes.
#[derive(Debug)]
pub(super) struct InboundAliases {
    maximum: u16,
    topics: Vec<Option<Arc<str>>>,
}

impl InboundAliases {
    /// None is set yet: they don't outlive their connection. [MQTT-3.3.2-7]
    pub(super) const fn new(maximum: u16) -> Self {
        Self { maximum, topics: Vec::new() }
    }

    /// Takes note of a PUBLISH that has both, or finds the topic of one that has the alias alone: that is returned.
    pub(super) fn resolve(
        &mut self,
        alias: TopicAlias,
        topic: Option<TopicName<'_>>,
    ) -> Result<Option<Arc<str>>, Violation> {
        // [MQTT-3.1.2-26] [MQTT-3.1.2-27]
        if alias.get() > self.maximum {
            return Err(Violation::Conduct {
                packet_type: PacketType::Publish,
                fault: "a topic alias above this client's maximum",
                statement: if self.maximum == 0 { "MQTT-3.1.2-27" } else { "MQTT-3.1.2-26" },
                reason_code: ReasonCode::TopicAliasInvalid,
            });
        }
        let place = usize::from(alias.get() - 1);
        let Some(topic) = topic else {
            let unset = || conduct(PacketType::Publish, "a topic alias that stands for nothing", "U-3.3.4-1");
            return self.topics.get(place).cloned().flatten().ok_or_else(unset).map(Some);
        };
        if self.topics.len() <= place {
            self.topics.resize(place + 1, None);
        }
        if let Some(slot) = self.topics.get_mut(place) {
            *slot = Some(topic.as_str().into());
        }
        Ok(None)
    }
}
