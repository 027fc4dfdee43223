//! What the receiver accepts: a size limit, whose packets they are, and what it forgives.

use crate::packet_type::Sender;

/// How strictly, and from whom, packets are decoded. The default takes any size and either side's
/// packets, and forgives nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeOptions {
    /// The largest whole packet in bytes, fixed header included; the receiver's Maximum Packet
    /// Size (§3.1.2.11.4).
    pub max_packet_size: u32,
    /// Whose packets are read; what the other side alone may send is refused.
    pub sender: Sender,
    /// What is forgiven.
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

/// Breaches that real servers commit and that a reader may choose to live with. By default none is
/// accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Leniency {
    /// DUP = 1 at QoS 0: brokers that bridge MQTT 3.1.1 pass the bit on from QoS 1. The bit is
    /// dropped.
    pub dup_at_qos_0: bool,
    /// Session Present = 1 in a CONNACK that refuses: servers that fill the flag in before they
    /// decide. The bit is dropped.
    pub session_present_on_refusal: bool,
}

impl Leniency {
    pub(crate) const ALL: Self = Self {
        dup_at_qos_0: true,
        session_present_on_refusal: true,
    };
}
