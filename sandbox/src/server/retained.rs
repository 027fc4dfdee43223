//! Retained messages: the last one of each topic, within the limits of the sandbox.

use core::ops::Bound;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use dunlin_codec::{TopicFilter, TopicName};

use crate::profile::Rules;
use crate::server::limits::{MAX_RETAINED, MAX_RETAINED_BYTES};
use crate::server::message::Message;
use crate::server::request_refusal::RequestRefusal;
use crate::server::timestamp::Timestamp;
use crate::server::topics;

/// Retained messages by topic, in memory only.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    messages: BTreeMap<Box<str>, Entry>,
    bytes: usize,
}

/// Message with the time since which it is retained.
#[derive(Debug)]
struct Entry {
    message: Arc<Message>,
    since: Instant,
}

/// Retained message as the API of AWS tells it.
#[derive(Debug)]
pub(crate) struct RetainedMessage {
    pub(crate) message: Arc<Message>,
    last_modified: SystemTime,
}

impl RetainedMessage {
    /// Time since which it is retained, in milliseconds since 1970.
    pub(crate) fn last_modified_ms(&self) -> u64 {
        let since = self.last_modified.duration_since(UNIX_EPOCH);
        u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Retained {
    /// Message of a topic; `None` if there is none.
    pub(crate) fn get(&self, topic: &str, now: Timestamp) -> Option<RetainedMessage> {
        let entry = self.messages.get(topic)?;
        (!entry.message.has_expired(now.instant)).then(|| entry.told(now))
    }

    /// At most `most` messages in the order of their topics, beginning after the topic `after`; and
    /// `true` if there are more.
    pub(crate) fn after(
        &self,
        after: &str,
        most: usize,
        now: Timestamp,
    ) -> (Vec<RetainedMessage>, bool) {
        let range = (Bound::Excluded(after), Bound::Unbounded);
        let entries = self.messages.range::<str, _>(range).map(|(_, entry)| entry);
        let mut entries = entries.filter(|entry| !entry.message.has_expired(now.instant));
        let page = entries.by_ref().take(most).map(|entry| entry.told(now));
        (page.collect(), entries.next().is_some())
    }

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
        let replaced = self.messages.get(topic).map(|old| old.message.len());
        let bytes = self.bytes - replaced.unwrap_or(0) + message.len();
        if bytes > MAX_RETAINED_BYTES || (replaced.is_none() && self.messages.len() >= MAX_RETAINED)
        {
            return Err(RequestRefusal::RetainedFull);
        }
        self.bytes = bytes;
        let entry = Entry {
            message: Arc::clone(message),
            since: now,
        };
        self.messages.insert(topic.into(), entry);
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
        let messages = self.messages.iter().filter(|(topic, entry)| {
            !entry.message.has_expired(now)
                && TopicName::new(topic).is_ok_and(|name| topics::matches(filter, &name, rules))
        });
        messages
            .map(|(_, entry)| Arc::clone(&entry.message))
            .collect()
    }

    fn remove(&mut self, topic: &str) {
        if let Some(old) = self.messages.remove(topic) {
            self.bytes -= old.message.len();
        }
    }

    fn remove_expired(&mut self, now: Instant) {
        let expired: Vec<Box<str>> = self
            .messages
            .iter()
            .filter(|(_, entry)| entry.message.has_expired(now))
            .map(|(topic, _)| topic.clone())
            .collect();
        for topic in expired {
            self.remove(&topic);
        }
    }
}

impl Entry {
    fn told(&self, now: Timestamp) -> RetainedMessage {
        let age = now.instant.saturating_duration_since(self.since);
        RetainedMessage {
            message: Arc::clone(&self.message),
            last_modified: now.calendar.checked_sub(age).unwrap_or(UNIX_EPOCH),
        }
    }
}
