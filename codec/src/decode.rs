//! Options of decoding: a size limit, the sender, and deviations that are accepted.

use crate::packet_type::Sender;

/// Options of decoding. The default accepts packets of any size from either side, and no
/// deviation from the standard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeOptions {
    /// Maximum Packet Size of the receiver (§3.1.2.11.4): length in bytes of a whole packet, fixed
    /// header included. Default: `u32::MAX`, no limit but the protocol's 268,435,460 bytes.
    pub max_packet_size: u32,
    /// Sender of the packets; packets that only the other side may send are refused. Default: any.
    pub sender: Sender,
    /// Deviations from the standard that are accepted. Default: none.
    pub leniency: Leniency,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            max_packet_size: u32::MAX,
            sender: Sender::Any,
            leniency: Leniency::default(),
        }
    }
}

/// Deviations from the standard that some servers make and that a receiver may accept. Default:
/// none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Leniency {
    /// DUP flag at QoS 0: brokers that bridge MQTT 3.1.1 pass the flag on from QoS 1. The flag is
    /// ignored.
    pub dup_at_qos_0: bool,
    /// Session Present in a CONNACK that refuses the connection: some servers set the flag before
    /// they decide. The flag is ignored.
    pub session_present_on_refusal: bool,
}

impl Leniency {
    pub(crate) const ALL: Self = Self {
        dup_at_qos_0: true,
        session_present_on_refusal: true,
    };
}
