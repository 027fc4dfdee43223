//! `ConnectOptions`: content of CONNECT, timeouts, limits and policies of a client.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use bytes::BytesMut;
use dunlin_codec::{BinaryData, Connect, ConnectProperties, Utf8String};

use crate::authentication::Authentication;
use crate::disconnect::DisconnectOptions;
use crate::error::{OptionsError, text};
use crate::limits::{Pace, ServiceLimits};
use crate::policy::{
    CleanStart, InvalidMessages, Offline, OnDropped, OnSessionLost, OutboundAliases, QueueLimits,
    RequestTimeouts,
};
use crate::secret::Secret;
use crate::will::{self, Will};

/// Content of CONNECT, and the timeouts, limits and policies of a client.
///
/// ```
/// use std::time::Duration;
///
/// use dunlin_client::{ConnectOptions, Will};
///
/// let mut options = ConnectOptions::new("lamp-7");
/// options.keep_alive = Duration::from_secs(30);
/// options.receive_maximum = Some(10);
///
/// // Or with the struct update syntax.
/// let options = ConnectOptions {
///     client_id: "lamp-7".into(),
///     password: Some("s3cret".into()),
///     will: Some(Will::new("lamp/7/state", "gone")),
///     ..Default::default()
/// };
/// options.check()?;
/// # Ok::<(), dunlin_client::OptionsError>(())
/// ```
///
/// Every field can hold any value of its type. Values that can't be sent are an [`OptionsError`] that
/// names the field, from [`check`](Self::check) or from the first attempt to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Client Identifier, which names the session (§3.1.3.1). If it is empty, the server assigns one,
    /// which the client uses for later connections, too.
    pub client_id: String,
    /// User Name of at most 65,535 bytes (§3.1.3.5). Default: `None`, no user name.
    pub username: Option<Secret<String>>,
    /// Password of at most 65,535 bytes; allowed without a user name (§3.1.3.6). Default: `None`, no
    /// password.
    pub password: Option<Secret<Vec<u8>>>,
    /// Keep Alive: maximum time without a packet from this client (§3.1.2.10). Default: 60 s.
    ///
    /// 0 to 65,535 s; a fraction of a second is rounded up, and 0 turns the keep alive off. The
    /// server may choose another
    /// value ([`ServerLimits::keep_alive`](crate::ServerLimits::keep_alive)).
    pub keep_alive: Duration,
    /// Enhanced authentication (§4.12). Default: `None`, user name and password only.
    pub authentication: Option<Authentication>,
    /// Connections that ask for a new session. Default: the first one.
    pub clean_start: CleanStart,
    /// Session Expiry Interval: seconds that the session outlives the connection (§3.1.2.11.2). `None`
    /// leaves it out, which means 0. Default: 3,600.
    pub session_expiry_interval: Option<u32>,
    /// Receive Maximum: maximum number of unacknowledged messages of QoS 1 and 2, 1 to 65,535
    /// (§3.1.2.11.3). `None` leaves it out, which means 65,535. Default: 1,024.
    ///
    /// If a server sends more, the client disconnects with reason code 0x93 (Receive Maximum
    /// exceeded). On a connection that resumed a session it accepts up to 16,384 more messages of
    /// 16 MiB together, because some servers send all that waits in the session at once. Streams may
    /// hold twice as many messages of earlier connections whose sessions were lost; beyond that the
    /// client disconnects until some are read
    /// ([`ConnectionError::BacklogFull`](crate::ConnectionError::BacklogFull)).
    ///
    /// All streams and all [`Acknowledgement`](crate::Acknowledgement)s share it: while the first
    /// unanswered message isn't answered, nothing after it is acknowledged, and once so many
    /// are outstanding, no stream gets messages of QoS 1 and 2
    /// ([`Event::WindowClosed`](crate::Event::WindowClosed)).
    pub receive_maximum: Option<u16>,
    /// Topic Alias Maximum: number of topic aliases that the server may use, for each of which the
    /// client stores a topic (§3.1.2.11.5). Default: 0, none.
    pub topic_alias_maximum: u16,
    /// Maximum Packet Size in bytes (§3.1.2.11.4), announced in CONNECT: 1 to 4,294,967,295.
    /// Default: 16 MiB.
    ///
    /// A server discards a larger message, and neither this client nor the publisher learns of it
    /// [MQTT-3.1.2-25]. A server that sends a larger packet all the
    /// same is disconnected with reason code 0x95 (Packet too large). `None` announces
    /// nothing; then packets larger than [`memory_budget`](Self::memory_budget), 1 MiB at least,
    /// end the connection. Packets other than PUBLISH may have 1 MiB at most, whatever is
    /// announced.
    pub maximum_packet_size: Option<u32>,
    /// Reaction to a received message that is invalid in itself. Default: it is refused, and the
    /// connection stays.
    pub invalid_messages: InvalidMessages,
    /// Check of the payload if the Payload Format Indicator is UTF-8. If it isn't UTF-8, the message is
    /// invalid in itself and acknowledged with 0x99 (§3.3.2.3.2). Default: `false`, no check.
    pub validate_payload_format: bool,
    /// Request Problem Information: the server may explain failures in any packet (§3.1.2.11.7).
    /// `None`, the default, leaves it out, which means `true`.
    pub request_problem_information: Option<bool>,
    /// Request Response Information: the server should send the prefix of response topics (§3.1.2.11.6)
    /// ([`Connected::response_information`](crate::Connected::response_information)); `None`
    /// leaves it out, which means `false`. Default: `None`.
    pub request_response_information: Option<bool>,
    /// User Properties of CONNECT, in order. Default: empty.
    pub user_properties: Vec<(String, String)>,
    /// Will: message that the server publishes when it loses this client (§3.1.2.5). Default: `None`.
    pub will: Option<Will>,
    /// Content of the DISCONNECT that the client sends.
    pub disconnect: DisconnectOptions,
    /// Timeout of CONNACK. Default: 20 s.
    pub connack_timeout: Duration,
    /// Timeout of PINGRESP, at most half the keep alive. Default: 30 s. The time starts again whenever
    /// a part of a packet arrives that takes more than one read: a server can't answer before
    /// it has sent the packet. A packet that arrives at less than 1,000 bytes a second over a
    /// whole keep alive ends the connection.
    pub ping_timeout: Duration,
    /// Timeout of the acknowledgement of a request, from when it is first sent. Default: 60 s.
    ///
    /// The time runs only while there is a connection and adds up over connections; to be queued
    /// again doesn't restart it. Then the request fails with
    /// [`RequestError::Timeout`](crate::RequestError::Timeout).
    ///
    /// A request that waits to be sent, because the server's Receive Maximum is used up or the
    /// transport doesn't take the output, fails the same way once it has waited for so long
    /// while connected and the server has acknowledged no message for so long. Each
    /// acknowledgement lets the others wait on: requests in a long queue that moves don't fail
    /// because many are before them. The time that [`pace`](Self::pace) alone holds a message
    /// back doesn't count. Output that the transport doesn't take for so long ends the
    /// connection ([`ConnectionError::WriteTimeout`](crate::ConnectionError::WriteTimeout)).
    pub ack_timeout: Duration,
    /// Timeout of a whole request, from when it is accepted, outages included. Default: none for a
    /// publish, 60 s for a subscribe and an unsubscribe. Then the request fails with
    /// [`RequestError::RequestTimeout`](crate::RequestError::RequestTimeout).
    ///
    /// Without one, being offline alone fails no request.
    pub request_timeout: RequestTimeouts,
    /// Reaction to an [`Acknowledgement`](crate::Acknowledgement) that is dropped without an answer.
    /// Default: the message is refused with reason code 0x80.
    pub on_dropped: OnDropped,
    /// Time in which a program that resumes a session has to open its streams, from the first CONNACK
    /// that resumes it. For that time, received messages that match no stream wait, those of QoS 1 and
    /// 2 unacknowledged. Default: 30 s; zero means that no message waits.
    ///
    /// Only the messages of a resumed session wait, whose subscriptions were made by an earlier
    /// process or client: they arrive as soon as the connection is accepted, before the
    /// program can have subscribed again. Such a message waits until a stream with a matching
    /// filter is opened, [`Client::unmatched`](crate::Client::unmatched) is called, or the program
    /// calls [`Client::discard_unmatched`](crate::Client::discard_unmatched). Acknowledgements
    /// leave in the order of arrival (§4.6), so one waiting message holds back the
    /// acknowledgements of all messages after it: when half of
    /// [`receive_maximum`](Self::receive_maximum) is held back, or this time is over, the message
    /// is refused with reason code 0x80 and reported as
    /// [`Event::MessageDropped`](crate::Event::MessageDropped). The time counts once for each
    /// client, outages included: when it is over, unmatched messages are refused as they
    /// arrive, so those of a subscription that the program no longer has don't hold up its
    /// streams any more. Messages of QoS 0 wait likewise, within the limits of one stream.
    pub unmatched_wait: Duration,
    /// Limits of the queue of requests that wait to be sent or acknowledged.
    pub queue: QueueLimits,
    /// Bytes of received data that the client holds for the application: messages in all streams,
    /// messages and replies that wait for one, unread events, and the server's texts in
    /// outcomes. Default: 16 MiB. One message always fits.
    ///
    /// Messages of QoS 0 that don't fit are dropped as by a full stream
    /// ([`StreamLimits`](crate::StreamLimits)). If a message of QoS 1 or 2 doesn't fit, the
    /// client acknowledges what was taken, disconnects with reason code 0x97 (Quota exceeded),
    /// and announces half as large a Receive Maximum as it could hold on the next connection; each
    /// connection that ends for another reason doubles it again, up to
    /// [`receive_maximum`](Self::receive_maximum). The server repeats what wasn't
    /// acknowledged.
    pub memory_budget: usize,
    /// Limits of a service, which the client checks before it sends anything. Default: `None`, only
    /// the limits in CONNACK.
    pub limits: Option<ServiceLimits>,
    /// Rate limit of messages. Default: `None`, no limit.
    pub pace: Option<Pace>,
    /// Requests that are accepted while there is no connection. Default: all.
    pub offline: Offline,
    /// Reaction of unacknowledged requests to a session that the server has lost.
    pub on_session_lost: OnSessionLost,
    /// Messages that are sent with a topic alias.
    pub outbound_aliases: OutboundAliases,
    /// Maximum number of unacknowledged messages of QoS 1 and 2, 1 to 65,535, at the beginning of a
    /// connection that follows another one. It doubles whenever that many are acknowledged, up to the
    /// server's Receive Maximum. `None`, the default: the server's Receive Maximum at once.
    ///
    /// For servers that limit the rate of a connection: a burst of repetitions would end the connection
    /// again. It costs round trips.
    pub slow_start: Option<u16>,
    /// Number of connections in a row, at least 1, that the server closes while a message is
    /// unacknowledged, before the message counts as the reason and fails with
    /// [`RequestError::Poisoned`](crate::RequestError::Poisoned). `None`, the default: never.
    ///
    /// **This deviates from the standard**, by which a client repeats a message for as long as the
    /// session lives [MQTT-4.4.0-1]. The session is given up with the message: the next
    /// connection starts clean, and other requests
    /// follow [`on_session_lost`](Self::on_session_lost). While there are suspects, connections
    /// begin with one message at a time. A message of QoS 2 whose PUBREC came is never taken
    /// for the reason.
    pub poison_guard: Option<u32>,
}

/// Default of the memory budget in bytes.
const MEMORY_BUDGET: usize = 16 << 20;
/// Default of the Maximum Packet Size in bytes.
const MAXIMUM_PACKET_SIZE: u32 = 16 << 20;

/// Size in bytes of packets that are always accepted without a Maximum Packet Size.
const SMALLEST_LIMIT: u32 = 1 << 20;

impl ConnectOptions {
    /// Options with the defaults: a session of an hour, a keep alive of a minute, a Receive Maximum of
    /// 1,024, and a queue of 10,000 requests.
    #[must_use]
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            username: None,
            password: None,
            keep_alive: Duration::from_secs(60),
            authentication: None,
            clean_start: CleanStart::First,
            session_expiry_interval: Some(3600),
            receive_maximum: Some(1024),
            topic_alias_maximum: 0,
            maximum_packet_size: Some(MAXIMUM_PACKET_SIZE),
            invalid_messages: InvalidMessages::default(),
            validate_payload_format: false,
            request_problem_information: None,
            request_response_information: None,
            user_properties: Vec::new(),
            will: None,
            disconnect: DisconnectOptions::default(),
            connack_timeout: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(30),
            ack_timeout: Duration::from_secs(60),
            request_timeout: RequestTimeouts::default(),
            on_dropped: OnDropped::default(),
            unmatched_wait: Duration::from_secs(30),
            queue: QueueLimits::default(),
            memory_budget: MEMORY_BUDGET,
            limits: None,
            pace: None,
            offline: Offline::default(),
            on_session_lost: OnSessionLost::default(),
            outbound_aliases: OutboundAliases::default(),
            slow_start: None,
            poison_guard: None,
        }
    }

    /// Maximum size in bytes of a packet that is accepted from the server.
    pub(crate) fn largest_packet(&self) -> u32 {
        let budget = u32::try_from(self.memory_budget)
            .unwrap_or(u32::MAX)
            .max(SMALLEST_LIMIT);
        self.maximum_packet_size.unwrap_or(budget)
    }

    /// Checks that CONNECT can be sent, and the numbers that it doesn't carry.
    ///
    /// # Errors
    /// All variants of [`OptionsError`]; each names the field.
    pub fn check(&self) -> Result<(), OptionsError> {
        self.encode(true, &self.client_id, None, &mut BytesMut::new())
    }

    /// Appends the CONNECT to `out`, with the first data of the authentication method, if any.
    pub(crate) fn encode(
        &self,
        clean_start: bool,
        client_id: &str,
        authentication_data: Option<&[u8]>,
        out: &mut BytesMut,
    ) -> Result<(), OptionsError> {
        // Numbers first: values that the standard or the limits of the service don't allow.
        let keep_alive = self.keep_alive_seconds()?;
        let receive_maximum: Option<NonZeroU16> =
            not_zero("receive maximum", self.receive_maximum)?;
        let maximum_packet_size: Option<NonZeroU32> =
            not_zero("maximum packet size", self.maximum_packet_size)?;
        self.check_numbers()?;
        if let Some(limits) = &self.limits {
            limits.check_connect(client_id, keep_alive)?;
            if let Some(will) = &self.will {
                limits.check_message(&will.topic, will.payload.len(), will.qos)?;
            }
        }
        self.disconnect.check(self.session_expiry_interval)?;
        // Then the texts: each is checked by the codec's type, and its error names the option.
        let user_properties = will::user_properties("user property", &self.user_properties)?;
        let wills = self
            .will
            .as_ref()
            .map_or(&[][..], |will| &will.user_properties);
        let wills = will::user_properties("will user property", wills)?;
        let method = self
            .authentication
            .as_ref()
            .map(|each| Utf8String::new(&each.method))
            .transpose();
        let data = authentication_data.map(BinaryData::new).transpose();
        let username = self
            .username
            .as_ref()
            .map(|name| Utf8String::new(name.expose()))
            .transpose();
        let password = self
            .password
            .as_ref()
            .map(|password| BinaryData::new(password.expose()))
            .transpose();
        let connect = Connect {
            clean_start,
            keep_alive,
            properties: ConnectProperties {
                session_expiry_interval: self.session_expiry_interval,
                receive_maximum,
                maximum_packet_size,
                topic_alias_maximum: (self.topic_alias_maximum > 0)
                    .then_some(self.topic_alias_maximum),
                request_problem_information: self.request_problem_information,
                request_response_information: self.request_response_information,
                authentication_method: method.map_err(text("authentication method"))?,
                authentication_data: data.map_err(text("authentication data"))?,
                user_properties: user_properties.as_slice().into(),
            },
            client_id: Utf8String::new(client_id).map_err(text("client id"))?,
            will: self
                .will
                .as_ref()
                .map(|will| will.to_packet(&wills))
                .transpose()?,
            username: username.map_err(text("user name"))?,
            password: password.map_err(text("password"))?,
        };
        Ok(connect.encode(out)?)
    }

    /// Keep Alive in whole seconds, a fraction rounded up.
    pub(crate) fn keep_alive_seconds(&self) -> Result<u16, OptionsError> {
        // Rounded up: half a second must not become 0, which would switch the Keep Alive off.
        let fraction = u64::from(self.keep_alive.subsec_nanos() > 0);
        let seconds = self.keep_alive.as_secs().saturating_add(fraction);
        u16::try_from(seconds).map_err(|_| OptionsError::KeepAlive { seconds })
    }

    /// Checks the numbers that CONNECT doesn't carry.
    fn check_numbers(&self) -> Result<(), OptionsError> {
        let pace = self.pace.as_ref();
        not_zero::<u16, NonZeroU16>("slow start", self.slow_start)?;
        not_zero::<u32, NonZeroU32>("poison guard", self.poison_guard)?;
        not_zero::<u32, NonZeroU32>("messages per second", pace.map(|pace| pace.messages))?;
        not_zero::<u32, NonZeroU32>("bytes per second", pace.map(|pace| pace.bytes))?;
        Ok(())
    }
}

impl Default for ConnectOptions {
    /// Like [`new`](Self::new) with an empty client identifier: the server assigns one.
    fn default() -> Self {
        Self::new("")
    }
}

/// Number as CONNECT carries it, where 0 isn't allowed; `field` names it in an error.
fn not_zero<T, N: TryFrom<T>>(
    field: &'static str,
    number: Option<T>,
) -> Result<Option<N>, OptionsError> {
    number
        .map(|number| N::try_from(number).map_err(|_| OptionsError::Zero { field }))
        .transpose()
}
