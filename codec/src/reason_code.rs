//! Reason codes (§2.4): one table of code, name, meaning, and senders and packets that may have it.

use core::fmt;

use crate::packet_type::{PacketType, Sender};

macro_rules! reason_codes {
    ($($(#[$attribute:meta])* $code:literal $variant:ident $name:literal either [$($either:ident)*] server [$($server:ident)*] client [$($client:ident)*] $text:literal;)*) => {
        /// Reason code of an acknowledgement, a DISCONNECT or an AUTH (§2.4).
        ///
        /// 0x00 has three names: success (the default), normal disconnection and granted QoS 0.
        ///
        /// ```
        /// use dunlin_codec::{PacketType, ReasonCode, Sender};
        ///
        /// let code = ReasonCode::try_from(0x87)?;
        /// assert_eq!(code, ReasonCode::NotAuthorized);
        /// assert!(code.is_error());
        /// assert_eq!(code.to_string(), "Not authorized (0x87)");
        /// assert!(code.is_legal_in(PacketType::ConnAck, Sender::Server));
        /// # Ok::<(), dunlin_codec::InvalidNumber>(())
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum ReasonCode {
            $(
                $(#[$attribute])*
                #[doc = concat!($name, ": ", $text)]
                $variant = $code,
            )*
        }

        impl ReasonCode {
            /// All codes in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Reason code with this byte; `None` if the standard doesn't define it.
            #[must_use]
            pub const fn from_code(byte: u8) -> Option<Self> {
                match byte {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Name in the standard: `Not authorized`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Meaning in a few words, such as `the client may not do this`.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Packets that may have the code, as masks of those of servers and of clients.
            const fn packets(self) -> (u16, u16) {
                match self {
                    $(Self::$variant => {
                        let either = 0 $(| PacketType::$either.bit())*;
                        (either $(| PacketType::$server.bit())*, either $(| PacketType::$client.bit())*)
                    })*
                }
            }
        }
    };
}

reason_codes! {
    #[default]
    0x00 Success "Success" either [PubAck PubRec PubRel PubComp Disconnect] server [ConnAck SubAck UnsubAck Auth] client []
        "it worked";
    0x01 GrantedQoS1 "Granted QoS 1" either [] server [SubAck] client []
        "the subscription's maximum QoS is 1";
    0x02 GrantedQoS2 "Granted QoS 2" either [] server [SubAck] client []
        "the subscription's maximum QoS is 2";
    0x04 DisconnectWithWill "Disconnect with Will Message" either [] server [] client [Disconnect]
        "the client leaves and wants its will published";
    0x10 NoMatchingSubscribers "No matching subscribers" either [PubAck PubRec] server [] client []
        "accepted, but nobody is subscribed";
    0x11 NoSubscriptionExisted "No subscription existed" either [] server [UnsubAck] client []
        "there was nothing to unsubscribe from";
    0x18 ContinueAuthentication "Continue authentication" either [Auth] server [] client []
        "the exchange needs another step";
    0x19 ReAuthenticate "Re-authenticate" either [] server [] client [Auth]
        "the client starts to authenticate again";
    0x80 UnspecifiedError "Unspecified error" either [PubAck PubRec Disconnect] server [ConnAck SubAck UnsubAck] client []
        "the sender doesn't say why";
    0x81 MalformedPacket "Malformed Packet" either [Disconnect] server [ConnAck] client []
        "a packet couldn't be parsed";
    0x82 ProtocolError "Protocol Error" either [Disconnect] server [ConnAck] client []
        "a packet broke the rules of the protocol";
    0x83 ImplementationSpecificError "Implementation specific error" either [PubAck PubRec Disconnect] server [ConnAck SubAck UnsubAck] client []
        "valid, but not accepted by this implementation";
    0x84 UnsupportedProtocolVersion "Unsupported Protocol Version" either [] server [ConnAck] client []
        "the server doesn't speak this version of MQTT";
    0x85 ClientIdentifierNotValid "Client Identifier not valid" either [] server [ConnAck] client []
        "the server doesn't allow this client identifier";
    0x86 BadUserNameOrPassword "Bad User Name or Password" either [] server [ConnAck] client []
        "the server doesn't accept the user name or password";
    0x87 NotAuthorized "Not authorized" either [PubAck PubRec] server [ConnAck SubAck UnsubAck Disconnect] client []
        "the client isn't allowed to do this";
    0x88 ServerUnavailable "Server unavailable" either [] server [ConnAck] client []
        "the server isn't available";
    0x89 ServerBusy "Server busy" either [] server [ConnAck Disconnect] client []
        "the server is busy; try again later";
    0x8A Banned "Banned" either [] server [ConnAck] client []
        "the client is banned by an administrator";
    0x8B ServerShuttingDown "Server shutting down" either [] server [Disconnect] client []
        "the server is shutting down";
    0x8C BadAuthenticationMethod "Bad authentication method" either [] server [ConnAck Disconnect] client []
        "the authentication method isn't supported or isn't the one in use";
    0x8D KeepAliveTimeout "Keep Alive timeout" either [] server [Disconnect] client []
        "nothing was received for one and a half times the keep alive";
    0x8E SessionTakenOver "Session taken over" either [] server [Disconnect] client []
        "another connection used the same client identifier";
    0x8F TopicFilterInvalid "Topic Filter invalid" either [] server [SubAck UnsubAck Disconnect] client []
        "the topic filter is well formed, but not accepted";
    0x90 TopicNameInvalid "Topic Name invalid" either [PubAck PubRec Disconnect] server [ConnAck] client []
        "the topic name is well formed, but not accepted";
    0x91 PacketIdentifierInUse "Packet Identifier in use" either [PubAck PubRec] server [SubAck UnsubAck] client []
        "the packet identifier is still in use";
    0x92 PacketIdentifierNotFound "Packet Identifier not found" either [PubRel PubComp] server [] client []
        "the packet identifier isn't known";
    0x93 ReceiveMaximumExceeded "Receive Maximum exceeded" either [Disconnect] server [] client []
        "more unacknowledged messages than the receiver takes";
    0x94 TopicAliasInvalid "Topic Alias invalid" either [Disconnect] server [] client []
        "a topic alias of 0 or above the receiver's maximum";
    0x95 PacketTooLarge "Packet too large" either [Disconnect] server [ConnAck] client []
        "a packet larger than the receiver takes";
    0x96 MessageRateTooHigh "Message rate too high" either [Disconnect] server [] client []
        "messages come too fast";
    0x97 QuotaExceeded "Quota exceeded" either [PubAck PubRec Disconnect] server [ConnAck SubAck] client []
        "a limit of the implementation or of an administrator is exceeded";
    0x98 AdministrativeAction "Administrative action" either [Disconnect] server [] client []
        "closed by an administrator";
    0x99 PayloadFormatInvalid "Payload format invalid" either [PubAck PubRec Disconnect] server [ConnAck] client []
        "the payload isn't what its format indicator says";
    0x9A RetainNotSupported "Retain not supported" either [] server [ConnAck Disconnect] client []
        "the server doesn't keep retained messages";
    0x9B QoSNotSupported "QoS not supported" either [] server [ConnAck Disconnect] client []
        "a QoS above the server's Maximum QoS";
    0x9C UseAnotherServer "Use another server" either [] server [ConnAck Disconnect] client []
        "the client should use another server for now";
    0x9D ServerMoved "Server moved" either [] server [ConnAck Disconnect] client []
        "the client should use another server from now on";
    0x9E SharedSubscriptionsNotSupported "Shared Subscriptions not supported" either [] server [SubAck Disconnect] client []
        "the server has no shared subscriptions for this client";
    0x9F ConnectionRateExceeded "Connection rate exceeded" either [] server [ConnAck Disconnect] client []
        "the client connects too often";
    0xA0 MaximumConnectTime "Maximum connect time" either [] server [Disconnect] client []
        "the time allowed for this connection is over";
    0xA1 SubscriptionIdentifiersNotSupported "Subscription Identifiers not supported" either [] server [SubAck Disconnect] client []
        "the server has no subscription identifiers";
    0xA2 WildcardSubscriptionsNotSupported "Wildcard Subscriptions not supported" either [] server [SubAck Disconnect] client []
        "the server has no wildcard subscriptions";
}

impl ReasonCode {
    /// Meaning of 0x00 in a DISCONNECT.
    pub const NORMAL_DISCONNECTION: Self = Self::Success;
    /// Meaning of 0x00 in a SUBACK.
    pub const GRANTED_QOS_0: Self = Self::Success;

    /// Byte on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// True for 0x80 and above, which report a failure.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.code() >= 0x80
    }

    /// True if `sender` may send this code in a packet of `packet_type` (Table 2-6 and the table of
    /// each packet).
    ///
    /// 0x8C in a DISCONNECT counts as legal for servers: Table 2-6 lists it, Table 3-10 doesn't.
    /// 0x10 counts as legal for clients: Table 3-4 says that servers send it, but a success is
    /// no reason to end a connection.
    #[must_use]
    pub const fn is_legal_in(self, packet_type: PacketType, sender: Sender) -> bool {
        // A mask for each side has one bit for each packet type.
        let (server, client) = self.packets();
        let packets = match sender {
            Sender::Any => server | client,
            Sender::Client => client,
            Sender::Server => server,
        };
        packets & packet_type.bit() != 0
    }
}

impl fmt::Display for ReasonCode {
    /// `Not authorized (0x87)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02X})", self.name(), self.code())
    }
}
