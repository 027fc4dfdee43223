//! Topic aliases of messages that leave (§3.3.2.3.4): what stands for which topic on one
//! connection. [MQTT-3.3.2-7]

use std::collections::HashMap;
use std::sync::Arc;

use dunlin_codec::{Publish, TopicAlias, TopicName};

use crate::engine::open::Connection;
use crate::error::RequestError;
use crate::policy::OutboundAliases;

/// The aliases of one connection. They die with it.
#[derive(Debug)]
pub(in crate::engine) enum Aliases {
    None,
    /// The application chooses; up to the server's maximum.
    Manual(Box<Manual>),
    /// The engine does.
    Lru(Box<Lru>),
}

#[derive(Debug)]
pub(in crate::engine) struct Manual {
    bound: HashMap<TopicAlias, Box<[u8]>>,
    maximum: u16,
}

/// A message whose topic has an alias: it is bound when the message is in the output.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Aliased<'a> {
    topic: TopicName<'a>,
    alias: TopicAlias,
}

/// The topics that were used last, each with its alias: the least recently used one gives its alias
/// up.
#[derive(Debug)]
pub(in crate::engine) struct Lru {
    maximum: u16,
    /// By alias, from 1; a ring in the order of use.
    places: Vec<Place>,
    by_topic: HashMap<Arc<[u8]>, u16>,
    newest: u16,
}

#[derive(Debug)]
struct Place {
    topic: Arc<[u8]>,
    newer: u16,
    older: u16,
}

impl Aliases {
    /// As many as the policy wants, and the server takes. [MQTT-3.2.2-17] [MQTT-3.2.2-18]
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

    /// Whether messages get aliases that nobody asked for.
    pub(in crate::engine) const fn choose_by_themselves(&self) -> bool {
        matches!(self, Self::Lru(_))
    }

    /// The alias for `topic`, and whether the server knows it.
    fn choose(&self, topic: &[u8], wished: Option<TopicAlias>) -> Option<(TopicAlias, bool)> {
        match self {
            Self::None => None,
            Self::Manual(manual) => {
                let alias = wished.filter(|alias| alias.get() <= manual.maximum)?;
                Some((alias, manual.is_bound(alias, topic)))
            }
            Self::Lru(lru) => lru.choose(topic),
        }
    }

    fn bind(&mut self, topic: &[u8], alias: TopicAlias) {
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
}

impl Manual {
    fn is_bound(&self, alias: TopicAlias, topic: &[u8]) -> bool {
        self.bound
            .get(&alias)
            .is_some_and(|bound| **bound == *topic)
    }
}

impl OutboundAliases {
    /// Whether an application's own alias can be used, where the server takes `server_maximum`.
    /// [MQTT-3.3.2-9]
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

impl Connection {
    /// Puts an alias into a message, in the place of its topic if the server knows it. An alias
    /// that the server takes no longer is left out, and so is one that makes the message too
    /// large. [MQTT-3.2.2-15]
    pub(in crate::engine) fn shorten<'a>(&self, publish: &mut Publish<'a>) -> Option<Aliased<'a>> {
        let wished = publish.properties.topic_alias.take();
        let topic = publish.topic?;
        let (alias, known) = self.outbound_aliases.choose(topic.as_bytes(), wished)?;
        let plain = *publish;
        publish.properties.topic_alias = Some(alias);
        if known {
            publish.topic = None;
        }
        // The property is longer than the shortest topics.
        if publish
            .encoded_len()
            .is_ok_and(|size| self.check_size(size).is_err())
        {
            *publish = plain;
            return None;
        }
        Some(Aliased { topic, alias })
    }

    /// The message is in the output.
    pub(in crate::engine) fn bind(&mut self, aliased: Option<Aliased<'_>>) {
        if let Some(Aliased { topic, alias }) = aliased {
            self.outbound_aliases.bind(topic.as_bytes(), alias);
        }
    }
}

impl Lru {
    fn new(maximum: u16) -> Self {
        Self {
            maximum,
            places: Vec::new(),
            by_topic: HashMap::new(),
            newest: 0,
        }
    }

    fn choose(&self, topic: &[u8]) -> Option<(TopicAlias, bool)> {
        let (alias, known) = match self.by_topic.get(topic) {
            Some(alias) => (*alias, true),
            None if self.places.len() < usize::from(self.maximum) => {
                (u16::try_from(self.places.len() + 1).ok()?, false)
            }
            None => (self.place(self.newest)?.newer, false),
        };
        Some((TopicAlias::new(alias)?, known))
    }

    fn bind(&mut self, topic: &[u8], alias: TopicAlias) {
        let alias = alias.get();
        if self.place(alias).is_none() {
            let topic: Arc<[u8]> = topic.into();
            self.by_topic.insert(Arc::clone(&topic), alias);
            self.places.push(Place {
                topic,
                newer: alias,
                older: alias,
            });
        } else {
            let changed = self.place_mut(alias).filter(|place| *place.topic != *topic);
            if let Some(place) = changed {
                let topic: Arc<[u8]> = topic.into();
                let former = std::mem::replace(&mut place.topic, Arc::clone(&topic));
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

    /// Takes a place out of the ring.
    fn unlink(&mut self, alias: u16) {
        let Some(&Place { newer, older, .. }) = self.place(alias) else {
            return;
        };
        if let Some(place) = self.place_mut(older) {
            place.newer = newer;
        }
        if let Some(place) = self.place_mut(newer) {
            place.older = older;
        }
    }

    /// Puts a place into the ring, between the newest and the oldest.
    fn link(&mut self, alias: u16) {
        let newest = self.newest;
        let Some(oldest) = self.place(newest).map(|place| place.newer) else {
            return;
        };
        for (place, newer, older) in [(newest, Some(alias), None), (oldest, None, Some(alias))] {
            let Some(place) = self.place_mut(place) else {
                return;
            };
            place.newer = newer.unwrap_or(place.newer);
            place.older = older.unwrap_or(place.older);
        }
        if let Some(place) = self.place_mut(alias) {
            (place.newer, place.older) = (oldest, newest);
        }
    }

    fn place(&self, alias: u16) -> Option<&Place> {
        self.places.get(usize::from(alias).checked_sub(1)?)
    }

    fn place_mut(&mut self, alias: u16) -> Option<&mut Place> {
        self.places.get_mut(usize::from(alias).checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A list that is searched from end to end does the same.
    #[test]
    fn the_ring_gives_up_the_alias_that_was_used_longest_ago() {
        for maximum in [1_u16, 2, 3, 7] {
            let mut lru = Lru::new(maximum);
            let mut model: VecDeque<(Vec<u8>, u16)> = VecDeque::new();
            let mut random = fastrand::Rng::with_seed(maximum.into());
            for _ in 0..2_000 {
                let topic = vec![random.u8(0..10)];
                let place = model.iter().position(|(known, _)| *known == topic);
                let known = place.is_some();
                let alias = match place.and_then(|place| model.remove(place)) {
                    Some((_, alias)) => alias,
                    None if model.len() < maximum.into() => u16::try_from(model.len()).unwrap() + 1,
                    None => model.pop_front().unwrap().1,
                };
                model.push_back((topic.clone(), alias));

                assert_eq!(
                    lru.choose(&topic),
                    Some((TopicAlias::new(alias).unwrap(), known))
                );
                lru.bind(&topic, TopicAlias::new(alias).unwrap());
                assert_eq!(
                    (lru.places.len(), lru.by_topic.len()),
                    (model.len(), model.len())
                );
            }
        }
    }
}
