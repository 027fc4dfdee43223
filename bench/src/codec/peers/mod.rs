//! The other codecs, each through the fastest public functions that it offers.

mod mqtt5_protocol;
mod mqtt_protocol_core;
mod mqttbytes;
mod mqttbytes_fields;
mod ntex_mqtt;
mod rmqtt_codec;
mod rumqttc;
mod rumqttc_next;
mod shiguredo_mqtt;

use bytes::{BufMut, BytesMut};

pub use mqtt_protocol_core::MqttProtocolCore;
pub use mqtt5_protocol::Mqtt5Protocol;
pub use mqttbytes::Mqttbytes;
pub use ntex_mqtt::NtexMqtt;
pub use rmqtt_codec::RmqttCodec;
pub use rumqttc::Rumqttc;
pub use rumqttc_next::RumqttcNext;
pub use shiguredo_mqtt::ShiguredoMqtt;

/// Spare bytes after the stream, so that a decoder that reserves a few bytes for the next header
/// never has to move what is still unread.
const SPARE: usize = 64;

/// Capacity of an output buffer in bytes, enough that it never grows.
const OUTPUT: usize = 128 * 1024;

/// Puts `stream` into a buffer whose bytes were all consumed, and reuses its memory.
fn refill(input: &mut BytesMut, stream: &[u8]) {
    input.reserve(stream.len() + SPARE);
    input.put_slice(stream);
}
