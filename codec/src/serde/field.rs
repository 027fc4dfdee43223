//! Writing of a field into a map: under its name, under its name and `_b64`, as several entries, or
//! not at all.

use ::serde::Serialize;
use ::serde::ser::SerializeMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::delivery::Delivery;
use crate::packet::SubscriptionOptions;
use crate::repeated::Repeated;
use crate::text::BinaryData;
use crate::value::Item;

/// Field that writes its entries into a map.
pub(crate) trait WriteField {
    fn write_field<M: SerializeMap>(&self, name: &'static str, map: &mut M)
    -> Result<(), M::Error>;
}

/// Implements [`WriteField`] for types that are one entry under the field's name.
macro_rules! entries {
    ($($type:ty)*) => {$(
        impl WriteField for $type {
            fn write_field<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
                map.serialize_entry(name, self)
            }
        }
    )*};
}

entries!(bool u16 u32 core::num::NonZeroU16 core::num::NonZeroU32);
entries!(crate::PacketId crate::PayloadFormat crate::QoS crate::ReasonCode crate::SubscriptionIdentifier crate::TopicAlias);
entries!(crate::TopicFilter<'_> crate::TopicName<'_> crate::Utf8String<'_> crate::Will<'_>);
entries!(crate::AckProperties<'_> crate::AuthProperties<'_> crate::ConnAckProperties<'_> crate::ConnectProperties<'_>);
entries!(crate::DisconnectProperties<'_> crate::PublishProperties<'_> crate::SubAckProperties<'_>);
entries!(crate::SubscribeProperties<'_> crate::UnsubscribeProperties<'_> crate::WillProperties<'_>);

impl<T: WriteField> WriteField for Option<T> {
    fn write_field<M: SerializeMap>(
        &self,
        name: &'static str,
        map: &mut M,
    ) -> Result<(), M::Error> {
        self.as_ref()
            .map_or(Ok(()), |value| value.write_field(name, map))
    }
}

impl<'a, T: Item<'a> + Serialize> WriteField for Repeated<'a, T> {
    fn write_field<M: SerializeMap>(
        &self,
        name: &'static str,
        map: &mut M,
    ) -> Result<(), M::Error> {
        if self.is_empty() {
            Ok(())
        } else {
            map.serialize_entry(name, self)
        }
    }
}

/// Payload, as text or base64.
impl WriteField for &[u8] {
    fn write_field<M: SerializeMap>(
        &self,
        name: &'static str,
        map: &mut M,
    ) -> Result<(), M::Error> {
        // Text stays readable; all else is base64 under another key, so that the two can't be
        // confused.
        match core::str::from_utf8(self) {
            Ok(text) => map.serialize_entry(name, text),
            Err(_) => {
                map.serialize_key(&InBase64(name))?;
                map.serialize_value(&STANDARD.encode(self))
            }
        }
    }
}

impl WriteField for BinaryData<'_> {
    fn write_field<M: SerializeMap>(
        &self,
        name: &'static str,
        map: &mut M,
    ) -> Result<(), M::Error> {
        self.as_bytes().write_field(name, map)
    }
}

impl WriteField for Delivery {
    fn write_field<M: SerializeMap>(&self, _: &'static str, map: &mut M) -> Result<(), M::Error> {
        self.qos().write_field("qos", map)?;
        // At QoS 0 there is no identifier and no DUP flag.
        let Some(packet_id) = self.packet_id() else {
            return Ok(());
        };
        packet_id.write_field("packet_id", map)?;
        self.dup().write_field("dup", map)
    }
}

impl WriteField for SubscriptionOptions {
    fn write_field<M: SerializeMap>(&self, _: &'static str, map: &mut M) -> Result<(), M::Error> {
        self.qos.write_field("qos", map)?;
        self.no_local.write_field("no_local", map)?;
        self.retain_as_published
            .write_field("retain_as_published", map)?;
        map.serialize_entry("retain_handling", &self.retain_handling)
    }
}

/// Key of a field whose value is base64.
struct InBase64(&'static str);

/// Suffix of such a key.
pub(super) const BASE64: &str = "_b64";

impl Serialize for InBase64 {
    fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}{BASE64}", self.0))
    }
}
