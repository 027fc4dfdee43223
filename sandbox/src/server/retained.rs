//! Retained messages: the last one of each topic, within the limits of the sandbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{TopicFilter, TopicName};

use crate::profile::Rules;
use crate::server::limits::{MAX_RETAINED, MAX_RETAINED_BYTES};
use crate::server::message::Message;
use crate::server::request_refusal::RequestRefusal;
use crate::server::topics;

/// Retained messages by topic, in memory only.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    messages: BTreeMap<Box<str>, Arc<Message>>,
    bytes: usize,
}

impl Retained {
    /// Retains a message in place of the last one of its topic; a message without a payload removes
    /// that. [MQTT-3.3.1-6]
    ///
    /// # Errors
    /// [`RequestRefusal::RetainedFull`] beyond the limits of the sandbox.
    pub(crate) fn keep(
        &mut self,
        topic: &str,
        message: &Arc<Message>,
        now: Instant,
    ) -> Result<(), RequestRefusal> {
        // An empty payload deletes, and is never stored itself. [MQTT-3.3.1-7]
        if message
            .publish()
            .is_none_or(|publish| publish.payload.is_empty())
        {
            self.remove(topic);
            return Ok(());
        }
        // Expired messages make space before a new one is refused.
        self.remove_expired(now);
        // The message of the same topic goes, so its bytes don't count.
        let replaced = self.messages.get(topic).map(|old| old.len());
        let bytes = self.bytes - replaced.unwrap_or(0) + message.len();
        if bytes > MAX_RETAINED_BYTES || (replaced.is_none() && self.messages.len() >= MAX_RETAINED)
        {
            return Err(RequestRefusal::RetainedFull);
        }
        self.bytes = bytes;
        self.messages.insert(topic.into(), Arc::clone(message));
        Ok(())
    }

    /// Messages whose topics match a filter, without those that have expired.
    pub(crate) fn matching(
        &self,
        filter: TopicFilter<'_>,
        rules: &Rules,
        now: Instant,
    ) -> Vec<Arc<Message>> {
        // All topics are compared with the filter: there are at most 1,000.
        let messages = self.messages.iter().filter(|(topic, message)| {
            !message.has_expired(now)
                && TopicName::new(topic).is_ok_and(|name| topics::matches(filter, &name, rules))
        });
        messages.map(|(_, message)| Arc::clone(message)).collect()
    }

    fn remove(&mut self, topic: &str) {
        if let Some(old) = self.messages.remove(topic) {
            self.bytes -= old.len();
        }
    }

    fn remove_expired(&mut self, now: Instant) {
        let expired: Vec<Box<str>> = self
            .messages
            .iter()
            .filter(|(_, message)| message.has_expired(now))
            .map(|(topic, _)| topic.clone())
            .collect();
        for topic in expired {
            self.remove(&topic);
        }
    }
}
