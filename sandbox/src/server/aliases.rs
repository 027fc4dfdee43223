//! Topic aliases of one connection, in both directions. [MQTT-3.3.2-7]

use dunlin_codec::{Publish, TopicAlias, TopicName};

use crate::server::close_reason::CloseReason;
use crate::server::limit::Limit;

/// Topics of the aliases that the client has set.
#[derive(Debug)]
pub(crate) struct ClientAliases {
    topics: Vec<Option<Box<str>>>,
    most: u16,
}

/// Topics of the aliases that the server has set.
#[derive(Debug)]
pub(crate) struct ServerAliases {
    topics: Vec<Box<str>>,
    most: usize,
    /// Index of the alias that gets another topic when all are in use.
    oldest: usize,
}

impl ClientAliases {
    pub(crate) const fn new(most: u16) -> Self {
        Self {
            topics: Vec::new(),
            most,
        }
    }

    /// Topic of a PUBLISH, by name or by alias; a name with an alias sets the alias. Every alias up to
    /// the maximum is accepted. [MQTT-3.3.2-12]
    ///
    /// # Errors
    /// The end of the connection for an alias above the maximum, or one that isn't set.
    pub(crate) fn topic<'a>(
        &'a mut self,
        publish: &Publish<'a>,
    ) -> Result<TopicName<'a>, CloseReason> {
        let alias = publish.properties.topic_alias.map(TopicAlias::get);
        match (publish.topic, alias) {
            // [MQTT-3.3.2-9]
            (_, Some(alias)) if alias > self.most => Err(Limit::TopicAlias {
                has: alias,
                most: self.most,
            }
            .into()),
            (Some(topic), None) => Ok(topic),
            (Some(topic), Some(alias)) => {
                // The name sets the alias, or replaces its topic.
                let index = usize::from(alias) - 1;
                if self.topics.len() <= index {
                    self.topics.resize(index + 1, None);
                }
                if let Some(kept) = self.topics.get_mut(index) {
                    *kept = Some(topic.as_str().into());
                }
                Ok(topic)
            }
            (None, alias) => {
                // No name: the alias must have been set on this connection.
                let kept =
                    alias.and_then(|alias| self.topics.get(usize::from(alias) - 1)?.as_deref());
                let topic = kept.and_then(|topic| TopicName::new(topic).ok());
                topic.ok_or(CloseReason::ProtocolError(
                    "a topic alias that stands for nothing",
                ))
            }
        }
    }
}

impl ServerAliases {
    /// Aliases up to the maximum that both the profile and the CONNECT allow. [MQTT-3.1.2-26]
    /// [MQTT-3.1.2-27]
    pub(crate) fn new(most: u16) -> Self {
        Self {
            topics: Vec::new(),
            most: most.into(),
            oldest: 0,
        }
    }

    /// Puts an alias into a PUBLISH: in place of the topic if the client knows the alias, else beside
    /// it.
    pub(crate) fn shorten(&self, publish: &mut Publish<'_>) {
        let Some(topic) = publish.topic else { return };
        // At most the Topic Alias Maximum, which profiles limit to 32: a search is fast enough.
        let known = self
            .topics
            .iter()
            .position(|known| **known == *topic.as_str());
        let index = known.unwrap_or_else(|| self.next());
        // Aliases begin at 1. [MQTT-3.3.2-8]
        publish.properties.topic_alias = u16::try_from(index + 1)
            .ok()
            .filter(|_| self.most > 0)
            .and_then(TopicAlias::new);
        // The client has the topic, so it is sent empty.
        if known.is_some() {
            publish.topic = None;
        }
    }

    /// Notes that a PUBLISH was sent, so that the client knows its alias.
    pub(crate) fn sent(&mut self, publish: &Publish<'_>) {
        // Without a topic the alias was known; without an alias none was set.
        let (Some(topic), Some(_)) = (publish.topic, publish.properties.topic_alias) else {
            return;
        };
        let index = self.next();
        match self.topics.get_mut(index) {
            Some(other) => *other = topic.as_str().into(),
            None => self.topics.push(topic.as_str().into()),
        }
        // The aliases are replaced in a circle.
        self.oldest = (index + 1) % self.most.max(1);
    }

    /// Index of an unused alias, or else of the oldest.
    const fn next(&self) -> usize {
        if self.topics.len() < self.most {
            self.topics.len()
        } else {
            self.oldest
        }
    }
}
