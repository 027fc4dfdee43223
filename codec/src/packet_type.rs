//! Types of the fifteen control packets: one table of their flags, senders and reason code rules.

use core::fmt;

macro_rules! packet_types {
    ($($value:literal $variant:ident $name:literal flags $flags:literal $flags_rule:literal from $from:ident codes $codes_rule:expr;)*) => {
        /// Type of a control packet (§2.1.2).
        ///
        /// ```
        /// use dunlin_codec::{PacketType, Sender};
        ///
        /// assert_eq!(PacketType::try_from(3), Ok(PacketType::Publish));
        /// assert_eq!(PacketType::Subscribe.name(), "SUBSCRIBE");
        /// assert_eq!(PacketType::Subscribe.sender(), Sender::Client);
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum PacketType {
            $(#[doc = $name] $variant = $value,)*
        }

        impl PacketType {
            /// All types in the order of their numbers.
            pub const ALL: [Self; 15] = [$(Self::$variant,)*];

            /// Type with this number, the upper four bits of a packet's first byte; `None` for 0,
            /// which is reserved, and above 15.
            pub(crate) const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($value => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Name in the standard: `PUBLISH`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Flags, the lower four bits of the first byte; those of PUBLISH have a meaning.
            pub(crate) const fn flags(self) -> u8 {
                match self { $(Self::$variant => $flags,)* }
            }

            /// Statement that wrong flags break.
            pub(crate) const fn flags_rule(self) -> &'static str {
                match self { $(Self::$variant => $flags_rule,)* }
            }

            /// Statement that a reason code outside the packet's list breaks; `None` for packets
            /// without a reason code.
            pub(crate) const fn reason_code_rule(self) -> Option<&'static str> {
                match self { $(Self::$variant => $codes_rule,)* }
            }

            /// Side that may send the packet.
            #[must_use]
            pub const fn sender(self) -> Sender {
                match self { $(Self::$variant => Sender::$from,)* }
            }
        }
    };
}

packet_types! {
     1 Connect     "CONNECT"     flags 0 "MQTT-2.1.3-1"  from Client codes None;
     2 ConnAck     "CONNACK"     flags 0 "MQTT-2.1.3-1"  from Server codes Some("MQTT-3.2.2-8");
     3 Publish     "PUBLISH"     flags 0 "MQTT-2.1.3-1"  from Any    codes None;
     4 PubAck      "PUBACK"      flags 0 "MQTT-2.1.3-1"  from Any    codes Some("MQTT-3.4.2-1");
     5 PubRec      "PUBREC"      flags 0 "MQTT-2.1.3-1"  from Any    codes Some("MQTT-3.5.2-1");
     6 PubRel      "PUBREL"      flags 2 "MQTT-3.6.1-1"  from Any    codes Some("MQTT-3.6.2-1");
     7 PubComp     "PUBCOMP"     flags 0 "MQTT-2.1.3-1"  from Any    codes Some("MQTT-3.7.2-1");
     8 Subscribe   "SUBSCRIBE"   flags 2 "MQTT-3.8.1-1"  from Client codes None;
     9 SubAck      "SUBACK"      flags 0 "MQTT-2.1.3-1"  from Server codes Some("MQTT-3.9.3-2");
    10 Unsubscribe "UNSUBSCRIBE" flags 2 "MQTT-3.10.1-1" from Client codes None;
    11 UnsubAck    "UNSUBACK"    flags 0 "MQTT-2.1.3-1"  from Server codes Some("MQTT-3.11.3-2");
    12 PingReq     "PINGREQ"     flags 0 "MQTT-2.1.3-1"  from Client codes None;
    13 PingResp    "PINGRESP"    flags 0 "MQTT-2.1.3-1"  from Server codes None;
    14 Disconnect  "DISCONNECT"  flags 0 "MQTT-3.14.1-1" from Any    codes Some("MQTT-3.14.2-1");
    15 Auth        "AUTH"        flags 0 "MQTT-3.15.1-1" from Any    codes Some("MQTT-3.15.2-1");
}

impl PacketType {
    /// Bit of this type in the masks of the reason code table.
    pub(crate) const fn bit(self) -> u16 {
        1 << (self as u8)
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Sender of a packet.
///
/// ```
/// use dunlin_codec::{DecodeErrorKind, DecodeOptions, Packet, Sender};
///
/// // A server never sends PINGREQ.
/// let options = DecodeOptions::new().with_sender(Sender::Server);
/// let error = Packet::decode_with(&[0xc0, 0x00], &options).unwrap_err();
/// assert_eq!(error.kind, DecodeErrorKind::WrongDirection);
/// assert_eq!(Sender::Server.opposite(), Sender::Client);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Sender {
    /// Unknown, or either side; the default. Packets of both sides are accepted.
    #[default]
    Any,
    /// Client: packets that only servers may send are refused.
    Client,
    /// Server: packets that only clients may send are refused.
    Server,
}

impl Sender {
    /// The other side of a connection; of any side, any side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Any => Self::Any,
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// True if `self` may send a packet whose sender is `other`.
    pub(crate) fn may_be(self, other: Self) -> bool {
        self == other || self == Self::Any || other == Self::Any
    }
}
