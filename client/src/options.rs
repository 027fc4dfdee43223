//! What a client says in CONNECT, how long it waits, and how much it holds.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use bytes::BytesMut;
use dunlin_codec::{BinaryData, Connect, ConnectProperties, Utf8String};

use crate::authentication::Authentication;
use crate::disconnect::DisconnectOptions;
use crate::error::{OptionsError, text};
use crate::limits::{Pace, ServiceLimits};
use crate::policy::{InvalidMessages, Offline, OnDropped, OnSessionLost, OutboundAliases};
use crate::secret::Secret;
use crate::will::{self, Will};

/// How a client presents itself to a server, and what it promises itself.
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
/// Every field can hold any value of its type; what CONNECT can't say is an [`OptionsError`] that
/// names the field, from [`check`](Self::check) or, at the latest, from the first attempt to
/// connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Names the session; empty asks the server for a name, which is kept for later connections
    /// (§3.1.3.1).
    pub client_id: String,
    /// At most 65,535 bytes (§3.1.3.5).
    pub username: Option<Secret<String>>,
    /// At most 65,535 bytes; allowed without a user name (§3.1.3.6).
    pub password: Option<Secret<Vec<u8>>>,
    /// Keep Alive: the longest time without a packet from this client (§3.1.2.10). Default: 60 s.
    ///
    /// 0 to 65,535 s; a fraction of a second is rounded up, and 0 turns the keep alive off. The
    /// server may choose another
    /// value ([`ServerLimits::keep_alive`](crate::ServerLimits::keep_alive)).
    pub keep_alive: Duration,
    /// How to authenticate beyond user name and password (§4.12); `None` for not at all.
    pub authentication: Option<Authentication>,
    /// When to ask for a new session.
    pub clean_start: CleanStart,
    /// Seconds that the session outlives the connection; `None` leaves the property out, which
    /// means 0.
    pub session_expiry_interval: Option<u32>,
    /// Unacknowledged messages that this client takes at a time: 1 to 65,535; `None` leaves it
    /// out: 65,535. A server that sends more is left with 0x93 (Receive Maximum exceeded).
    /// Only on a connection that resumed a session up to 16,384 messages more, of
    /// 16 MiB together, are taken: some servers send all that waits in the session at once. A
    /// stream may hold twice as many of earlier connections besides, whose sessions were lost;
    /// then the client leaves until some are taken
    /// ([`ConnectionError::Untaken`](crate::ConnectionError::Untaken)).
    ///
    /// All streams and all [`Acknowledgement`](crate::Acknowledgement)s share it: while the first
    /// unanswered message isn't answered, nothing behind it is acknowledged, and once so many
    /// are outstanding, no stream gets messages of QoS 1 and 2
    /// ([`Event::WindowClosed`](crate::Event::WindowClosed)).
    pub receive_maximum: Option<u16>,
    /// Topic aliases that this client takes from the server, each of which keeps a topic; 0, the
    /// default, for none.
    pub topic_alias_maximum: u16,
    /// Maximum Packet Size in bytes (§3.1.2.11.4), announced in CONNECT: 1 to 4,294,967,295.
    /// Default: 16 MiB.
    ///
    /// A server discards a message that is larger without a word: neither this client nor its
    /// publisher learns of it [MQTT-3.1.2-25]. A server that sends a larger packet all the
    /// same is disconnected with reason code 0x95 (Packet too large). `None` announces
    /// nothing; then packets larger than [`memory_budget`](Self::memory_budget), 1 MiB at least,
    /// end the connection. Packets other than PUBLISH may have 1 MiB at most, whatever is
    /// announced.
    pub maximum_packet_size: Option<u32>,
    /// What to do with a received message that is wrong only in itself; by default it is refused
    /// and the connection stays.
    pub invalid_messages: InvalidMessages,
    /// Whether the payload of a message whose Payload Format Indicator says UTF-8 is checked. If
    /// it isn't UTF-8, the message is wrong in itself and acknowledged with 0x99 (§3.3.2.3.2).
    /// Default: `false`, the payload isn't looked at.
    pub validate_payload_format: bool,
    /// Whether the server may explain failures in any packet; `None` leaves it out: yes.
    pub request_problem_information: Option<bool>,
    /// Whether the server should say what response topics may be built from
    /// ([`Connected::response_information`](crate::Connected::response_information)); `None`
    /// leaves it out: no.
    pub request_response_information: Option<bool>,
    /// What the application adds, in order.
    pub user_properties: Vec<(String, String)>,
    /// What the server publishes when it loses this client.
    pub will: Option<Will>,
    /// What is said when the client leaves.
    pub disconnect: DisconnectOptions,
    /// How long to wait for CONNACK.
    pub connack_timeout: Duration,
    /// How long to wait for PINGRESP; half the keep alive at most. The wait starts again whenever
    /// a part of a packet arrives that takes more than one read: a server can't answer before
    /// it has sent the packet. A packet that arrives at less than 1,000 bytes a second over a
    /// whole keep alive ends the connection.
    pub ping_timeout: Duration,
    /// Time for the acknowledgement of a request, from when it is first on the wire. Default: 60
    /// s.
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
    /// Time for a whole request, from when it is accepted, outages included. Default: none for a
    /// publish, 60 s for a subscribe and an unsubscribe. Then the request fails with
    /// [`RequestError::RequestTimeout`](crate::RequestError::RequestTimeout).
    ///
    /// Without one, being offline alone fails no request.
    pub request_timeout: RequestTimeouts,
    /// What becomes of a received message whose [`Acknowledgement`](crate::Acknowledgement) is
    /// dropped without an answer. Default: it is refused with reason code 0x80.
    pub on_dropped: OnDropped,
    /// How long a program that resumes a session has to open its streams, from the first CONNACK
    /// that resumes it: so long received messages that match none of them wait, those of QoS 1
    /// and 2 unacknowledged. Default: 30 s; zero means that nothing waits.
    ///
    /// Only the messages of a resumed session wait, whose subscriptions were made by an earlier
    /// process or client: they arrive as soon as the connection is accepted, before the
    /// program can have subscribed again. Such a message waits until a stream with a matching
    /// filter is opened, [`Client::unmatched`](crate::Client::unmatched) is taken, or the program
    /// calls [`Client::discard_unmatched`](crate::Client::discard_unmatched). Acknowledgements
    /// leave in the order of arrival (§4.6), so one waiting message holds back the
    /// acknowledgements of all messages behind it: when half of
    /// [`receive_maximum`](Self::receive_maximum) is held back, or this time is over, the message
    /// is refused with reason code 0x80 and reported as
    /// [`Event::MessageDropped`](crate::Event::MessageDropped). The time counts once for each
    /// client, outages included: when it is over, unmatched messages are refused as they
    /// arrive, so those of a subscription that the program no longer has don't hold up its
    /// streams any more. Messages of QoS 0 wait likewise, within the limits of one stream.
    pub unmatched_wait: Duration,
    /// How much may wait to be sent.
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
    /// What a service doesn't take, refused here; `None` for nothing but what the server says.
    pub limits: Option<ServiceLimits>,
    /// How fast messages may go; `None` for as fast as they can.
    pub pace: Option<Pace>,
    /// What is accepted while there is no connection.
    pub offline: Offline,
    /// What becomes of unacknowledged requests when the server has lost the session.
    pub on_session_lost: OnSessionLost,
    /// Which messages leave with a topic alias.
    pub outbound_aliases: OutboundAliases,
    /// How many messages of QoS 1 and 2, 1 to 65,535, may be unacknowledged at the beginning of a
    /// connection that follows another one; twice as many whenever so many are acknowledged,
    /// up to the server's Receive Maximum. `None`, the default: as many as the server takes,
    /// at once. For servers that limit the rate of a connection rather than what is
    /// unacknowledged: a burst of repetitions would end the connection again. It costs round
    /// trips.
    pub slow_start: Option<u16>,
    /// After how many connections in a row that the server closed with a message on the wire the
    /// message is taken for the reason, and fails with
    /// [`RequestError::Poisoned`](crate::RequestError::Poisoned); `None`, the default: never.
    ///
    /// **This deviates from the standard**, by which a client repeats a message for as long as the
    /// session lives [MQTT-4.4.0-1]. The session is given up with the message: the next
    /// connection starts clean, and other requests
    /// follow [`on_session_lost`](Self::on_session_lost). While there are suspects, connections
    /// begin with one message at a time. A message of QoS 2 whose PUBREC came is never taken
    /// for the reason.
    pub poison_guard: Option<u32>,
}

const MEMORY_BUDGET: usize = 16 << 20;
const MAXIMUM_PACKET_SIZE: u32 = 16 << 20;

/// A packet of this size is always taken, if no Maximum Packet Size says otherwise.
const SMALLEST_LIMIT: u32 = 1 << 20;

/// When a client asks for a new session (§3.1.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CleanStart {
    /// At the first connection, which has nothing to go on with; later ones resume.
    #[default]
    First,
    /// At every connection.
    Always,
    /// Never. A client that is given no session states with it that it holds an empty one for its
    /// client identifier:
    /// see [`Session::assumed_empty`](crate::engine::Session::assumed_empty).
    Never,
}

/// Times for whole requests, from acceptance to the end; `None` means any length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTimeouts {
    /// For a publish. Default: `None`.
    pub publish: Option<Duration>,
    /// For a subscribe. Default: 60 s.
    pub subscribe: Option<Duration>,
    /// For an unsubscribe. Default: 60 s. The subscription still ends when there is a connection
    /// again.
    pub unsubscribe: Option<Duration>,
}

/// How much may wait to be sent: while there is no connection, behind the server's Receive Maximum,
/// or in the buffer of a slow connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Requests, acknowledged ones no longer counted.
    pub count: usize,
    /// Bytes of their packets.
    pub bytes: usize,
}

impl ConnectOptions {
    /// Of a client that keeps its session for an hour, is heard of once a minute, holds up to 1,024
    /// messages that it hasn't acknowledged, and queues up to 10,000 requests.
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

    /// The largest packet in bytes that is taken from the server.
    pub(crate) fn largest_packet(&self) -> u32 {
        let budget = u32::try_from(self.memory_budget)
            .unwrap_or(u32::MAX)
            .max(SMALLEST_LIMIT);
        self.maximum_packet_size.unwrap_or(budget)
    }

    /// Whether a CONNECT can be made of it.
    ///
    /// # Errors
    /// Names the field that can't be sent.
    pub fn check(&self) -> Result<(), OptionsError> {
        self.encode(true, &self.client_id, None, &mut BytesMut::new())
    }

    /// Appends the CONNECT to `out`, with what its method of authentication begins with.
    pub(crate) fn encode(
        &self,
        clean_start: bool,
        client_id: &str,
        authentication_data: Option<&[u8]>,
        out: &mut BytesMut,
    ) -> Result<(), OptionsError> {
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
    /// As [`new`](Self::new) with an empty client identifier: the server assigns one.
    fn default() -> Self {
        Self::new("")
    }
}

/// The number as the wire has it, where 0 isn't one; `field` names it in an error.
fn not_zero<T, N: TryFrom<T>>(
    field: &'static str,
    number: Option<T>,
) -> Result<Option<N>, OptionsError> {
    number
        .map(|number| N::try_from(number).map_err(|_| OptionsError::Zero { field }))
        .transpose()
}

impl Default for RequestTimeouts {
    fn default() -> Self {
        let subscribe = Some(Duration::from_secs(60));
        Self {
            publish: None,
            subscribe,
            unsubscribe: subscribe,
        }
    }
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            count: 10_000,
            bytes: 16 << 20,
        }
    }
}
