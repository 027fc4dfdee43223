//! Profiles of the sandbox: one table of limits and differences for each.

mod service_limit;

use core::ops::RangeInclusive;
use std::time::Duration;

use dunlin_codec::QoS;

pub use service_limit::ServiceLimit;

use crate::overflow::WhenQueueFull;
use crate::setting::setting;

/// Server that the sandbox stands in for. Parses from `aws` and `mqtt5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// AWS IoT Core, with its limits and its differences from the standard.
    #[default]
    Aws,
    /// All of MQTT 5. The sandbox's own limits hold: 1,000 subscriptions of a session and 1,000
    /// filters of a SUBSCRIBE or UNSUBSCRIBE, 1,000 messages or 4 MiB that wait for one client, 1,000 retained messages or 16 MiB of them,
    /// packets of 1 MiB, a Receive Maximum of 1,000.
    Mqtt5,
}

/// Limits and differences of a profile. `None` means no limit but that of the packet format.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) maximum_qos: QoS,
    /// Maximum bytes of a packet.
    pub(crate) maximum_packet_size: u32,
    /// Maximum bytes of a payload.
    pub(crate) max_payload: Option<usize>,
    /// Receive Maximum: unacknowledged messages of QoS 1 and 2, in each direction.
    pub(crate) receive_maximum: u16,
    /// Topic Alias Maximum, in each direction.
    pub(crate) topic_alias_maximum: u16,
    /// Keep alive in seconds; a value outside becomes the nearest inside.
    pub(crate) keep_alive: RangeInclusive<u16>,
    /// Keep alive in seconds in place of 0; 0 means none.
    pub(crate) keep_alive_of_zero: u16,
    /// Maximum Session Expiry Interval in seconds.
    pub(crate) max_session_expiry: u32,
    /// Message Expiry Interval in seconds; a value outside becomes the nearest inside.
    pub(crate) message_expiry: RangeInclusive<u32>,
    /// Maximum bytes of a client id.
    pub(crate) max_client_id: Option<usize>,
    /// Refuses client ids that begin with `$`.
    pub(crate) reserves_dollar_ids: bool,
    /// Maximum bytes of a topic name or filter.
    pub(crate) max_topic: Option<usize>,
    /// Maximum slashes of a topic name or filter.
    pub(crate) max_slashes: Option<usize>,
    /// Maximum bytes of a share name.
    pub(crate) max_share_name: Option<usize>,
    /// Maximum subscriptions of one SUBSCRIBE.
    pub(crate) max_subscriptions_per_request: Option<usize>,
    /// Maximum filters of one UNSUBSCRIBE.
    pub(crate) max_filters_per_unsubscribe: usize,
    /// Maximum subscriptions of one session.
    pub(crate) max_subscriptions: usize,
    /// Messages a second, in and out together; messages beyond it are discarded.
    pub(crate) max_messages_per_second: Option<u32>,
    /// Bytes a second, in and out together; packets beyond it wait.
    pub(crate) max_bytes_per_second: Option<u32>,
    /// Stored messages a second: those that waited for their client to come back.
    pub(crate) max_stored_per_second: Option<u32>,
    /// Minimum time between two CONNECTs with one client id.
    pub(crate) connect_interval: Option<Duration>,
    /// Time after which an unacknowledged message isn't sent again.
    pub(crate) redelivery_limit: Option<Duration>,
    /// Matches `sensor` with `sensor/#` [MQTT-4.7.1-2 and its comment].
    pub(crate) matches_parent_level: bool,
    /// Sends retained messages to filters with wildcards.
    pub(crate) retained_for_wildcards: bool,
    /// Supports subscription identifiers.
    pub(crate) subscription_identifiers: bool,
    /// Supports the Will Delay Interval; otherwise wills are published at once.
    pub(crate) will_delay: bool,
    /// Sets DUP in messages that are sent again.
    pub(crate) marks_duplicates: bool,
    /// Uses 0x11, "no subscription existed", in UNSUBACK.
    pub(crate) tells_no_subscription: bool,
    /// Reserves topics that begin with `$` for the service.
    pub(crate) reserves_dollar_topics: bool,
    /// Takes a close frame of WebSocket for a DISCONNECT, which cancels the will.
    pub(crate) close_frame_is_disconnect: bool,
    /// Handling of a message for a subscriber whose queue is full, unless a setting says otherwise.
    pub(crate) when_queue_full: WhenQueueFull,
}

/// AWS IoT Core: the table "AWS IoT Core message broker and protocol limits and quotas" and
/// "differences from MQTT 5".
static AWS: Rules = Rules {
    maximum_qos: QoS::AtLeastOnce,
    maximum_packet_size: 149_504,
    max_payload: Some(128 * 1024),
    receive_maximum: 100,
    topic_alias_maximum: 8,
    keep_alive: 30..=1200,
    keep_alive_of_zero: 1200,
    max_session_expiry: 60 * 60,
    message_expiry: 1..=604_800,
    max_client_id: Some(128),
    reserves_dollar_ids: true,
    max_topic: Some(256),
    max_slashes: Some(7),
    max_share_name: Some(128),
    max_subscriptions_per_request: Some(8),
    // A limit of the sandbox: AWS documents none.
    max_filters_per_unsubscribe: 1000,
    max_subscriptions: 50,
    max_messages_per_second: Some(100),
    max_bytes_per_second: Some(512 * 1024),
    max_stored_per_second: Some(10),
    connect_interval: Some(Duration::from_secs(1)),
    redelivery_limit: Some(Duration::from_secs(60 * 60)),
    matches_parent_level: false,
    retained_for_wildcards: false,
    subscription_identifiers: false,
    will_delay: false,
    marks_duplicates: false,
    tells_no_subscription: false,
    reserves_dollar_topics: true,
    close_frame_is_disconnect: true,
    when_queue_full: WhenQueueFull::Drop,
};

static MQTT5: Rules = Rules {
    maximum_qos: QoS::ExactlyOnce,
    maximum_packet_size: 1024 * 1024,
    max_payload: None,
    receive_maximum: 1000,
    topic_alias_maximum: 32,
    keep_alive: 1..=u16::MAX,
    keep_alive_of_zero: 0,
    max_session_expiry: u32::MAX,
    message_expiry: 0..=u32::MAX,
    max_client_id: None,
    reserves_dollar_ids: false,
    max_topic: None,
    // A limit of the sandbox: each level of a filter is a level of its index.
    max_slashes: Some(255),
    max_share_name: None,
    // A limit of the sandbox: one request is handled while all other clients wait.
    max_subscriptions_per_request: Some(1000),
    max_filters_per_unsubscribe: 1000,
    max_subscriptions: 1000,
    max_messages_per_second: None,
    max_bytes_per_second: None,
    max_stored_per_second: None,
    connect_interval: None,
    redelivery_limit: None,
    matches_parent_level: true,
    retained_for_wildcards: true,
    subscription_identifiers: true,
    will_delay: true,
    marks_duplicates: true,
    tells_no_subscription: true,
    reserves_dollar_topics: false,
    close_frame_is_disconnect: false,
    when_queue_full: WhenQueueFull::EndSession,
};

impl Profile {
    pub(crate) const fn rules(self) -> &'static Rules {
        match self {
            Self::Aws => &AWS,
            Self::Mqtt5 => &MQTT5,
        }
    }
}

setting!(Profile {
    Aws => "aws",
    Mqtt5 => "mqtt5",
});
