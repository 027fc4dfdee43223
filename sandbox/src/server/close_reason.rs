//! Reasons for the end of a connection, and the CONNACK or DISCONNECT that has them.

use std::borrow::Cow;

use dunlin_codec::{
    ConnAck, ConnAckProperties, DecodeError, Disconnect, DisconnectProperties, EncodeError, Packet,
    PacketType, ReasonCode, Sender, Utf8String,
};

use crate::denial::{Denial, Denials};
use crate::server::hub::Eviction;
use crate::server::limit::Limit;
use crate::server::other_version::OtherVersion;
use crate::server::output::{Close, Output};
use crate::server::request_refusal::{RequestRefusal, without_controls};

/// Reason for the end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// DISCONNECT of the client; with 0x04 its will is published.
    Client { reason_code: ReasonCode },
    /// The socket closed without a DISCONNECT.
    Lost,
    /// The WebSocket ended before MQTT did; holds the reason. On AWS IoT Core a close frame of the
    /// client counts as its DISCONNECT, so that there is no will.
    WebSocket {
        reason: String,
        publishes_will: bool,
    },
    /// CONNECT of another version of MQTT, answered in a form that its sender can read.
    OtherVersion(OtherVersion),
    /// Bytes that aren't a valid packet of MQTT 5.
    Undecodable(DecodeError),
    /// A packet that is valid in itself and that the client may not send now; holds the reason.
    ProtocolError(&'static str),
    /// CONNECT has an Authentication Method.
    AuthenticationMethod,
    /// The client breaks a limit of the profile that ends the connection.
    Limit(Limit),
    /// A refusal that ends the connection with CONNACK or DISCONNECT.
    Refused(RequestRefusal),
    /// A refusal that closes the connection without a packet.
    RefusedSilently(RequestRefusal),
    /// The CONNACK is larger than the client's Maximum Packet Size, so that none can be sent.
    ConnAckTooLarge { needed: usize, maximum: usize },
    /// The message of a client can't be encoded for its subscribers.
    Unencodable(EncodeError),
    /// Nothing was received for one and a half times the keep alive.
    KeepAlive,
    /// `disconnectAfterInSeconds` of the authorizer's answer is over.
    AuthorizationEnded,
    /// The time of a WebSocket that was signed for (SigV4) is over: a day.
    WebSocketExpired,
    /// Another connection has the same client id.
    TakenOver,
    /// The sandbox needs the memory that this client uses.
    Evicted(Eviction),
    /// A request to the connection API disconnects the client.
    Requested { prevents_will: bool },
    /// More clients wait for CONNACK than may.
    Busy,
    /// The sandbox stops; `is_connected` is false before CONNACK.
    Shutdown { is_connected: bool },
    /// A fault on demand: the client gets this code and reason string.
    Fault {
        reason_code: ReasonCode,
        reason_string: Option<String>,
    },
    /// A fault on demand: the connection is closed without a packet.
    Dropped,
    /// A fault on demand: a TCP reset.
    Reset,
}

impl CloseReason {
    /// End of the connection of a client whose CONNECT is refused, as the setting has it.
    pub(crate) fn for_connect(refusal: RequestRefusal, denials: Denials) -> Self {
        // The setting is about denials. A refusal with another code is none: the client may come
        // again, and has to learn that.
        if refusal.reason_code() != ReasonCode::NotAuthorized {
            return Self::Refused(refusal);
        }
        // The service's documents don't say which code a denied CONNECT gets, or whether it gets
        // one.
        match denials.connect {
            Denial::ReasonCode => Self::Refused(refusal),
            // There is no DISCONNECT before a CONNACK. §3.14
            Denial::Disconnect | Denial::Close => Self::RefusedSilently(refusal),
        }
    }

    /// End of the connection for a refused subscription or message, if the setting has it so; `None`
    /// if the answer to the request has the refusal.
    pub(crate) fn for_operation(refusal: &RequestRefusal, denials: Denials) -> Option<Self> {
        // The settings are about the policy and about reserved topics. All other refusals, such as
        // a full queue, are in the answer.
        let denial = match refusal {
            RequestRefusal::Policy(_) => denials.operation,
            RequestRefusal::Limit(Limit::ReservedTopic | Limit::ReservedFilter) => {
                denials.reserved_topic
            }
            _ => return None,
        };
        match denial {
            Denial::ReasonCode => None,
            Denial::Disconnect => Some(Self::Refused(refusal.clone())),
            Denial::Close => Some(Self::RefusedSilently(refusal.clone())),
        }
    }

    pub(crate) const fn close(&self) -> Close {
        match self {
            // Only this fault drops output that waits; everything else is sent before the end.
            Self::Reset => Close::Reset,
            _ => Close::Gracefully,
        }
    }

    /// Only a normal DISCONNECT of the client cancels its will, [MQTT-3.14.4-3] and at AWS IoT Core a
    /// close frame.
    pub(crate) fn publishes_will(&self) -> bool {
        match self {
            Self::Client { reason_code } => *reason_code != ReasonCode::NORMAL_DISCONNECTION,
            Self::WebSocket { publishes_will, .. } => *publishes_will,
            Self::Requested { prevents_will } => !prevents_will,
            _ => true,
        }
    }

    /// Sends the CONNACK of a client that isn't accepted, if the reason has a packet.
    pub(crate) fn send_connack(&self, output: &mut Output) {
        if let Self::OtherVersion(other) = self {
            return output.bytes.extend_from_slice(other.connack());
        }
        let Some(reason_code) = self.reason_code() else {
            return;
        };
        let reason_code = legal_code(reason_code, PacketType::ConnAck);
        let connack = |reason_string| ConnAck {
            // [MQTT-3.2.2-6]
            session_present: false,
            reason_code,
            properties: ConnAckProperties {
                reason_string,
                ..ConnAckProperties::default()
            },
        };
        let reason = self.reason_string();
        let explained = connack(
            reason
                .as_deref()
                .and_then(|text| Utf8String::new(text).ok()),
        );
        if !output.send(&Packet::from(&explained)) {
            // Too large for the client: without the reason string.
            output.send(&Packet::from(&connack(None)));
        }
    }

    /// Sends the DISCONNECT of a client that has its CONNACK, if the reason has a packet.
    pub(crate) fn send_disconnect(&self, output: &mut Output) {
        let Some(reason_code) = self.reason_code() else {
            return;
        };
        let reason_code = legal_code(reason_code, PacketType::Disconnect);
        output.send_explained(self.reason_string().as_deref(), |reason_string| {
            let properties = DisconnectProperties {
                reason_string,
                ..DisconnectProperties::default()
            };
            Packet::Disconnect(Disconnect {
                reason_code,
                properties,
            })
        });
    }

    /// Reason code of the CONNACK or DISCONNECT; `None` if no packet is sent.
    pub(crate) const fn reason_code(&self) -> Option<ReasonCode> {
        Some(match self {
            Self::Undecodable(error) => error.reason_code,
            Self::ProtocolError(_) => ReasonCode::ProtocolError,
            // [MQTT-4.12.0-1]
            Self::AuthenticationMethod => ReasonCode::BadAuthenticationMethod,
            Self::Limit(limit) => limit.reason_code(),
            Self::Refused(refusal) => refusal.reason_code(),
            Self::Unencodable(_) => ReasonCode::ImplementationSpecificError,
            // [MQTT-3.1.2-22]
            Self::KeepAlive => ReasonCode::KeepAliveTimeout,
            // The service documents that it disconnects, and not with which code.
            Self::AuthorizationEnded | Self::WebSocketExpired | Self::Requested { .. } => {
                ReasonCode::AdministrativeAction
            }
            // [MQTT-3.1.4-3]
            Self::TakenOver => ReasonCode::SessionTakenOver,
            Self::Evicted(_) => ReasonCode::QuotaExceeded,
            Self::Busy => ReasonCode::ServerBusy,
            // DISCONNECT has "shutting down", CONNACK "unavailable" (§2.4).
            Self::Shutdown { is_connected: true } => ReasonCode::ServerShuttingDown,
            Self::Shutdown {
                is_connected: false,
            } => ReasonCode::ServerUnavailable,
            Self::Fault { reason_code, .. } => *reason_code,
            Self::OtherVersion(_)
            | Self::Client { .. }
            | Self::Lost
            | Self::WebSocket { .. }
            | Self::RefusedSilently(_)
            | Self::ConnAckTooLarge { .. }
            | Self::Dropped
            | Self::Reset => return None,
        })
    }

    /// Reason string of the CONNACK or DISCONNECT; `None` for none.
    fn reason_string(&self) -> Option<Cow<'_, str>> {
        match self {
            // A fault sends what was asked for, and nothing else.
            Self::Fault { reason_string, .. } => reason_string.as_deref().map(Into::into),
            _ => Some(self.reason()),
        }
    }

    /// Reason for the log, without the code.
    pub(crate) fn reason(&self) -> Cow<'_, str> {
        let text = match self {
            Self::Client { .. } => "by the client",
            Self::Lost => "the client closed the connection without a DISCONNECT",
            Self::OtherVersion(_) => "another version of MQTT",
            Self::ProtocolError(reason) => reason,
            Self::AuthenticationMethod => "there is no enhanced authentication here",
            Self::KeepAlive => "nothing was received for one and a half times the keep alive",
            // The name that the service publishes on `$aws/events/presence/disconnected/..`.
            Self::AuthorizationEnded => {
                "disconnectAfterInSeconds is over (CUSTOMAUTH_TTL_EXPIRATION)"
            }
            Self::Requested { .. } => "by the connection API (API_INITIATED_DISCONNECT)",
            Self::WebSocketExpired => "a day with one signature is over (WEBSOCKET_TTL_EXPIRATION)",
            Self::TakenOver => "another client has the same client id",
            Self::Evicted(eviction) => eviction.reason(),
            Self::Busy => "too many clients wait to be let in",
            Self::Shutdown { .. } => "the sandbox stops",
            Self::Fault { .. } => "on purpose (fault)",
            Self::Dropped => "closed on purpose (fault)",
            Self::Reset => "reset on purpose (fault)",
            // The others have values in their text, which may quote the client.
            Self::Undecodable(error) => return without_controls(error.to_string()).into(),
            Self::Unencodable(error) => return without_controls(error.to_string()).into(),
            Self::Limit(limit) => return limit.to_string().into(),
            Self::WebSocket { reason, .. } => return without_controls(reason.clone()).into(),
            Self::Refused(refusal) | Self::RefusedSilently(refusal) => {
                return refusal.reason().into();
            }
            Self::ConnAckTooLarge { needed, maximum } => {
                return format!(
                    "the CONNACK needs {needed} bytes; the client's Maximum Packet Size is {maximum}"
                )
                .into();
            }
        };
        text.into()
    }

    /// Name of the reason in the lifecycle events of AWS IoT Core, which the connection API tells.
    pub(crate) fn lifecycle_reason(&self) -> &'static str {
        match self {
            Self::Client { .. } => "CLIENT_INITIATED_DISCONNECT",
            Self::WebSocket { .. } if !self.publishes_will() => "CLIENT_INITIATED_DISCONNECT",
            Self::Lost | Self::WebSocket { .. } | Self::Reset | Self::Dropped => "CONNECTION_LOST",
            Self::OtherVersion(_)
            | Self::Undecodable(_)
            | Self::ProtocolError(_)
            | Self::AuthenticationMethod
            | Self::Limit(_)
            | Self::ConnAckTooLarge { .. } => "CLIENT_ERROR",
            Self::Refused(_) | Self::RefusedSilently(_) => "AUTH_ERROR",
            Self::KeepAlive => "MQTT_KEEP_ALIVE_TIMEOUT",
            Self::AuthorizationEnded => "CUSTOMAUTH_TTL_EXPIRATION",
            Self::WebSocketExpired => "WEBSOCKET_TTL_EXPIRATION",
            Self::TakenOver => "DUPLICATE_CLIENTID",
            Self::Requested { .. } => "API_INITIATED_DISCONNECT",
            Self::Evicted(_) | Self::Busy => "THROTTLED",
            Self::Shutdown { .. } => "SERVER_INITIATED_DISCONNECT",
            Self::Unencodable(_) | Self::Fault { .. } => "SERVER_ERROR",
        }
    }

    /// Reason for the log, with the code that was sent or received.
    pub(crate) fn log_reason(&self) -> String {
        match self {
            Self::OtherVersion(other) => other.to_string(),
            Self::RefusedSilently(_) | Self::ConnAckTooLarge { .. } => {
                format!("closed without a packet: {}", self.reason())
            }
            // Only reasons with a code of MQTT begin with it.
            Self::Client { reason_code } => with_code(*reason_code, &self.reason()),
            _ => match self.reason_code() {
                Some(reason_code) => with_code(reason_code, &self.reason()),
                None => self.reason().into_owned(),
            },
        }
    }
}

fn with_code(reason_code: ReasonCode, reason: &str) -> String {
    format!("0x{:02X}: {reason}", reason_code.code())
}

/// Same code, or Protocol Error if the packet can't have it.
const fn legal_code(reason_code: ReasonCode, packet: PacketType) -> ReasonCode {
    if reason_code.is_legal_in(packet, Sender::Server) {
        reason_code
    } else {
        ReasonCode::ProtocolError
    }
}

impl From<DecodeError> for CloseReason {
    fn from(error: DecodeError) -> Self {
        Self::Undecodable(error)
    }
}

impl From<EncodeError> for CloseReason {
    fn from(error: EncodeError) -> Self {
        Self::Unencodable(error)
    }
}

impl From<Eviction> for CloseReason {
    fn from(eviction: Eviction) -> Self {
        match eviction {
            Eviction::Requested { prevents_will } => Self::Requested { prevents_will },
            Eviction::OutOfMemory | Eviction::Overflow => Self::Evicted(eviction),
        }
    }
}

impl From<Limit> for CloseReason {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}
