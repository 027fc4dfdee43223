//! `Limits`: limits of CONNECT and CONNACK, which the other side has to keep.

use std::num::NonZero;

use dunlin_codec::{ConnAck, Connect, QoS};

/// Limits that the receiver has announced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) receive_maximum: u16,
    pub(super) topic_alias_maximum: u16,
    pub(super) maximum_qos: QoS,
    pub(super) is_retain_available: bool,
    /// Largest packet in bytes; `None` for any size.
    pub(super) maximum_packet_size: Option<u32>,
}

impl Default for Limits {
    /// Limits of a receiver that announces none.
    fn default() -> Self {
        Self {
            receive_maximum: u16::MAX,
            topic_alias_maximum: 0,
            maximum_qos: QoS::ExactlyOnce,
            is_retain_available: true,
            maximum_packet_size: None,
        }
    }
}

impl Limits {
    /// Limits of the client, for what the server sends.
    pub(super) fn of_client(connect: &Connect<'_>) -> Self {
        let properties = &connect.properties;
        Self {
            receive_maximum: properties.receive_maximum.map_or(u16::MAX, NonZero::get),
            topic_alias_maximum: properties.topic_alias_maximum.unwrap_or(0),
            maximum_qos: QoS::ExactlyOnce,
            is_retain_available: true,
            maximum_packet_size: properties.maximum_packet_size.map(NonZero::get),
        }
    }

    /// Limits of the server, for what the client sends.
    pub(super) fn of_server(connack: &ConnAck<'_>) -> Self {
        let properties = &connack.properties;
        Self {
            receive_maximum: properties.receive_maximum.map_or(u16::MAX, NonZero::get),
            topic_alias_maximum: properties.topic_alias_maximum.unwrap_or(0),
            maximum_qos: properties.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            is_retain_available: properties.retain_available.unwrap_or(true),
            maximum_packet_size: properties.maximum_packet_size.map(NonZero::get),
        }
    }
}
