//! Topic aliases of one connection, each way. They end with it. [MQTT-3.3.2-7]

use dunlin_codec::{Publish, ReasonCode, TopicAlias, TopicName};

use crate::server::close_reason::CloseReason;
use crate::server::limit::Limit;

/// What the client's aliases stand for.
#[derive(Debug)]
pub(crate) struct ClientAliases {
    topics: Vec<Option<Box<str>>>,
    most: u16,
}

/// The aliases that the server uses towards the client.
#[derive(Debug)]
pub(crate) struct ServerAliases {
    topics: Vec<Box<str>>,
    most: usize,
    /// The one that is given to another topic when all are in use.
    oldest: usize,
}

impl ClientAliases {
    pub(crate) const fn new(most: u16) -> Self {
        Self {
            topics: Vec::new(),
            most,
        }
    }

    /// The topic that is meant, kept where it comes with an alias. Every alias up to the maximum is
    /// taken. [MQTT-3.3.2-12]
    pub(crate) fn topic<'a>(
        &'a mut self,
        publish: &Publish<'a>,
    ) -> Result<TopicName<'a>, CloseReason> {
        let alias = publish.properties.topic_alias.map(TopicAlias::get);
        match (publish.topic, alias) {
            (_, Some(alias)) if alias > self.most => Err(Limit::TopicAlias {
                has: alias,
                most: self.most,
            }
            .into()),
            (Some(topic), None) => Ok(topic),
            (Some(topic), Some(alias)) => {
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
                let kept =
                    alias.and_then(|alias| self.topics.get(usize::from(alias) - 1)?.as_deref());
                let topic = kept.and_then(|topic| TopicName::new(topic).ok());
                topic.ok_or_else(|| {
                    CloseReason::with_code(
                        ReasonCode::ProtocolError,
                        "a topic alias that stands for nothing",
                    )
                })
            }
        }
    }
}

impl ServerAliases {
    /// As many as both the profile and the client's CONNECT allow. [MQTT-3.1.2-26] [MQTT-3.1.2-27]
    pub(crate) fn new(most: u16) -> Self {
        Self {
            topics: Vec::new(),
            most: most.into(),
            oldest: 0,
        }
    }

    /// Puts an alias into a PUBLISH: in the place of its topic where the client knows it already.
    pub(crate) fn shorten(&self, publish: &mut Publish<'_>) {
        let Some(topic) = publish.topic else { return };
        let known = self
            .topics
            .iter()
            .position(|known| **known == *topic.as_str());
        let index = known.unwrap_or_else(|| self.next());
        publish.properties.topic_alias = u16::try_from(index + 1)
            .ok()
            .filter(|_| self.most > 0)
            .and_then(TopicAlias::new);
        if known.is_some() {
            publish.topic = None;
        }
    }

    /// The PUBLISH is on its way: from now on the client knows its alias.
    pub(crate) fn sent(&mut self, publish: &Publish<'_>) {
        let (Some(topic), Some(_)) = (publish.topic, publish.properties.topic_alias) else {
            return;
        };
        let index = self.next();
        match self.topics.get_mut(index) {
            Some(other) => *other = topic.as_str().into(),
            None => self.topics.push(topic.as_str().into()),
        }
        self.oldest = (index + 1) % self.most.max(1);
    }

    /// One that isn't used yet, or the oldest.
    const fn next(&self) -> usize {
        if self.topics.len() < self.most {
            self.topics.len()
        } else {
            self.oldest
        }
    }
}
