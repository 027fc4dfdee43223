//! Reading of a field from a map: the keys that belong to it, and its default.

use alloc::string::String;
use alloc::vec::Vec;

use ::serde::de::{DeserializeOwned, Error, MapAccess};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::field::BASE64;
use crate::delivery::Delivery;
use crate::owned::{self, Lend};
use crate::packet::{RetainHandling, SubscriptionOptions};
use crate::qos::{PacketId, QoS};
use crate::value::Item;

/// Field that reads its entries from a map.
pub(crate) trait ReadField: Sized {
    /// Value that was read so far.
    type Slot: Default;

    /// Reads the value of `key` and returns `true` if the key belongs to the field.
    fn read_field<'de, A: MapAccess<'de>>(
        slot: &mut Self::Slot,
        name: &'static str,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error>;

    /// Value of the field after the last key.
    fn finish<E: Error>(slot: Self::Slot, name: &'static str) -> Result<Self, E>;
}

/// Field that is one entry.
trait Entry: Sized {
    /// Reads the value of `key`; `None` if the key does not belong to the field.
    fn read<'de, A: MapAccess<'de>>(
        name: &'static str,
        key: &str,
        map: &mut A,
    ) -> Result<Option<Self>, A::Error>;

    /// Value of a field whose key is missing; `None` if the key is required.
    fn absent() -> Option<Self> {
        None
    }
}

impl<T: Entry> ReadField for T {
    type Slot = Option<T>;

    fn read_field<'de, A: MapAccess<'de>>(
        slot: &mut Option<T>,
        name: &'static str,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        // A key of another field is not read.
        let Some(value) = T::read(name, key, map)? else {
            return Ok(false);
        };
        // The same key twice is an error, as for structs.
        if slot.replace(value).is_some() {
            Err(A::Error::duplicate_field(name))
        } else {
            Ok(true)
        }
    }

    fn finish<E: Error>(slot: Option<T>, name: &'static str) -> Result<Self, E> {
        slot.or_else(T::absent)
            .ok_or_else(|| E::missing_field(name))
    }
}

impl<T: Entry> ReadField for Option<T> {
    type Slot = Self;

    fn read_field<'de, A: MapAccess<'de>>(
        slot: &mut Self,
        name: &'static str,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        T::read_field(slot, name, key, map)
    }

    fn finish<E: Error>(slot: Self, _: &'static str) -> Result<Self, E> {
        Ok(slot)
    }
}

/// Implements [`ReadField`] for types that implement `Deserialize`; the default follows `=`.
macro_rules! entries {
    ($($type:ty $(= $absent:expr)?;)*) => {$(
        impl Entry for $type {
            fn read<'de, A: MapAccess<'de>>(
                name: &'static str,
                key: &str,
                map: &mut A,
            ) -> Result<Option<Self>, A::Error> {
                if key == name { map.next_value().map(Some) } else { Ok(None) }
            }

            $(fn absent() -> Option<Self> {
                Some($absent)
            })?
        }
    )*};
}

entries! {
    bool = false;
    u16 = 0;
    u32;
    core::num::NonZeroU16;
    core::num::NonZeroU32;
    PacketId;
    QoS = Self::default();
    RetainHandling = Self::default();
    crate::PayloadFormat;
    crate::ReasonCode = Self::default();
    crate::SubscriptionIdentifier;
    crate::TopicAlias;
    owned::TopicFilter;
    owned::TopicName;
    owned::Utf8String = Self::default();
    owned::Will;
    owned::AckProperties = Self::default();
    owned::AuthProperties = Self::default();
    owned::ConnAckProperties = Self::default();
    owned::ConnectProperties = Self::default();
    owned::DisconnectProperties = Self::default();
    owned::PublishProperties = Self::default();
    owned::SubAckProperties = Self::default();
    owned::SubscribeProperties = Self::default();
    owned::UnsubscribeProperties = Self::default();
    owned::WillProperties = Self::default();
}

impl<T: Lend + DeserializeOwned + 'static> Entry for owned::Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    fn read<'de, A: MapAccess<'de>>(
        name: &'static str,
        key: &str,
        map: &mut A,
    ) -> Result<Option<Self>, A::Error> {
        if key == name {
            Ok(Some(map.next_value::<Vec<T>>()?.into_iter().collect()))
        } else {
            Ok(None)
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

/// Payload, from text or base64.
impl Entry for Vec<u8> {
    fn read<'de, A: MapAccess<'de>>(
        name: &'static str,
        key: &str,
        map: &mut A,
    ) -> Result<Option<Self>, A::Error> {
        // The suffix of the key tells text from base64.
        match key.strip_prefix(name) {
            Some("") => map
                .next_value::<String>()
                .map(|text| Some(text.into_bytes())),
            Some(BASE64) => STANDARD
                .decode(map.next_value::<String>()?)
                .map(Some)
                .map_err(A::Error::custom),
            _ => Ok(None),
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl Entry for owned::BinaryData {
    fn read<'de, A: MapAccess<'de>>(
        name: &'static str,
        key: &str,
        map: &mut A,
    ) -> Result<Option<Self>, A::Error> {
        let data = <Vec<u8> as Entry>::read(name, key, map)?;
        data.map(Self::new).transpose().map_err(A::Error::custom)
    }
}

impl ReadField for Delivery {
    type Slot = (Option<QoS>, Option<PacketId>, Option<bool>);

    fn read_field<'de, A: MapAccess<'de>>(
        (qos, packet_id, dup): &mut Self::Slot,
        _: &'static str,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        Ok(QoS::read_field(qos, "qos", key, map)?
            || PacketId::read_field(packet_id, "packet_id", key, map)?
            || bool::read_field(dup, "dup", key, map)?)
    }

    fn finish<E: Error>((qos, packet_id, dup): Self::Slot, _: &'static str) -> Result<Self, E> {
        // Identifier and DUP flag belong to QoS 1 and 2, as on the wire.
        let dup = bool::finish(dup, "dup")?;
        match QoS::finish(qos, "qos")? {
            QoS::AtMostOnce if dup => Err(E::custom("dup is for QoS 1 and 2")),
            QoS::AtMostOnce if packet_id.is_some() => {
                Err(E::custom("packet_id is for QoS 1 and 2"))
            }
            QoS::AtMostOnce => Ok(Self::AtMostOnce),
            qos => Ok(Self::new(
                qos,
                PacketId::finish(packet_id, "packet_id")?,
                dup,
            )),
        }
    }
}

impl ReadField for SubscriptionOptions {
    type Slot = (
        Option<QoS>,
        Option<bool>,
        Option<bool>,
        Option<RetainHandling>,
    );

    fn read_field<'de, A: MapAccess<'de>>(
        (qos, no_local, retain_as_published, retain_handling): &mut Self::Slot,
        _: &'static str,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        Ok(QoS::read_field(qos, "qos", key, map)?
            || bool::read_field(no_local, "no_local", key, map)?
            || bool::read_field(retain_as_published, "retain_as_published", key, map)?
            || RetainHandling::read_field(retain_handling, "retain_handling", key, map)?)
    }

    fn finish<E: Error>(
        (qos, no_local, retain_as_published, retain_handling): Self::Slot,
        _: &'static str,
    ) -> Result<Self, E> {
        Ok(Self {
            qos: QoS::finish(qos, "qos")?,
            no_local: bool::finish(no_local, "no_local")?,
            retain_as_published: bool::finish(retain_as_published, "retain_as_published")?,
            retain_handling: RetainHandling::finish(retain_handling, "retain_handling")?,
        })
    }
}
