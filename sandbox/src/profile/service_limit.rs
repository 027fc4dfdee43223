//! `ServiceLimit`: the limits of AWS IoT Core as a table, made from the rules that the sandbox
//! enforces.

use core::ops::RangeInclusive;
use std::time::Duration;

use super::{Profile, Rules};

/// Limit of AWS IoT Core that the sandbox enforces.
///
/// ```
/// use dunlin_sandbox::ServiceLimit;
///
/// let limits = ServiceLimit::all();
/// let keep_alive = limits.iter().find(|limit| limit.name == "keep-alive").expect("a limit of AWS IoT Core");
/// assert_eq!((keep_alive.minimum, keep_alive.maximum, keep_alive.unit), (Some(30), 1200, "seconds"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceLimit {
    /// Name in lower case with hyphens, such as `receive-maximum`.
    pub name: &'static str,
    /// Minimum; `None` if only the maximum is limited.
    pub minimum: Option<u64>,
    /// Maximum.
    pub maximum: u64,
    /// Unit of both numbers; empty for a QoS.
    pub unit: &'static str,
    /// Value that is limited.
    pub about: &'static str,
    /// Answer of the sandbox beyond the limit: AWS documents few of them.
    pub beyond: &'static str,
}

impl ServiceLimit {
    /// All limits of AWS IoT Core, in the order of a connection: CONNECT, topics and subscriptions,
    /// messages, rates.
    #[must_use]
    pub fn all() -> Vec<Self> {
        // All fields are named, so that a new rule is a row here or is left out on purpose.
        let Rules {
            maximum_qos,
            maximum_packet_size,
            max_payload,
            receive_maximum,
            topic_alias_maximum,
            keep_alive,
            keep_alive_of_zero: _,
            max_session_expiry,
            message_expiry,
            max_client_id,
            reserves_dollar_ids: _,
            max_topic,
            max_slashes,
            max_share_name,
            max_subscriptions_per_request,
            max_filters_per_unsubscribe: _,
            max_subscriptions,
            max_messages_per_second,
            max_bytes_per_second,
            max_stored_per_second,
            connect_interval,
            redelivery_limit,
            matches_parent_level: _,
            retained_for_wildcards: _,
            subscription_identifiers: _,
            will_delay: _,
            marks_duplicates: _,
            tells_no_subscription: _,
            reserves_dollar_topics: _,
            when_queue_full: _,
            close_frame_is_disconnect: _,
        } = Profile::Aws.rules();
        let seconds = |time: &Option<Duration>| time.map(|time| time.as_secs());
        let bytes = |size: &Option<usize>| size.map(|size| size as u64);
        let rate = |rate: &Option<u32>| rate.map(u64::from);
        let rows = [
            row(
                "client-id",
                bytes(max_client_id),
                "bytes",
                "Client Identifier",
                "CONNACK 0x85",
            ),
            between(
                "keep-alive",
                keep_alive,
                "seconds",
                "Keep Alive of CONNECT; 0 counts as the maximum",
                "the nearest allowed value is used, and sent as Server Keep Alive",
            ),
            row(
                "session-expiry",
                Some(u64::from(*max_session_expiry)),
                "seconds",
                "Session Expiry Interval; can be raised for an account",
                "the maximum is used, and sent in CONNACK",
            ),
            row(
                "connect-interval",
                seconds(connect_interval),
                "second",
                "time between two CONNECTs with one Client Identifier",
                "CONNACK 0x97",
            ),
            row(
                "packet-size",
                Some(u64::from(*maximum_packet_size)),
                "bytes",
                "Maximum Packet Size in CONNACK",
                "DISCONNECT 0x95",
            ),
            row(
                "receive-maximum",
                Some(u64::from(*receive_maximum)),
                "messages",
                "unacknowledged messages of QoS 1, in each direction (Receive Maximum)",
                "DISCONNECT 0x93",
            ),
            row(
                "topic-aliases",
                Some(u64::from(*topic_alias_maximum)),
                "aliases",
                "Topic Alias Maximum, in each direction",
                "DISCONNECT 0x94",
            ),
            row(
                "qos",
                Some(u64::from(maximum_qos.level())),
                "",
                "Maximum QoS of messages and subscriptions",
                "DISCONNECT 0x9B for a message; a SUBSCRIBE of QoS 2 has no answer",
            ),
            row(
                "topic",
                bytes(max_topic),
                "bytes",
                "topic name or filter",
                "0x90 or 0x8F",
            ),
            row(
                "slashes",
                bytes(max_slashes),
                "slashes",
                "slashes of a topic name or filter",
                "0x90 or 0x8F",
            ),
            row(
                "share-name",
                bytes(max_share_name),
                "bytes",
                "share name of $share/NAME/..",
                "0x8F",
            ),
            row(
                "filters",
                bytes(max_subscriptions_per_request),
                "filters",
                "filters of one SUBSCRIBE",
                "SUBACK 0x97",
            ),
            row(
                "subscriptions",
                Some(*max_subscriptions as u64),
                "subscriptions",
                "subscriptions of one connection",
                "SUBACK 0x97",
            ),
            row(
                "payload",
                bytes(max_payload),
                "bytes",
                "payload of a message",
                "0x97",
            ),
            between(
                "message-expiry",
                message_expiry,
                "seconds",
                "Message Expiry Interval",
                "the nearest allowed value is used",
            ),
            row(
                "messages",
                rate(max_messages_per_second),
                "messages a second",
                "PUBLISH packets of a connection, in and out together",
                "further messages are discarded",
            ),
            row(
                "throughput",
                rate(max_bytes_per_second),
                "bytes a second",
                "bytes of a connection, in and out together",
                "further packets are delayed",
            ),
            row(
                "stored-messages",
                rate(max_stored_per_second),
                "messages a second",
                "messages that waited for their client to come back",
                "the rest comes later",
            ),
            row(
                "redelivery",
                seconds(redelivery_limit),
                "seconds",
                "time in which an unacknowledged message is sent again",
                "the message is dropped",
            ),
        ];
        rows.into_iter().flatten().collect()
    }
}

/// Row of a maximum; `None` if the rules have none.
fn row(
    name: &'static str,
    maximum: Option<u64>,
    unit: &'static str,
    about: &'static str,
    beyond: &'static str,
) -> Option<ServiceLimit> {
    Some(ServiceLimit {
        name,
        minimum: None,
        maximum: maximum?,
        unit,
        about,
        beyond,
    })
}

/// Row of a range.
fn between<T: Copy + Into<u64>>(
    name: &'static str,
    range: &RangeInclusive<T>,
    unit: &'static str,
    about: &'static str,
    beyond: &'static str,
) -> Option<ServiceLimit> {
    let limit = row(name, Some((*range.end()).into()), unit, about, beyond)?;
    Some(ServiceLimit {
        minimum: Some((*range.start()).into()),
        ..limit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_have_a_unit_and_words() {
        let limits = ServiceLimit::all();
        assert_eq!(limits.len(), 19, "every rule of AWS has a value");
        for (index, limit) in limits.iter().enumerate() {
            let is_repeated = limits
                .iter()
                .skip(index + 1)
                .any(|other| other.name == limit.name);
            assert!(!is_repeated, "{}", limit.name);
            assert!(!limit.about.is_empty() && !limit.beyond.is_empty());
            assert!(limit.minimum.is_none_or(|minimum| minimum < limit.maximum));
        }
    }
}
