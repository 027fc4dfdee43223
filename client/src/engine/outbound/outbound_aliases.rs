//! Topic aliases of messages to send (§3.3.2.3.4): which alias stands for which topic on one
//! connection. [MQTT-3.3.2-7]

use std::collections::HashMap;
use std::sync::Arc;

use dunlin_codec::{Publish, TopicAlias, TopicName};

use crate::error::RequestError;
use crate::event::ServerLimits;
use crate::policy::OutboundAliases;

/// Aliases of one connection; they end with it.
#[derive(Debug)]
pub(in crate::engine) enum OutboundAliasTable {
    None,
    /// The application chooses, up to the server's maximum.
    Manual(Box<Manual>),
    /// The engine chooses.
    Lru(Box<Lru>),
}

#[derive(Debug)]
pub(in crate::engine) struct Manual {
    bound: HashMap<TopicAlias, Box<[u8]>>,
    maximum: u16,
}

/// A topic whose alias is bound once the message is in the output.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Aliased<'a> {
    topic: TopicName<'a>,
    alias: TopicAlias,
}

/// Topics that were used last, each with its alias. A new topic takes the alias of the one that was
/// used least recently.
#[derive(Debug)]
pub(in crate::engine) struct Lru {
    maximum: u16,
    /// Indexed by alias - 1; linked to a ring in the order of use.
    entries: Vec<LruEntry>,
    by_topic: HashMap<Arc<[u8]>, u16>,
    /// Alias that was used last; its `newer` is the one that was used least recently.
    newest: u16,
}

#[derive(Debug)]
struct LruEntry {
    topic: Arc<[u8]>,
    newer: u16,
    older: u16,
}

impl OutboundAliasTable {
    /// Table of at most as many aliases as the policy asks for and the server takes.
    /// [MQTT-3.2.2-17] [MQTT-3.2.2-18]
    pub(in crate::engine) fn new(policy: OutboundAliases, server_maximum: u16) -> Self {
        match policy {
            OutboundAliases::None => Self::None,
            OutboundAliases::Manual => Self::Manual(Box::new(Manual {
                bound: HashMap::new(),
                maximum: server_maximum,
            })),
            OutboundAliases::Lru { maximum } => match maximum.min(server_maximum) {
                0 => Self::None,
                maximum => Self::Lru(Box::new(Lru::new(maximum))),
            },
        }
    }

    /// Returns `true` if the engine gives messages aliases that the application did not ask for.
    pub(in crate::engine) const fn chooses_by_itself(&self) -> bool {
        matches!(self, Self::Lru(_))
    }

    /// The message as it is sent with an alias: instead of its topic if the server knows the alias.
    /// `None` if aliases are not used, so that the message is sent as it is.
    ///
    /// An alias that the server takes no longer is left out, and so is one that makes the message
    /// too large. [MQTT-3.2.2-15]
    #[inline]
    pub(in crate::engine) fn apply<'a>(
        &self,
        publish: &Publish<'a>,
        server: &ServerLimits,
    ) -> Option<(Publish<'a>, Option<Aliased<'a>>)> {
        match self {
            // The application's own aliases were refused.
            Self::None => None,
            Self::Manual(_) | Self::Lru(_) => Some(self.apply_alias(*publish, server)),
        }
    }

    fn apply_alias<'a>(
        &self,
        mut publish: Publish<'a>,
        server: &ServerLimits,
    ) -> (Publish<'a>, Option<Aliased<'a>>) {
        let requested = publish.properties.topic_alias.take();
        let without_alias = publish;
        let Some(topic) = publish.topic else {
            return (without_alias, None);
        };
        let Some((alias, is_known)) = self.choose(topic.as_bytes(), requested) else {
            return (without_alias, None);
        };
        // A known alias replaces the topic; a new one goes along with it.
        publish.properties.topic_alias = Some(alias);
        if is_known {
            publish.topic = None;
        }
        // The property is longer than the shortest topics.
        let maximum = server.maximum_packet_size as usize;
        if publish.encoded_len().is_ok_and(|size| size > maximum) {
            return (without_alias, None);
        }
        (publish, Some(Aliased { topic, alias }))
    }

    /// Binds the alias of a message that is in the output.
    pub(in crate::engine) fn bind(&mut self, aliased: Aliased<'_>) {
        let Aliased { topic, alias } = aliased;
        let topic = topic.as_bytes();
        match self {
            Self::None => {}
            Self::Manual(manual) => {
                if !manual.is_bound(alias, topic) {
                    manual.bound.insert(alias, topic.into());
                }
            }
            Self::Lru(lru) => lru.bind(topic, alias),
        }
    }

    /// Alias for `topic`, and whether the server knows it.
    fn choose(&self, topic: &[u8], requested: Option<TopicAlias>) -> Option<(TopicAlias, bool)> {
        match self {
            Self::None => None,
            Self::Manual(manual) => {
                let alias = requested.filter(|alias| alias.get() <= manual.maximum)?;
                Some((alias, manual.is_bound(alias, topic)))
            }
            Self::Lru(lru) => lru.choose(topic),
        }
    }
}

impl Manual {
    fn is_bound(&self, alias: TopicAlias, topic: &[u8]) -> bool {
        self.bound
            .get(&alias)
            .is_some_and(|bound| **bound == *topic)
    }
}

impl OutboundAliases {
    /// Checks the application's own alias against what the server takes. [MQTT-3.3.2-9]
    pub(in crate::engine) fn check(
        self,
        alias: Option<TopicAlias>,
        server_maximum: u16,
    ) -> Result<(), RequestError> {
        let limit = if self == Self::Manual {
            server_maximum
        } else {
            0
        };
        match alias {
            Some(alias) if alias.get() > limit => Err(RequestError::TopicAlias {
                alias: alias.get(),
                limit,
            }),
            _ => Ok(()),
        }
    }
}

impl Lru {
    fn new(maximum: u16) -> Self {
        Self {
            maximum,
            entries: Vec::new(),
            by_topic: HashMap::new(),
            newest: 0,
        }
    }

    /// Alias of a known topic, the next free one, or the one that was used least recently.
    fn choose(&self, topic: &[u8]) -> Option<(TopicAlias, bool)> {
        let (alias, is_known) = match self.by_topic.get(topic) {
            Some(alias) => (*alias, true),
            None if self.entries.len() < usize::from(self.maximum) => {
                (u16::try_from(self.entries.len() + 1).ok()?, false)
            }
            None => (self.entry(self.newest)?.newer, false),
        };
        Some((TopicAlias::new(alias)?, is_known))
    }

    /// Makes an alias stand for a topic, and the one that was used last.
    fn bind(&mut self, topic: &[u8], alias: TopicAlias) {
        let alias = alias.get();
        if self.entry(alias).is_none() {
            let topic: Arc<[u8]> = topic.into();
            self.by_topic.insert(Arc::clone(&topic), alias);
            self.entries.push(LruEntry {
                topic,
                newer: alias,
                older: alias,
            });
        } else {
            let changed = self.entry_mut(alias).filter(|entry| *entry.topic != *topic);
            if let Some(entry) = changed {
                let topic: Arc<[u8]> = topic.into();
                let former = std::mem::replace(&mut entry.topic, Arc::clone(&topic));
                self.by_topic.remove(&former);
                self.by_topic.insert(topic, alias);
            }
            if alias == self.newest {
                return;
            }
            self.unlink(alias);
        }
        self.link(alias);
        self.newest = alias;
    }

    /// Takes an entry out of the ring.
    fn unlink(&mut self, alias: u16) {
        let Some(&LruEntry { newer, older, .. }) = self.entry(alias) else {
            return;
        };
        if let Some(entry) = self.entry_mut(older) {
            entry.newer = newer;
        }
        if let Some(entry) = self.entry_mut(newer) {
            entry.older = older;
        }
    }

    /// Puts an entry into the ring, between the newest and the oldest.
    fn link(&mut self, alias: u16) {
        let newest = self.newest;
        let Some(oldest) = self.entry(newest).map(|entry| entry.newer) else {
            return;
        };
        for (entry, newer, older) in [(newest, Some(alias), None), (oldest, None, Some(alias))] {
            let Some(entry) = self.entry_mut(entry) else {
                return;
            };
            entry.newer = newer.unwrap_or(entry.newer);
            entry.older = older.unwrap_or(entry.older);
        }
        if let Some(entry) = self.entry_mut(alias) {
            (entry.newer, entry.older) = (oldest, newest);
        }
    }

    fn entry(&self, alias: u16) -> Option<&LruEntry> {
        self.entries.get(usize::from(alias).checked_sub(1)?)
    }

    fn entry_mut(&mut self, alias: u16) -> Option<&mut LruEntry> {
        self.entries.get_mut(usize::from(alias).checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Compares the ring with a list that is searched from end to end.
    #[test]
    fn the_least_recently_used_alias_is_replaced() {
        for maximum in [1_u16, 2, 3, 7] {
            let mut lru = Lru::new(maximum);
            let mut model: VecDeque<(Vec<u8>, u16)> = VecDeque::new();
            let mut random = fastrand::Rng::with_seed(maximum.into());
            for _ in 0..2_000 {
                let topic = vec![random.u8(0..10)];
                let index = model.iter().position(|(known, _)| *known == topic);
                let is_known = index.is_some();
                let alias = match index.and_then(|index| model.remove(index)) {
                    Some((_, alias)) => alias,
                    None if model.len() < maximum.into() => u16::try_from(model.len()).unwrap() + 1,
                    None => model.pop_front().unwrap().1,
                };
                model.push_back((topic.clone(), alias));

                assert_eq!(
                    lru.choose(&topic),
                    Some((TopicAlias::new(alias).unwrap(), is_known))
                );
                lru.bind(&topic, TopicAlias::new(alias).unwrap());
                assert_eq!(
                    (lru.entries.len(), lru.by_topic.len()),
                    (model.len(), model.len())
                );
            }
        }
    }
}
