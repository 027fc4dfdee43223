//! `MessageCounters`: messages that this run sent, and those that came back.

use std::collections::BTreeSet;

/// Counters of this run's messages. Messages of other clients on the same topic, and repeated ones,
/// don't count.
#[derive(Debug)]
pub(crate) struct MessageCounters {
    topic: String,
    message: String,
    sent: u64,
    acknowledged: u64,
    received: u64,
    /// Numbers of sent messages that haven't come back.
    missing: BTreeSet<u64>,
}

impl MessageCounters {
    pub(crate) fn new(topic: &str, message: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            message: message.to_owned(),
            sent: 0,
            acknowledged: 0,
            received: 0,
            missing: BTreeSet::new(),
        }
    }

    /// Payload of the next message, which counts as sent from now on.
    pub(crate) fn next_payload(&mut self) -> String {
        self.sent += 1;
        self.missing.insert(self.sent);
        format!("{} [{}]", self.message, self.sent)
    }

    pub(crate) fn acknowledge(&mut self) {
        self.acknowledged += 1;
    }

    /// Counts a message; true if it is one of this run that had not come back before.
    pub(crate) fn receive(&mut self, topic: &str, payload: &[u8]) -> bool {
        let is_new = topic == self.topic
            && self
                .number(payload)
                .is_some_and(|n| self.missing.remove(&n));
        self.received += u64::from(is_new);
        is_new
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// True if all sent messages have come back.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Number `n` of the payload `{message} [{n}]`; `None` for a payload that this run doesn't write,
    /// such as one with leading zeros.
    fn number(&self, payload: &[u8]) -> Option<u64> {
        let digits = payload
            .strip_prefix(self.message.as_bytes())?
            .strip_prefix(b" [")?
            .strip_suffix(b"]")?;
        let n: u64 = str::from_utf8(digits).ok()?.parse().ok()?;
        // A sign or leading zeros mean that somebody else has written the number.
        (n.to_string().as_bytes() == digits).then_some(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_run_sent_counts_and_only_once() {
        let mut counters = MessageCounters::new("t", "hi [1]");
        assert_eq!(counters.next_payload(), "hi [1] [1]");
        for (topic, payload) in [
            ("other", &b"hi [1] [1]"[..]),
            ("t", b"hi [1] [2]"),
            ("t", b"hi [1] [01]"),
            ("t", b"hi [1] [+1]"),
            ("t", b"hi [1]"),
            ("t", b"\xff"),
        ] {
            counters.receive(topic, payload);
        }
        assert!(!counters.is_complete());
        counters.receive("t", b"hi [1] [1]");
        counters.receive("t", b"hi [1] [1]");
        assert_eq!(
            (counters.sent(), counters.received(), counters.is_complete()),
            (1, 1, true)
        );
    }
}
